"""Refinement: everything but the nouns meets here.

The package has the name of the Python interface's function `handrefine.refine`, and hides it once any of its
modules has been imported. So it can be called itself, and does what that function does.
"""

import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from handrefine.refine.refinement import Refinement


class _Callable(ModuleType):
    def __call__(self, *args: Any, **kwargs: Any) -> "Refinement":
        """As `handrefine.refine.refinement.refine`."""
        from handrefine.refine.refinement import refine

        return refine(*args, **kwargs)


sys.modules[__name__].__class__ = _Callable

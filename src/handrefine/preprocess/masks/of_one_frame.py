"""What was found of the views of one frame, for who is asked for them several times."""

from collections.abc import Callable
from typing import Generic, TypeVar

from handrefine.sequence import ViewKey

T = TypeVar("T")


class OfOneFrame(Generic[T]):
    """Keeps what was found of views until another frame is asked for: they are gone through frame by frame."""

    def __init__(self, find: Callable[[ViewKey], T]) -> None:
        self._find = find
        self._found: dict[ViewKey, T] = {}

    def __call__(self, key: ViewKey) -> T:
        """That of this view; leave arrays as they are."""
        if key not in self._found:
            self._found = {of: found for of, found in self._found.items() if of[0] == key[0]}
            self._found[key] = self._find(key)
        return self._found[key]

"""Choosing the cameras that see most of the hand."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from handrefine.errors import InputError


def select_cameras(
    visible_area: Float[np.ndarray, "frame camera"], names: Sequence[str], n: int | None = None
) -> tuple[str, ...]:
    """The `n` cameras (all when None) with the largest mean visible hand area, largest first.

    visible_area: area of the hand's surface that camera c sees at frame t, in any one unit; NaN for a missing
        view, which is left out of the mean. Cameras without any view come last; equal ones keep their order.

    Raises:
        InputError: more cameras are asked for than there are.
    """
    wanted = len(names) if n is None else n
    if not 1 <= wanted <= len(names):
        raise InputError(
            "no such number of cameras can be chosen", where="cameras", expected=f"1 to {len(names)}", found=wanted
        )
    seen = np.isfinite(visible_area)
    total = np.where(seen, visible_area, 0.0).sum(axis=0)
    mean = np.where(seen.any(axis=0), total / np.maximum(seen.sum(axis=0), 1), -np.inf)
    order = np.argsort(-mean, kind="stable")[:wanted]
    return tuple(str(names[int(k)]) for k in order)

"""The lenses of several cameras as two arrays of a file, `camera_lens_model` and `camera_lens_coefficients`."""

from collections.abc import Mapping, Sequence
from typing import get_args

import numpy as np

from handrefine.errors import InputError
from handrefine.lens import Lens, LensModel

MODELS, COEFFICIENTS = "camera_lens_model", "camera_lens_coefficients"
MOST_COEFFICIENTS = 14


def lens_arrays(lenses: Sequence[Lens | None]) -> dict[str, np.ndarray]:
    """One row a camera: the model, "" for none, and its coefficients with NaN behind them."""
    rows = [() if lens is None else lens.coefficients for lens in lenses]
    padded = [[*row, *[np.nan] * (MOST_COEFFICIENTS - len(row))] for row in rows]
    models = ["" if lens is None else lens.model for lens in lenses]
    return {MODELS: np.array(models, dtype=np.str_), COEFFICIENTS: np.array(padded, dtype=np.float64)}


def lens_at(arrays: Mapping[str, np.ndarray], k: int) -> Lens | None:
    """The lens of camera k; None in a file without lenses.

    Raises:
        InputError: it is no lens.
    """
    if MODELS not in arrays or not str(arrays[MODELS][k]):
        return None
    if COEFFICIENTS not in arrays:
        raise InputError("lenses lack their coefficients", where=MODELS, expected=COEFFICIENTS)
    model, row = str(arrays[MODELS][k]), arrays[COEFFICIENTS][k]
    if model not in get_args(LensModel):
        raise InputError("a lens is of no known model", where=MODELS, expected=get_args(LensModel), found=model)
    return Lens(model, tuple(row[~np.isnan(row)].tolist()))  # pyright: ignore[reportArgumentType]

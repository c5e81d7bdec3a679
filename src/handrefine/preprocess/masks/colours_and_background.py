"""Labels by colour where a steady camera's background is known: what it mends, and how bold colours may be."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from jaxtyping import Bool, Int8, UInt8

from handrefine.preprocess.masks.colour_segmentation import ColourModels, skin_cut
from handrefine.preprocess.masks.labels import HAND, NOT_HAND, UNKNOWN
from handrefine.preprocess.masks.steady_background import Grade

#: Smaller doubts that are tried, the boldest first, and what share of known background may come out as skin.
DOUBTS, LEAK = (-1.5, -1.0, -0.5, 0.0, 0.5, 1.0, 1.5, 2.0, 2.5), 0.01
#: Pixels of known background from which on it judges colours.
FEWEST = 500

Labels = Int8[np.ndarray, "height width"]


def bolder(
    models: ColourModels,
    pictures: Sequence[UInt8[np.ndarray, "_ _ 3"]],
    backgrounds: Sequence[Bool[np.ndarray, "_ _"] | None],
) -> ColourModels:
    """The models with the smallest doubt by which colours call at most 1 % of the known background skin.

    backgrounds: of every picture what is known to be background; None where nothing is. Models are as before where
        all of it together is less than 500 pixels.
    """
    judges = [(p, of) for p, of in zip(pictures, backgrounds, strict=True) if of is not None]
    if sum(np.count_nonzero(of) for _, of in judges) < FEWEST:
        return models
    for doubt in (of for of in DOUBTS if of < models.doubt):
        called = [skin_cut(picture, models, log_odds=-doubt)[of] for picture, of in judges]
        if np.concatenate(called).mean() <= LEAK:
            return replace(models, doubt=doubt)
    return models


def corrected(label: Labels, grades: Int8[np.ndarray, "height width"]) -> Labels:
    """Labels by colour, corrected by how pixels compare with their own background (`Grade`).

    What looks like it is NOT_HAND, whatever its colour. What looks otherwise is HAND where colours leave it open,
    and UNKNOWN where they say NOT_HAND: something stands there, of whatever colour.
    """
    other = grades == Grade.OTHER
    by_other = np.where(label == NOT_HAND, UNKNOWN, HAND)
    return np.where(grades == Grade.SAME, NOT_HAND, np.where(other, by_other, label)).astype(np.int8)

"""Which pixels triangles cover, told at the pixels' centres, without a renderer."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

#: Pixels that are tested against their triangles at a time.
AT_ONCE = 1 << 22


@dataclass(frozen=True, eq=False)
class Fragments:
    """Pixels that triangles cover: which pixel (row by row), which triangle.

    areas: twice the signed areas of the parts into which a pixel's centre cuts its triangle, opposite the corners.
    """

    pixel: Int[np.ndarray, " fragment"]
    face: Int[np.ndarray, " fragment"]
    areas: Float[np.ndarray, "3 fragment"]

    @property
    def weights(self) -> Float[np.ndarray, "fragment 3"]:
        """Barycentric coordinates of the pixels' centres; NaN in triangles without area."""
        with np.errstate(invalid="ignore"):
            return (self.areas / self.areas.sum(axis=0)).T


def rasterise(corners_px: Float[np.ndarray, "face 3 2"], height: int, width: int) -> Fragments:
    """All pairs of a triangle and a pixel whose centre it holds. A corner that is NaN leaves its triangle out."""
    corners = corners_px.astype(np.float64) - 0.5  # centres at whole numbers
    limit = np.array([width, height])
    low = np.ceil(np.clip(np.nan_to_num(corners.min(axis=1), nan=np.inf), 0, limit)).astype(int)
    high = np.floor(np.clip(np.nan_to_num(corners.max(axis=1), nan=-np.inf), -1, limit - 1)).astype(int)
    size = np.maximum(high - low + 1, 0)
    ends = np.cumsum(size.prod(axis=1))
    batches = np.split(np.arange(len(corners)), np.searchsorted(ends, np.arange(AT_ONCE, ends[-1], AT_ONCE)))
    parts = [_covered(corners[batch], low[batch], size[batch], width) for batch in batches]
    pixel, face, areas = zip(*parts, strict=True)
    face = [batch[of] for batch, of in zip(batches, face, strict=True)]
    return Fragments(np.concatenate(pixel), np.concatenate(face), np.concatenate(areas, axis=1))


def _covered(
    corners: Float[np.ndarray, "face 3 2"],
    low: Int[np.ndarray, "face 2"],
    size: Int[np.ndarray, "face 2"],
    width: int,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Pixels, triangles and areas of all pairs, out of the pixels of the triangles' boxes."""
    count = size.prod(axis=1)
    face = np.repeat(np.arange(len(corners)), count)
    place = np.arange(len(face)) - np.repeat(np.cumsum(count) - count, count)
    x, y = low[face, 0] + place % size[face, 0], low[face, 1] + place // size[face, 0]
    a, b, c = corners.transpose(1, 0, 2)
    areas = []
    for start, end in ((b, c), (c, a), (a, b)):
        along = end - start
        areas.append(along[face, 0] * (y - start[face, 1]) - along[face, 1] * (x - start[face, 0]))
    areas = np.stack(areas)
    inside = (areas >= 0).all(axis=0) | (areas <= 0).all(axis=0)
    return (y * width + x)[inside], face[inside], areas[:, inside]

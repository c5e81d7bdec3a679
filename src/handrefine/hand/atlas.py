"""A texture atlas for a hand mesh that comes without one, as MANO's official files do."""

import numpy as np
from jaxtyping import Float, Int

#: Free border around every triangle, as a share of its cell: about 2 texels of a 1024x1024 texture.
MARGIN = 0.06


def grid_atlas(
    v_template: Float[np.ndarray, "vertex 3"], faces: Int[np.ndarray, "face 3"]
) -> tuple[Float[np.ndarray, "coord 2"], Int[np.ndarray, "face 3"]]:
    """Texture coordinates in [0, 1] in which no two triangles overlap, for any mesh.

    Every triangle takes one half of a cell of a regular grid, so it has an area, and a margin to its neighbours.
    Which cell follows from where the triangle lies: the two largest axes of the hand are halved alternately
    together with the grid, the back of the hand first parted from the palm, so that neighbours on the hand are
    mostly neighbours in the texture and a coarse texture still means something. All edges are seams.

    Returns:
        The coordinates, three of its own a triangle, and the triangles over them.
    """
    corners = v_template[faces]
    centers = corners.mean(axis=1)
    axes = _principal_axes(v_template)
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    position = np.stack([normals @ axes[2], centers @ axes[0], centers @ axes[1]], axis=1)
    columns = int(np.ceil(np.sqrt(len(faces) / 2)))
    slots = np.arange(2 * columns * columns).reshape(columns, columns, 2)
    slot = np.empty(len(faces), dtype=np.int64)
    _assign(np.arange(len(faces)), slots, position, slot, depth=0)
    cell, half = slot // 2, slot % 2
    low, high = MARGIN, 1 - MARGIN
    # The two triangles of a cell keep 2 margins between their long sides.
    lower_left = np.array([[low, low], [high - 2 * low, low], [low, high - 2 * low]])
    shape = np.stack([lower_left, 1 - lower_left])
    origin = np.stack([cell % columns, cell // columns], axis=1)
    uv = (origin[:, None] + shape[half]) / columns
    return uv.reshape(-1, 2), np.arange(3 * len(faces)).reshape(-1, 3)


def _principal_axes(points: Float[np.ndarray, "point 3"]) -> Float[np.ndarray, "3 3"]:
    """Length, width and thickness of the hand as unit rows, each with its largest component positive."""
    centered = points - points.mean(axis=0)
    axes = np.linalg.eigh(centered.T @ centered)[1].T[::-1]
    largest = np.abs(axes).argmax(axis=1)
    return axes * np.sign(axes[np.arange(3), largest])[:, None]


def _assign(items: np.ndarray, slots: np.ndarray, position: np.ndarray, slot: np.ndarray, depth: int) -> None:
    """Gives every item its own slot by halving the grid along its longer side and the items in proportion."""
    if len(items) == 0:
        return
    if slots.shape[0] == slots.shape[1] == 1:
        slot[items] = slots.ravel()[: len(items)]
        return
    along = 1 if slots.shape[1] >= slots.shape[0] else 0
    middle = slots.shape[along] // 2
    first, second = np.split(slots, [middle], axis=along)
    key = 0 if depth == 0 else 1 + along
    ordered = items[np.argsort(position[items, key], kind="stable")]
    count = min(first.size, round(len(items) * first.size / slots.size))
    count = max(count, len(items) - second.size)
    _assign(ordered[:count], first, position, slot, depth + 1)
    _assign(ordered[count:], second, position, slot, depth + 1)

"""Move the source atlas's hand and forearm islands into one unit square."""

from __future__ import annotations

import numpy as np

MARGIN = 0.02
# The empty upper right corner beside the hand island takes the forearm strip: (u, v) low and high.
STRIP_LOW = np.array([0.53, 0.84])
STRIP_HIGH = np.array([0.97, 0.93])


def pack_islands(uv: np.ndarray, uv_faces: np.ndarray, is_hand: np.ndarray) -> np.ndarray:
    """UVs in [0, 1]: the hand scaled as it is, the forearm's upright strip turned by 90 degrees."""
    packed = np.zeros_like(uv)
    hand = np.unique(uv_faces[is_hand])
    arm = np.unique(uv_faces[~is_hand])
    if np.intersect1d(hand, arm).size:
        raise ValueError("hand and forearm share UV vertices: they are no separate islands any more")
    low, high = uv[hand].min(0), uv[hand].max(0)
    packed[hand] = MARGIN + (1 - 2 * MARGIN) * (uv[hand] - low) / (high - low).max()
    low, high = uv[arm].min(0), uv[arm].max(0)
    along = (uv[arm] - low) / (high - low)
    turned = np.stack([1 - along[:, 1], along[:, 0]], 1)
    packed[arm] = STRIP_LOW + (STRIP_HIGH - STRIP_LOW) * turned
    return packed

"""Where the second of two hands is held: palm to palm with the first, as near as it gets without touching."""

import math

import numpy as np
from jaxtyping import Float
from scipy.spatial import KDTree

#: Nearest vertices of the two hands at any frame; triangles are a few millimetres wide.
CLEARANCE_M = 0.008
_FAR_M, _STEP_M = 0.4, 0.002


def shift_to_face(
    first_world: Float[np.ndarray, "frame vertex 3"],
    second_world: Float[np.ndarray, "frame vertex_2 3"],
    turn: float,
    rng: np.random.Generator,
) -> Float[np.ndarray, "3"]:
    """The translation in metres that brings the second hand before the palm of the first.

    The hands' middles come to lie on a line that leaves the first palm nearly at right angles. The second comes
    along it from afar until the nearest two vertices, at any frame, are 8 mm apart: coming from outside, it
    cannot have passed through the first.

    Args:
        turn: as of `handrefine.synthetic.gesture.global_motion`, of both hands.
    """
    out_of_palm = np.array([-math.cos(turn), 0.0, math.sin(turn)]) + rng.normal(0, 0.2, 3)
    out_of_palm /= np.linalg.norm(out_of_palm)
    to_middle = first_world.mean(axis=(0, 1)) - second_world.mean(axis=(0, 1))
    trees = [KDTree(verts) for verts in first_world]
    distance_m, free_steps = _FAR_M, 0
    while distance_m > 0:
        if free_steps == 0:
            nearer = to_middle + (distance_m - _STEP_M) * out_of_palm
            gap_m = min(t.query(v + nearer)[0].min() for t, v in zip(trees, second_world, strict=True))
            if gap_m < CLEARANCE_M:
                break
            # A step brings no two vertices nearer by more than its length: so many need no look, and one to spare.
            free_steps = max(1, int((gap_m - CLEARANCE_M) / _STEP_M))
        distance_m -= _STEP_M
        free_steps -= 1
    return to_middle + distance_m * out_of_palm

"""Where a hand model's mesh ends being a hand: past the wrist it moves with the palm, as no forearm does."""

import numpy as np
from jaxtyping import Float

from handrefine.mesh import MeshTopology
from handrefine.sequence import MIDDLE_KNUCKLE, WRIST

#: The wrist's creases lie before the wrist joint by this share of the palm's length.
CREASE = 0.1


def wrist_crease(joints_world: Float[np.ndarray, "21 3"]) -> Float[np.ndarray, "3"]:
    """Where the hand ends, on the line from the middle knuckle to the wrist joint."""
    return joints_world[WRIST] + CREASE * (joints_world[MIDDLE_KNUCKLE] - joints_world[WRIST])


def up_to_wrist(
    topology: MeshTopology,
    verts_world: Float[np.ndarray, "vertex 3"],
    joints_world: Float[np.ndarray, "21 3"],
) -> MeshTopology:
    """The same vertices without the triangles that lie wholly past the wrist.

    Past it is the half-space beyond the wrist's creases, away from the middle knuckle. Any pose tells the same
    triangles, up to one along the cut, since this part of the mesh moves with the palm.
    """
    axis = joints_world[WRIST] - joints_world[MIDDLE_KNUCKLE]
    past = (verts_world - wrist_crease(joints_world)) @ axis > 0
    return topology.with_faces(~past[topology.faces].all(axis=1))

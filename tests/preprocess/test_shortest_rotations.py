"""A rotation is the same hand whichever of its axis-angle vectors is written, so that priors judge it the same."""

from dataclasses import replace

import numpy as np
from drawn_video import mano, open_hand, posed

from handrefine.preprocess.initialization import shortest


def test_whole_turns_are_taken_out_and_the_hand_stays() -> None:
    start = mano()
    mean = np.concatenate([np.zeros(3), open_hand().hands_mean.numpy()])
    longer = (start.pose_aa + mean).reshape(-1, 16, 3)
    angle = np.linalg.norm(longer, axis=-1, keepdims=True)
    turned = longer.copy()
    turned[:, ::3] = (longer * (1 + 2 * np.pi / angle))[:, ::3]
    turned[0, 1] = (longer * (1 - 4 * np.pi / angle))[0, 1]
    other = replace(start, pose_aa=turned.reshape(-1, 48) - mean)
    found = shortest(other, open_hand())
    np.testing.assert_allclose(found.pose_aa, start.pose_aa, atol=1e-9)
    np.testing.assert_allclose(posed(found).verts_world, posed(other).verts_world, atol=1e-5)


def test_shortest_vectors_keep_every_digit() -> None:
    start = mano()
    np.testing.assert_array_equal(shortest(start, open_hand()).pose_aa, start.pose_aa)
    flat = replace(start, flat_hand_mean=True)
    np.testing.assert_array_equal(shortest(flat, open_hand()).pose_aa, start.pose_aa)

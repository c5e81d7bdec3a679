"""Black that shows nothing: borders that undistortion leaves, and backgrounds that are black altogether."""

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from handrefine import regions
from handrefine.sequence import HandSequence

#: Brightest value of any channel (linear) that still counts as a border's black: 4/255 in sRGB.
BORDER_BLACK = 0.0012
#: The same for a background known to be black; above it lies what JPEG leaves around a hand.
BACKGROUND_BLACK = 0.006
#: How far beyond the hull of its joints a hand may reach: these pixels, and at most this share of its length.
REACH_PX, REACH = 25, 0.2
#: Share of the background that must be black, without things and with them, and how many pixels can tell.
MOSTLY, HALF, FEWEST = 0.99, 0.5, 64

Image = Float[np.ndarray, "height width 3"]


def black_border(image: Image) -> Bool[np.ndarray, "height width"]:
    """Black regions that touch the image's border: what undistortion leaves. Give it the full image."""
    dark = image.max(axis=2) <= BORDER_BLACK
    rim = np.ones(dark.shape, bool)
    rim[1:-1, 1:-1] = False
    return regions.connected_to(dark, rim)


def is_black_background(
    image: Image, hands_px: Sequence[Float[np.ndarray, "21 2"]], *, things: bool = False
) -> bool:
    """Whether nearly everything (99 %) outside the hulls of the hands' joints, somewhat grown, is black.

    What lies beyond a wrist is not asked: there may be a forearm. False where the view is too tight to tell. Ask
    it of all views of a video and believe the majority.

    things: there may be some in the hands: what is lit and goes on from the hulls is not asked either, as long as
        half of what lies outside them is black.
    """
    height, width = image.shape[:2]
    asked = np.ones((height, width), bool)
    for joints_px in hands_px:
        margin_px = min(REACH_PX, REACH * regions.hand_length_px(joints_px))
        asked &= regions.distance_px(regions.convex_hull(joints_px, height, width)) > margin_px
        asked &= ~regions.beyond_wrist(joints_px, height, width)
    black = image.max(axis=2) <= BACKGROUND_BLACK
    if things and np.count_nonzero(asked & black) >= HALF * np.count_nonzero(asked):
        asked &= ~regions.connected_to(~black, ~asked, diagonally=True)
    outside = black[asked]
    return outside.size >= FEWEST and float(outside.mean()) >= MOSTLY


def images_are_over_black(
    sequence: HandSequence, hands_world: Sequence[Float[Tensor, "frame 21 3"]], *, things: bool = False
) -> bool:
    """Whether the video shows hands over black, by the majority of one frame's views; `things` as of one view."""
    votes, first = [], sequence.positions[0]
    there = [joints[first] for joints in hands_world if bool(torch.isfinite(joints[first]).all())]
    for name, camera in sequence.cameras.items():
        if (first, name) in sequence.images:
            at = camera.at(sequence.frames[first])
            joints_px = [at.project(joints).detach().cpu().numpy() for joints in there]
            image = sequence.images[first, name]()
            if (first, name) in sequence.objects:
                image = np.where(sequence.objects[first, name]()[..., None], 0.0, image)
            votes.append(is_black_background(image, joints_px, things=things))
    return sum(votes) > len(votes) / 2

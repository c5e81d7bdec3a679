"""What terms of the objective look at, made by hand."""

from collections.abc import Sequence
from functools import cache

import numpy as np
import torch
from made_observations import NAMES, observations

from handrefine.hand.model import HandGeometry, HandModel, load_hand_model
from handrefine.losses.base import Iterate, Setup, TermConfig
from handrefine.losses.comparison import compare
from handrefine.losses.norms import PixelNorm
from handrefine.losses.objective import Objective
from handrefine.observations import Observations
from handrefine.refinement.camera_weights import CameraWeights, CameraWeightsConfig
from handrefine.scene.colour_transforms import ColourTransforms
from handrefine.scene.light import SphericalLight
from handrefine.scene.pose import PoseVariables
from handrefine.scene.texture import TexturePyramid
from handrefine.scene.video_model import Prediction, VideoHand, VideoModel
from handrefine.sequence import FrameId, ManoParameters


def pose_of(pose_aa: np.ndarray, *, flat_hand_mean: bool = False) -> PoseVariables:
    frames = len(pose_aa)
    return PoseVariables(
        ManoParameters(pose_aa, np.zeros((frames, 10)), np.zeros((frames, 3)), flat_hand_mean=flat_hand_mean)
    )


@cache
def _open_hand() -> HandModel:
    """Loaded once; no test may change it."""
    return load_hand_model("right")


def video_hand(pose: PoseVariables, texture_size: int = 8) -> VideoHand:
    return VideoHand(_open_hand(), pose, TexturePyramid(texture_size))


def prediction_of(rgb: torch.Tensor) -> Prediction:
    """Hands wherever the colours are not black."""
    nothing = HandGeometry(torch.zeros(1, 3, 3), torch.zeros(1, 21, 3))
    coverage = (rgb.sum(dim=1) > 0).float()
    return Prediction((nothing,), rgb, coverage, coverage[:, None])


def camera_weights() -> CameraWeights:
    return CameraWeights(CameraWeightsConfig(), NAMES, torch.device("cpu"))


def iterate_of(
    hands: Sequence[VideoHand],
    *,
    occluded: Sequence[torch.Tensor] = (),
    prediction: Prediction | None = None,
    seen: Observations | None = None,
    weights: CameraWeights | None = None,
) -> Iterate:
    """One iteration's state; where no prediction is given, the hands' own geometries before what is seen."""
    seen = seen or observations()
    model = VideoModel(hands, SphericalLight(1), 4, ColourTransforms(len(NAMES)))
    if prediction is None:
        of_target = prediction_of(seen.target)
        prediction = Prediction(model.geometries(), of_target.hand_rgb, of_target.coverage, of_target.by_hand)
    return Iterate(
        model, prediction, compare(prediction, seen, protect_texture=False), weights or camera_weights(), occluded
    )


def setup_of(
    hands: Sequence[VideoHand],
    *,
    seen: Observations | None = None,
    frames: Sequence[Sequence[int]] | None = None,
    still_joints_world: torch.Tensor | None = None,
    norm: PixelNorm | None = None,
) -> Setup:
    numbers = frames or [range(len(hand.rows)) for hand in hands]
    return Setup(
        seen or observations(),
        tuple(hand.hand for hand in hands),
        tuple(tuple(FrameId(frame) for frame in of) for of in numbers),
        still_joints_world,
        norm or PixelNorm(),
    )


def values(terms: dict[str, TermConfig], setup: Setup, iterate: Iterate) -> dict[str, torch.Tensor]:
    """The weighted terms."""
    return Objective.build(terms, setup)(iterate)

"""MANO parameters from 21 3D joints per frame: robust nonlinear least squares with one shape for all frames.

Levenberg-Marquardt on `sum_ij rho(|x_ij(pose_i, person) - y_ij|) + prior`, with rho of Geman and McClure, whose
scale shrinks from coarse to fine (graduated non-convexity) so that a wrong joint is found out rather than averaged
in. The frames meet only in the person: the shape, and where a convention leaves it open, how far along their bones
the joints are marked. A Schur complement solves the frames one by one.
"""

import copy
import logging
from dataclasses import dataclass
from typing import Literal, cast

import numpy as np
import roma
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from handrefine.errors import InputError
from handrefine.hand.anatomy import pose_prior
from handrefine.hand.joint_conventions import ConventionName, joint_convention
from handrefine.hand.joint_problem import JointProblem, levenberg_marquardt, trust
from handrefine.hand.model import HandModel
from handrefine.sequence import JOINT_NAMES, PALM, ManoParameters

log = logging.getLogger(__name__)

#: Joints this near to the model's own are its own; and others have to be explained that much better by another
#: convention, which has more freedom (medians).
WELL_EXPLAINED_MM, FAR_BETTER = 2.0, 0.75
#: No detector is better than this, however well one frame's joints are explained by so many unknowns.
LANDMARK_NOISE_MM = 2.0


@dataclass(frozen=True)
class FitSettings:
    """How joints are turned into MANO parameters."""

    noise_mm: float = 0.5
    """Smallest assumed standard deviation of a joint; where the joints fit worse, the prior gains weight."""
    outlier_mm: float = 12.0
    """A joint this far from the fit counts a quarter, one much further counts nothing."""
    coarse_mm: float = 80.0
    """The same at the start, before the fingers are bent."""
    iterations: int = 15
    """Most steps at each of the scales between `coarse_mm` and `outlier_mm`."""
    convention: Literal["auto", "model", "landmarks"] = "auto"
    """What the joints mean, see `joint_conventions`; auto: whichever explains them better."""
    min_joints: int = 6
    """A frame with fewer valid joints is left unfitted."""


@dataclass(frozen=True, eq=False)
class JointFit:
    """The fitted hand.

    parameters: one shape, repeated for all frames; `flat_hand_mean=False`. Zeros where `mano_valid` is False.
    mano_valid: False for a frame with too few joints to say where the palm is.
    residual_mm: distance of every joint from the fit; NaN where there is none.
    weight: how much a joint was trusted, 0 to 1; near 0 for outliers, 0 where there is none.
    noise_mm: estimated standard deviation of a joint's coordinate.
    convention: what the joints were taken for.
    """

    parameters: ManoParameters
    mano_valid: Bool[np.ndarray, " frame"]
    residual_mm: Float[np.ndarray, "frame 21"]
    weight: Float[np.ndarray, "frame 21"]
    noise_mm: float
    convention: ConventionName


@dataclass(frozen=True, eq=False)
class _Solution:
    """state: (pose 48, translation 3) a frame. distance: of every joint, metres."""

    problem: JointProblem
    state: Float[Tensor, "frame 51"]
    person: Float[Tensor, " person"]
    noise_mm: float
    distance: Float[Tensor, "frame 21"]

    @property
    def median_mm(self) -> float:
        return 1e3 * float(self.distance[self.problem.valid > 0].median())


def fit_to_joints(
    model: HandModel,
    joints_world: Float[Tensor, "frame joint 3"],
    valid: Bool[Tensor, "frame joint"],
    settings: FitSettings | None = None,
) -> JointFit:
    """Fits one hand to joints in metres, in the order of `JOINT_NAMES`, where `valid`.

    Deterministic; runs on the CPU in double precision whatever the model's device; not differentiable.

    Raises:
        InputError: not 21 joints, a joint marked valid is not finite, or no frame has enough joints.
    """
    settings = settings or FitSettings()
    _check(joints_world, valid)
    model = copy.deepcopy(model).to("cpu", torch.float64)
    y, ok = joints_world.detach().to("cpu", torch.float64), valid.detach().cpu()
    with torch.no_grad():
        y = torch.where(ok[..., None], y, 0.0)
        fitted = _enough(model, ok, settings)
        if not fitted.any():
            raise InputError(
                "no frame has enough valid joints to fit a hand",
                expected=f"{settings.min_joints} joints, among them 3 of the palm that do not lie on a line",
                found=f"at most {int(ok.sum(1).max()) if len(ok) else 0} valid joints",
            )
        solution = _best(model, y[fitted], ok[fitted].double(), settings)
    return _result(solution, fitted.numpy(), settings)


def _best(model: HandModel, target: Tensor, valid: Tensor, settings: FitSettings) -> _Solution:
    """By the configured convention; or by the model's own, unless the other one explains the joints far better."""
    flat = torch.cat([model.hands_mean.new_zeros(3), -model.hands_mean])[None]
    rest = model.joints(flat, *(flat.new_zeros(1, n) for n in (10, 3)))[0]

    def solution(name: ConventionName) -> _Solution:
        problem = JointProblem(model, pose_prior(model), joint_convention(name, rest), target, valid)
        state, person, noise = _solve(problem, settings)
        return _Solution(problem, state, person, noise, problem.distances(state, person))

    if settings.convention != "auto":
        return solution(settings.convention)
    own = solution("model")
    if own.median_mm < WELL_EXPLAINED_MM:
        return own
    landmarks = solution("landmarks")
    return landmarks if landmarks.median_mm < FAR_BETTER * own.median_mm else own


def _check(joints: Tensor, valid: Tensor) -> None:
    if joints.shape[1] != len(JOINT_NAMES) or valid.shape != joints.shape[:2]:
        raise InputError(
            "a hand is fitted to 21 joints",
            expected=f"(frames, 21, 3) and (frames, 21): {', '.join(JOINT_NAMES)}",
            found=f"{tuple(joints.shape)} and {tuple(valid.shape)}",
        )
    bad = (~torch.isfinite(joints).all(-1) & valid).nonzero()
    if len(bad):
        frame, joint = bad[0].tolist()
        raise InputError(
            "a joint marked as valid is not finite",
            where=f"frame {frame}, joint {JOINT_NAMES[joint]}",
            fix="mark the joint as invalid",
        )


def _enough(model: HandModel, valid: Bool[Tensor, "frame 21"], settings: FitSettings) -> Bool[Tensor, " frame"]:
    """Whether a frame's palm joints fix a rigid motion: its three or more valid ones do not lie on a line."""
    palm, seen = _rest_palm(model), valid[:, PALM].double()[..., None]
    centered = (palm - (seen * palm).sum(1, keepdim=True) / seen.sum(1, keepdim=True).clamp(min=1)) * seen
    width = torch.linalg.svdvals(centered)[:, 1]
    return (valid.sum(1) >= settings.min_joints) & (seen.sum((1, 2)) >= 3) & (width > 0.015)


def _rest_palm(model: HandModel) -> Float[Tensor, "palm 3"]:
    return model.joints(*(torch.zeros(1, n, dtype=torch.float64) for n in (48, 10, 3)))[0, PALM]


def _solve(problem: JointProblem, settings: FitSettings) -> tuple[Tensor, Tensor, float]:
    """From coarse to fine; then once more with the noise that the first pass has shown."""
    state, person = _start(problem), problem.nobody()
    scales = np.geomspace(settings.coarse_mm, settings.outlier_mm, 4)
    noise = 3.0
    for scale in [*scales, settings.outlier_mm, settings.outlier_mm]:
        state, person = levenberg_marquardt(problem, state, person, scale / 1e3, noise / 1e3, settings.iterations)
        noise = _noise_mm(problem, state, person, settings)
    return state, person, noise


def _noise_mm(problem: JointProblem, state: Tensor, person: Tensor, settings: FitSettings) -> float:
    """Robust standard deviation of a coordinate: the median of a Maxwell distribution is 1.54 of them.

    The fit absorbs part of the noise (about 40 of a frame's 63 coordinates), hence the factor sqrt(3).
    """
    median = float(problem.distances(state, person)[problem.valid > 0].median()) * 1e3
    least = LANDMARK_NOISE_MM if problem.convention.is_free else settings.noise_mm
    return max(least, median / 1.54 * 3**0.5)


def _start(problem: JointProblem) -> Float[Tensor, "frame 51"]:
    """The mean pose, moved rigidly onto the palm joints; a palm joint off by centimetres loses its say."""
    rest = torch.zeros(1, 51, dtype=torch.float64)
    root = problem.model.joints(rest[:, :48], rest[:, :10], rest[:, :3])[:, 0]
    palm = problem.joints(rest, problem.nobody())[:, PALM].expand(len(problem.target), -1, -1)
    target = problem.target[:, PALM]
    seen = problem.valid[:, PALM]
    R, t = _rigid(palm, target, seen)
    for _ in range(10):
        distance = torch.linalg.norm(palm @ R.mT + t[:, None] - target, dim=-1)
        R, t = _rigid(palm, target, seen * trust(distance, 0.02))
    trans = t + (R @ root[..., None])[..., 0] - root
    return torch.cat([roma.rotmat_to_rotvec(R), trans.new_zeros(len(trans), 45), trans], dim=1)


def _rigid(x: Tensor, y: Tensor, weight: Tensor) -> tuple[Float[Tensor, "frame 3 3"], Float[Tensor, "frame 3"]]:
    R, t, *_ = roma.rigid_points_registration(x, y, weight)
    return cast(Tensor, R), cast(Tensor, t)


def _result(found: _Solution, fitted: np.ndarray, settings: FitSettings) -> JointFit:
    problem, frames, distance = found.problem, len(fitted), found.distance
    full, residual, weight = np.zeros((frames, 51)), np.full((frames, 21), np.nan), np.zeros((frames, 21))
    full[fitted] = found.state.numpy()
    residual[fitted] = torch.where(problem.valid > 0, distance * 1e3, torch.nan).numpy()
    weight[fitted] = (problem.valid * trust(distance, settings.outlier_mm / 1e3)).numpy()
    log.info("fitted %d of %d frames, median joint residual %.2f mm", fitted.sum(), frames, np.nanmedian(residual))
    shapes, open_hand = np.tile(found.person[:10].numpy(), (frames, 1)), problem.model.open_hand
    parameters = ManoParameters(full[:, :48], shapes, full[:, 48:], open_hand=open_hand)
    return JointFit(parameters, fitted, residual, weight, found.noise_mm, problem.convention.name)

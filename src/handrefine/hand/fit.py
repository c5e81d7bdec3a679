"""MANO parameters from 21 3D joints per frame: robust nonlinear least squares with one shape for all frames.

Levenberg-Marquardt on `sum_ij rho(|x_ij(pose_i, shape) - y_ij|) + prior`, with rho of Geman and McClure, whose
scale shrinks from coarse to fine (graduated non-convexity) so that a wrong joint is found out rather than averaged
in. The frames meet only in the shape, so that a Schur complement solves them one by one.
"""

import copy
import logging
from dataclasses import dataclass
from typing import cast

import numpy as np
import roma
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from handrefine.errors import InputError
from handrefine.hand.anatomy import PosePrior, pose_prior, shape_residuals
from handrefine.hand.model import HandModel
from handrefine.sequence import JOINT_NAMES, ManoParameters

log = logging.getLogger(__name__)

#: The joints that move rigidly with the wrist: they give the first guess of the global pose.
PALM = [JOINT_NAMES.index(name) for name in ("wrist", "thumb1", "index1", "middle1", "ring1", "pinky1")]


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
    """

    parameters: ManoParameters
    mano_valid: Bool[np.ndarray, " frame"]
    residual_mm: Float[np.ndarray, "frame 21"]
    weight: Float[np.ndarray, "frame 21"]
    noise_mm: float


@dataclass(frozen=True, eq=False)
class _Problem:
    """Targets and priors; the unknowns are (pose 48, translation 3) a frame, and one shape."""

    model: HandModel
    prior: PosePrior
    target: Float[Tensor, "frame 21 3"]
    valid: Float[Tensor, "frame 21"]

    def joints(self, state: Float[Tensor, "51"], shape: Float[Tensor, "10"]) -> Float[Tensor, "21 3"]:
        return self.model.joints(state[None, :48], shape[None], state[None, 48:])[0]

    def distances(self, state: Float[Tensor, "frame 51"], shape: Float[Tensor, "10"]) -> Float[Tensor, "frame 21"]:
        x = self.model.joints(state[:, :48], shape.expand(len(state), -1), state[:, 48:])
        return torch.linalg.norm(x - self.target, dim=-1)

    def residuals(
        self, state: Float[Tensor, "51"], shape: Float[Tensor, "10"], target: Tensor, weight: Tensor
    ) -> Float[Tensor, " residual"]:
        """One frame's weighted joint residuals and pose prior."""
        data = (self.joints(state, shape) - target) * weight[:, None]
        return torch.cat([data.ravel(), self.prior.residuals(state[3:48])])


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
        problem = _Problem(model, pose_prior(model), y[fitted], ok[fitted].double())
        state, shape, noise = _solve(problem, settings)
        distance = problem.distances(state, shape)
    return _result(problem, state, shape, distance, fitted.numpy(), noise, settings)


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


def _solve(problem: _Problem, settings: FitSettings) -> tuple[Tensor, Tensor, float]:
    """From coarse to fine; then once more with the noise that the first pass has shown."""
    state, shape = _start(problem), torch.zeros(10, dtype=torch.float64)
    scales = np.geomspace(settings.coarse_mm, settings.outlier_mm, 4)
    noise = 3.0
    for scale in [*scales, settings.outlier_mm, settings.outlier_mm]:
        state, shape = _levenberg_marquardt(problem, state, shape, scale / 1e3, noise / 1e3, settings.iterations)
        noise = _noise_mm(problem, state, shape, settings)
    return state, shape, noise


def _noise_mm(problem: _Problem, state: Tensor, shape: Tensor, settings: FitSettings) -> float:
    """Robust standard deviation of a coordinate: the median of a Maxwell distribution is 1.54 of them.

    The fit absorbs part of the noise (about 40 of a frame's 63 coordinates), hence the factor sqrt(3).
    """
    median = float(problem.distances(state, shape)[problem.valid > 0].median()) * 1e3
    return max(settings.noise_mm, median / 1.54 * 3**0.5)


def _start(problem: _Problem) -> Float[Tensor, "frame 51"]:
    """The mean pose, moved rigidly onto the palm joints; a palm joint off by centimetres loses its say."""
    palm, target = _rest_palm(problem.model).expand(len(problem.target), -1, -1), problem.target[:, PALM]
    seen = problem.valid[:, PALM]
    R, t = _rigid(palm, target, seen)
    for _ in range(10):
        distance = torch.linalg.norm(palm @ R.mT + t[:, None] - target, dim=-1)
        R, t = _rigid(palm, target, seen * _trust(distance, 0.02))
    root = palm[:, 0]
    trans = t + (R @ root[..., None])[..., 0] - root
    return torch.cat([roma.rotmat_to_rotvec(R), trans.new_zeros(len(trans), 45), trans], dim=1)


def _rigid(x: Tensor, y: Tensor, weight: Tensor) -> tuple[Float[Tensor, "frame 3 3"], Float[Tensor, "frame 3"]]:
    R, t, *_ = roma.rigid_points_registration(x, y, weight)
    return cast(Tensor, R), cast(Tensor, t)


def _trust(distance: Tensor, scale: float) -> Tensor:
    """Weight of Geman and McClure's estimator `rho = d^2 c^2 / (c^2 + d^2)`."""
    return (scale**2 / (scale**2 + distance.square())).square()


def _levenberg_marquardt(
    problem: _Problem, state: Tensor, shape: Tensor, scale: float, noise: float, iterations: int
) -> tuple[Tensor, Tensor]:
    def cost(state: Tensor, shape: Tensor) -> float:
        d = problem.distances(state, shape).square()
        prior = torch.func.vmap(problem.prior.residuals)(state[:, 3:48]).square().sum()
        robust = problem.valid * d * scale**2 / (d + scale**2)
        return float(robust.sum() / noise**2 + prior + shape_residuals(shape).square().sum())

    damping, now = 1e-3, cost(state, shape)
    for _ in range(iterations):
        system = _normal_equations(problem, state, shape, scale, noise)
        while damping < 1e6:
            step, shape_step = _schur_solve(*system, damping)
            new = cost(state + step, shape + shape_step)
            if new < now:
                break
            damping *= 10
        else:
            break
        gain, now = now - new, new
        state, shape, damping = state + step, shape + shape_step, max(damping / 10, 1e-9)
        if gain < 1e-6 * (1 + now):
            break
    return state, shape


def _normal_equations(
    problem: _Problem, state: Tensor, shape: Tensor, scale: float, noise: float
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    """Blocks of `J^T J` and `J^T r` of the reweighted problem: pose-pose, pose-shape, shape-shape; pose, shape."""
    trust = _trust(problem.distances(state, shape), scale)
    weight = (problem.valid * trust).sqrt() / noise
    arguments = (state, shape, problem.target, weight)
    jacobian = torch.func.jacfwd(problem.residuals, argnums=(0, 1))
    Jp, Js = torch.func.vmap(jacobian, in_dims=(0, None, 0, 0))(*arguments)
    r = torch.func.vmap(problem.residuals, in_dims=(0, None, 0, 0))(*arguments)[..., None]
    K, rs = torch.func.jacfwd(shape_residuals)(shape), shape_residuals(shape)
    return (
        Jp.mT @ Jp,
        Jp.mT @ Js,
        (Js.mT @ Js).sum(0) + K.T @ K,
        (Jp.mT @ r)[..., 0],
        (Js.mT @ r).sum(0)[:, 0] + K.T @ rs,
    )


def _schur_solve(
    A: Tensor, B: Tensor, C: Tensor, a: Tensor, c: Tensor, damping: float
) -> tuple[Float[Tensor, "frame 51"], Float[Tensor, "10"]]:
    """Solves `[A B; B^T C] (x, s) = -(a, c)`, A block-diagonal over frames, diagonals raised by the damping."""
    A = A + damping * torch.diag_embed(A.diagonal(dim1=-2, dim2=-1))
    C = C + damping * torch.diag(C.diagonal())
    solved = torch.linalg.solve(A, torch.cat([B, a[..., None]], dim=-1))
    inverse_B, inverse_a = solved[..., :-1], solved[..., -1]
    shape_step = torch.linalg.solve(C - (B.mT @ inverse_B).sum(0), -c + (B.mT @ inverse_a[..., None]).sum(0)[:, 0])
    return -inverse_a - inverse_B @ shape_step, shape_step


def _result(
    problem: _Problem,
    state: Tensor,
    shape: Tensor,
    distance: Tensor,
    fitted: np.ndarray,
    noise: float,
    settings: FitSettings,
) -> JointFit:
    frames = len(fitted)
    full, residual, weight = np.zeros((frames, 51)), np.full((frames, 21), np.nan), np.zeros((frames, 21))
    full[fitted] = state.numpy()
    residual[fitted] = torch.where(problem.valid > 0, distance * 1e3, torch.nan).numpy()
    weight[fitted] = (problem.valid * _trust(distance, settings.outlier_mm / 1e3)).numpy()
    log.info("fitted %d of %d frames, median joint residual %.2f mm", fitted.sum(), frames, np.nanmedian(residual))
    shapes, open_hand = np.tile(shape.numpy(), (frames, 1)), problem.model.open_hand
    parameters = ManoParameters(full[:, :48], shapes, full[:, 48:], open_hand=open_hand)
    return JointFit(parameters, fitted, residual, weight, noise)

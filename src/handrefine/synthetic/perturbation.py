"""A known error put onto a known truth: the start of every experiment with synthetic data."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import roma
import torch
from jaxtyping import Float
from torch import Tensor

from handrefine.errors import InputError
from handrefine.sequence import ManoParameters

#: (pose_aa, shape, trans_m) of F frames -> their vertices in metres.
Vertices = Callable[[Tensor, Tensor, Tensor], Float[Tensor, "frame vertex 3"]]

#: Where the root finder stops; single precision resolves vertices of a hand within metres to about 1e-4 mm.
TOLERANCE_MM = 2e-4


@dataclass(frozen=True)
class PerturbSettings:
    """Standard deviations of the random directions; only their proportions matter, since all are then rescaled.

    By default rotation, translation and articulation each move the vertices of a hand by about the same amount.
    """

    rotation_rad: float = 0.06
    translation_m: float = 0.003
    articulation_rad: float = 0.1
    shape_share: float = 0.3
    """Vertex error of the one shape perturbation alone, as a share of the whole error."""


@dataclass(frozen=True, eq=False)
class _Direction:
    """One random change of every parameter; a shape change for all frames, the others independent."""

    rotation: Float[np.ndarray, "frame 3"]
    translation: Float[np.ndarray, "frame 3"]
    articulation: Float[np.ndarray, "frame 45"]
    shape: Float[np.ndarray, "10"]


def perturb_annotation(
    model_fn: Vertices,
    parameters: ManoParameters,
    error_mm: float,
    seed: int,
    settings: PerturbSettings | None = None,
    *,
    dtype: torch.dtype = torch.float32,
) -> ManoParameters:
    """Perturbs global rotation, translation, articulation and shape at random to an exact vertex error.

    The mean distance between perturbed and given vertices is `error_mm` at every frame, hence over all, to 1e-3
    mm: first the shape, the same for all frames, is scaled to its share of the error, then every frame's other
    changes by root finding. The rotation is applied after the given one, `R' = exp(w) R`, about MANO's root joint.
    The same seed gives the same perturbation.

    Args:
        model_fn: the hand model; called with tensors of `dtype` on the CPU.
        parameters: the truth; its numbers must be finite.

    Raises:
        InputError: the error is negative or not finite, or the parameters are not finite.
    """
    settings = settings or PerturbSettings()
    _check(parameters, error_mm)
    if error_mm == 0:
        return parameters
    frames = len(parameters.pose_aa)
    direction = _draw(frames, settings, seed)

    def vertices(p: ManoParameters) -> Tensor:
        with torch.no_grad():
            tensors = (torch.as_tensor(x, dtype=dtype) for x in (p.pose_aa, p.shape, p.trans_m))
            return model_fn(*tensors).to("cpu", torch.float64)

    truth = vertices(parameters)

    def error(scale: np.ndarray, shape_scale: float) -> np.ndarray:
        moved = vertices(_moved(parameters, direction, scale, shape_scale))
        return 1e3 * torch.linalg.norm(moved - truth, dim=-1).mean(dim=1).numpy()

    still = np.zeros(frames)
    # The largest error of a frame, not the mean: the shape must leave room for the rest everywhere.
    shape_scale = _solve(
        lambda a: error(still, float(a[0])).max(keepdims=True), error_mm * settings.shape_share, 1
    )
    scale = _solve(lambda a: error(a, float(shape_scale[0])), error_mm, frames)
    return _moved(parameters, direction, scale, float(shape_scale[0]))


def _check(parameters: ManoParameters, error_mm: float) -> None:
    if not (np.isfinite(error_mm) and error_mm >= 0):
        raise InputError("a vertex error is a length", expected="millimetres, 0 or more", found=error_mm)
    for name in ("pose_aa", "shape", "trans_m"):
        bad = np.flatnonzero(~np.isfinite(getattr(parameters, name)).all(axis=1))
        if len(bad):
            raise InputError("MANO parameters are not finite", where=f"frame {bad[0]}: {name}")


def _draw(frames: int, settings: PerturbSettings, seed: int) -> _Direction:
    rng = np.random.default_rng(seed)
    return _Direction(
        settings.rotation_rad * rng.standard_normal((frames, 3)),
        settings.translation_m * rng.standard_normal((frames, 3)),
        settings.articulation_rad * rng.standard_normal((frames, 45)),
        rng.standard_normal(10),
    )


def _moved(p: ManoParameters, direction: _Direction, scale: np.ndarray, shape_scale: float) -> ManoParameters:
    by = scale[:, None]
    old, change = torch.as_tensor(p.pose_aa[:, :3]).double(), torch.as_tensor(by * direction.rotation)
    R = roma.rotvec_to_rotmat(change) @ roma.rotvec_to_rotmat(old)
    pose_aa = np.concatenate(
        [roma.rotmat_to_rotvec(R).numpy(), p.pose_aa[:, 3:] + by * direction.articulation], axis=1
    )
    return replace(
        p,
        pose_aa=pose_aa,
        shape=p.shape + shape_scale * direction.shape,
        trans_m=p.trans_m + by * direction.translation,
    )


def _solve(error: Callable[[np.ndarray], np.ndarray], target: float, count: int) -> np.ndarray:
    """`count` scales at each of which a continuous error that is below its target at 0 meets it.

    False position with the Illinois rule: keeps a bracket like bisection, in a fifth of its evaluations.
    """
    low, high = np.zeros(count), np.ones(count)
    while (short := error(high) < target).any():
        low, high = np.where(short, high, low), np.where(short, 2 * high, high)
        if high.max() > 1e6:
            raise InputError("no perturbation reaches the vertex error", found=f"{target:g} mm")
    below, above = error(low) - target, error(high) - target
    middle, last = high, np.zeros(count)
    for _ in range(60):
        middle = np.where(above > below, low - below * (high - low) / np.maximum(above - below, 1e-300), high)
        gap = error(middle) - target
        if np.abs(gap).max() < TOLERANCE_MM:
            break
        side = np.sign(gap)
        again = np.where(side == last, 0.5, 1.0)  # an end that stays twice loses half its weight
        low, below = np.where(side < 0, middle, low), np.where(side < 0, gap, below * again)
        high, above = np.where(side < 0, high, middle), np.where(side < 0, above * again, gap)
        last = side
    return middle

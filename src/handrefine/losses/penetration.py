"""Fingers, palms and two hands do not pass through each other: overlapping capsules around bones cost."""

from collections.abc import Sequence
from functools import cache
from itertools import combinations

import torch
from jaxtyping import Float, Int
from pydantic import ConfigDict, NonNegativeFloat
from pydantic import dataclasses as typed
from torch import Tensor

from handrefine.hand.capsules import bone_radii
from handrefine.losses.base import Iterate, Residuals, Setup
from handrefine.losses.norms import Squared
from handrefine.sequence import BONES

#: The bone towards a finger's first joint, the first three bones after it: their place in the finger.
_METACARPAL, _PROXIMAL = 0, 1
_THUMB = 0


@typed.dataclass(frozen=True, kw_only=True, config=ConfigDict(extra="forbid"))
class PenetrationConfig:
    """Fingers and hands that pass through each other."""

    weight: NonNegativeFloat = 1e-5
    """Weight in the objective, per square millimetre of depth."""

    def build(self, setup: Setup) -> "PenetrationTerm":
        return PenetrationTerm(setup)


class PenetrationTerm:
    """Penetration of hands by themselves, by each other, and by a hand that stays where it is.

    That hand's bones are as thick as the first refined hand's.
    """

    reads = ("rotation", "translation", "articulation", "shape")
    judges_frames = False

    def __init__(self, setup: Setup) -> None:
        self._radii_m = [bone_radii(hand) for hand in setup.hands]
        self._still: list[Tensor] = []
        if setup.still_joints_world is not None:
            self._still = [setup.still_joints_world.to(self._radii_m[0])]
            self._radii_m.append(self._radii_m[0])

    def residuals(self, iterate: Iterate) -> list[Residuals]:
        """One block, a residual a pair of bones that overlaps, in mm."""
        hands = iterate.model.over_video(iterate.prediction.geometries)
        joints = [*(hand.joints_world for hand in hands), *self._still]
        depth_mm = 1e3 * overlaps_m(joints, self._radii_m)
        return [Residuals(depth_mm[:, None], Squared(), count=float(len(joints[0])))]


def overlaps_m(
    joints_world: Sequence[Float[Tensor, "frame 21 3"]], radii_m: Sequence[Float[Tensor, "20"]]
) -> Float[Tensor, " overlap"]:
    """`r_i + r_j - d_ij` of all pairs of bones at all frames where it is positive.

    d is the distance of two bones' segments. Within a hand bones of different fingers count, without those that
    touch in any hand: the palm's bones among themselves, and a finger's first bone with the palm. Between
    hands all pairs count. A hand whose joints are NaN at a frame takes no part there.

    Differentiable in the joints: the nearest points are constants to the gradient, which is exact, since moving
    them along their bones does not change the distance to first order. Bones that cross exactly have no
    direction to part in, and get no gradient.

    Args:
        joints_world: one tensor a hand, metres, all of the same frames.
        radii_m: one a hand; the capsules' radii in the order of `BONES`.
    """
    ends = torch.tensor(BONES, device=joints_world[0].device)
    segments = torch.cat([joints[:, ends] for joints in joints_world], dim=1)
    radii = torch.cat([r.to(segments) for r in radii_m])
    first, second = _pairs(len(joints_world)).to(segments.device)
    reach = radii[first] + radii[second]
    with torch.no_grad():  # few pairs ever overlap: only those are worth a gradient
        frame, pair = (segment_distance(segments[:, first], segments[:, second]) < reach).nonzero(as_tuple=True)
    return reach[pair] - segment_distance(segments[frame, first[pair]], segments[frame, second[pair]])


def segment_distance(a: Float[Tensor, "*batch 2 3"], b: Float[Tensor, "*batch 2 3"]) -> Float[Tensor, "*batch"]:
    """Distance of two segments (Ericson, "Real-Time Collision Detection", 5.1.9); infinite where one is NaN."""
    known = torch.isfinite(a).all(dim=(-1)).all(dim=-1) & torch.isfinite(b).all(dim=-1).all(dim=-1)
    a, b = (torch.where(known[..., None, None], x, 0.0) for x in (a, b))
    with torch.no_grad():
        s, t = _nearest(a, b)
    gap = torch.lerp(a[..., 0, :], a[..., 1, :], s[..., None]) - torch.lerp(
        b[..., 0, :], b[..., 1, :], t[..., None]
    )
    distance = (gap.square().sum(dim=-1) + 1e-16).sqrt()
    return torch.where(known, distance, torch.inf)


def _nearest(a: Tensor, b: Tensor) -> tuple[Float[Tensor, "*batch"], Float[Tensor, "*batch"]]:
    """Positions in [0, 1] of the nearest points on the two segments."""
    u, v, r = a[..., 1, :] - a[..., 0, :], b[..., 1, :] - b[..., 0, :], a[..., 0, :] - b[..., 0, :]

    def dot(x: Tensor, y: Tensor) -> Tensor:
        return (x * y).sum(dim=-1)

    uu, vv = dot(u, u).clamp(min=1e-12), dot(v, v).clamp(min=1e-12)
    uv, ur, vr = dot(u, v), dot(u, r), dot(v, r)
    determinant = uu * vv - uv.square()
    parallel = determinant < 1e-9 * uu * vv
    s = torch.where(parallel, 0.5, (uv * vr - ur * vv) / determinant.clamp(min=1e-20)).clamp(0, 1)
    t = ((uv * s + vr) / vv).clamp(0, 1)
    return ((uv * t - ur) / uu).clamp(0, 1), t


@cache
def _pairs(n_hands: int) -> Int[Tensor, "2 pair"]:
    """Indices of the bones that may touch and must not pass through each other."""
    n = len(BONES)
    pairs = [
        (i, j)
        for i, j in combinations(range(n * n_hands), 2)
        if i // n != j // n or not _always_touch(i % n, j % n)
    ]
    return torch.tensor(pairs).T


def _always_touch(i: int, j: int) -> bool:
    (finger_i, place_i), (finger_j, place_j) = divmod(i, 4), divmod(j, 4)
    if finger_i == finger_j:
        return True

    def in_palm(finger: int, place: int) -> bool:
        return place == _METACARPAL or (finger == _THUMB and place == _PROXIMAL)

    def near_palm(finger: int, place: int) -> bool:
        return place <= _PROXIMAL or (finger == _THUMB and place == _PROXIMAL + 1)

    return (in_palm(finger_i, place_i) and near_palm(finger_j, place_j)) or (
        in_palm(finger_j, place_j) and near_palm(finger_i, place_i)
    )

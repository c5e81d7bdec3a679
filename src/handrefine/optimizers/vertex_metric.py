"""How far the vertices move when pose and shape change a little: the natural length of an optimiser's step."""

from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass, fields
from itertools import accumulate

import torch
from jaxtyping import Float
from torch import Tensor

from handrefine.mesh import vertex_normals
from handrefine.scene.pose import PoseVariables
from handrefine.scene.variables import GEOMETRY
from handrefine.scene.video_model import VideoHand
from handrefine.state import State


def columns() -> dict[str, slice]:
    """Columns of a frame's variables, in the table's order: the pose's, and the betas where they are its own."""
    ends = list(accumulate(v.shape[0] for v in _SIZED))
    return {v.name: slice(end - v.shape[0], end) for v, end in zip(_SIZED, ends, strict=True)}


#: The geometry whose numbers the table counts; the personal surface's modes are configured.
_SIZED = tuple(v for v in GEOMETRY if v.shape)
#: How many numbers pose and shape have.
N_POSE, N_SHAPE = (sum(v.shape[0] for v in _SIZED if v.owner == owner) for owner in ("frame", "hand"))
#: Change by which vertices are differenced, radians, metres and betas alike; exact to 1e-3 in single precision.
DIFFERENCE = 1e-3
#: So many frames' hands are posed in one call of the hand model, which bounds its memory.
POSED_AT_ONCE = 256


@dataclass(frozen=True, eq=False)
class Motion:
    """A change of all geometric variables, or a gradient with respect to them.

    own: one row a frame. shared: the betas of the one shape, then the personal surface's coefficients; empty where
        every frame has a shape of its own, in the last columns of `own`.
    """

    own: Float[Tensor, "frame own"]
    shared: Float[Tensor, " shared"]

    def scaled(self, factor: Float[Tensor, " problem"]) -> "Motion":
        """One factor for everything, or one a frame."""
        return Motion(self.own * factor[:, None], self.shared * factor if len(self.shared) else self.shared)

    def state(self) -> State:
        return {"own": self.own, "shared": self.shared}

    @staticmethod
    def from_state(state: State, device: torch.device) -> "Motion":
        return Motion(state["own"].to(device), state["shared"].to(device))


@dataclass(frozen=True, eq=False)
class VertexMetric:
    """The quadratic form `G` for which `d^T G d` is the mean squared vertex motion of a small change d, in m^2.

    `G = J^T J / (V F)` with J the Jacobian of all vertices of all frames: blocks of the frames, coupled by the
    shape alone. Without a shared shape every frame is a problem of its own, with `G = J^T J / V`.
    """

    blocks: Float[Tensor, "frame own own"]
    coupling: Float[Tensor, "frame own shared"]
    shared: Float[Tensor, "shared shared"]
    joints: Float[Tensor, "frame 21 3 own"]
    """How the joints, fingertips included, move with each frame's own variables."""

    def state(self) -> State:
        return {f.name: getattr(self, f.name) for f in fields(self)}

    @staticmethod
    def from_state(state: State, device: torch.device) -> "VertexMetric":
        return VertexMetric(**{f.name: state[f.name].to(device) for f in fields(VertexMetric)})

    def motion_m(self, change: Motion) -> Float[Tensor, " problem"]:
        """Root mean square motion of the vertices in metres: one number, or one a frame where alone."""
        own = torch.einsum("fi,fij,fj->f", change.own, self.blocks, change.own)
        if not len(self.shared):
            return own.clamp(min=0).sqrt()
        mixed = torch.einsum("fi,fij,j->", change.own, self.coupling, change.shared)
        squared = own.sum() + 2 * mixed + change.shared @ self.shared @ change.shared
        return squared.clamp(min=0).sqrt()[None]

    def reach_m(self, change: Motion) -> Float[Tensor, " frame"]:
        """The motion of every frame's furthest moving joint in metres, by its own variables."""
        return torch.einsum("fjxi,fi->fjx", self.joints, change.own).norm(dim=2).amax(dim=1)

    def solve(self, gradient: Motion, damping: Motion) -> Motion:
        """`(G + diag(damping))^-1 gradient`, the frames eliminated first (Schur complement)."""
        blocks = self.blocks + torch.diag_embed(damping.own)
        factor = torch.linalg.cholesky(blocks)
        own = torch.cholesky_solve(gradient.own[..., None], factor)[..., 0]
        if not len(self.shared):
            return Motion(own, gradient.shared)
        coupling = torch.cholesky_solve(self.coupling, factor)
        reduced = self.shared + torch.diag(damping.shared) - torch.einsum("fij,fik->jk", self.coupling, coupling)
        right = gradient.shared - torch.einsum("fij,fi->j", self.coupling, own)
        shared = torch.linalg.solve(reduced, right)
        return Motion(own - torch.einsum("fij,j->fi", coupling, shared), shared)


def measure_metric(hands: Sequence[VideoHand]) -> VertexMetric:
    """The metric of one hand, or of hands that share a shape, as they are posed.

    In double precision, by differences of the hand models alone. The frames of several hands follow one another.
    """
    frames = sum(len(hand.pose.translation) for hand in hands)
    alone = hands[0].pose.shape.ndim == 2
    of_verts, of_joints = zip(*map(jacobians, hands), strict=True)
    averaged_over = of_verts[0].shape[1] / 3 * (1 if alone else frames)
    gram = torch.cat([jacobian.mT @ jacobian for jacobian in of_verts]) / averaged_over
    return in_blocks(gram, torch.cat(of_joints), alone=alone)


def in_blocks(
    form: Float[Tensor, "frame variable variable"], joints: Float[Tensor, "frame 21 3 posed"], *, alone: bool
) -> VertexMetric:
    """A quadratic form of every frame's variables and its shape, the shape shared unless frames are alone.

    joints: how they move.
    """
    own = form.shape[1] if alone else N_POSE
    return VertexMetric(
        form[:, :own, :own], form[:, :own, own:], form[:, own:, own:].sum(dim=0), joints[..., :own]
    )


@torch.no_grad()
def jacobians(
    hand: VideoHand,
) -> tuple[Float[Tensor, "frame coordinate variable"], Float[Tensor, "frame 21 3 posed"]]:
    """Derivatives of the vertices' coordinates and of the joints, which have no modes, at every frame.

    A surface's modes move the vertices along their normals; that these turn with the pose is of second order.
    """
    here = hand.geometry()
    n_frames, n = len(here.verts_world), N_POSE + N_SHAPE
    verts, joints = [], []
    for chosen in torch.arange(n).split(max(1, POSED_AT_ONCE // n_frames)):
        moved = hand.with_surface(_moved(hand.pose, chosen.tolist()))
        for of, before, parts in (
            (moved.verts_world, here.verts_world, verts),
            (moved.joints_world, here.joints_world, joints),
        ):
            parts.append((of.unflatten(0, (len(chosen), n_frames)) - before) / DIFFERENCE)
    of_verts = torch.cat(verts).flatten(2).movedim(0, 2).double()
    if hand.surface is not None:
        outwards = vertex_normals(here.verts_world, hand.hand.topology).double()
        modes = outwards[..., None] * hand.surface.basis[:, None].double()
        of_verts = torch.cat([of_verts, modes.flatten(1, 2)], dim=2)
    return of_verts, torch.cat(joints).movedim(0, 3).double()


def _moved(pose: PoseVariables, chosen: Sequence[int]) -> PoseVariables:
    """The pose so many times, each time with one of the columns moved by `DIFFERENCE`."""
    n_frames = len(pose.base_trans_m)
    many = deepcopy(pose)
    for values in (*many.parameters(), *many.buffers()):
        values.data = values.detach().expand(n_frames, -1).repeat(len(chosen), 1)
    for name, columns_of_name in columns().items():
        parameter = getattr(many, name)
        for k, column in enumerate(chosen):
            if columns_of_name.start <= column < columns_of_name.stop:
                parameter[k * n_frames : (k + 1) * n_frames, column - columns_of_name.start] += DIFFERENCE
    return many

"""Gauss-Newton steps of the geometry with Levenberg-Marquardt damping and a test of success."""

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated

import numpy as np
import torch
from annotated_types import Ge, Lt
from jaxtyping import Float
from pydantic import ConfigDict, PositiveFloat, PositiveInt
from pydantic import dataclasses as typed
from torch import Tensor, nn

from handrefine.mesh import MeshTopology, vertex_normals
from handrefine.optimizers.gauss_newton_system import System
from handrefine.optimizers.geometry_vector import GeometryVector, groups
from handrefine.optimizers.information import VertexInformation
from handrefine.optimizers.normal_equations import Absorbed, slipping
from handrefine.optimizers.prior_curvature import Priors
from handrefine.optimizers.vertex_metric import N_POSE, Motion, in_blocks, jacobians
from handrefine.scene.variables import GEOMETRY_NAMES, spreads
from handrefine.scene.video_model import VideoHand, VideoModel
from handrefine.state import State

log = logging.getLogger(__name__)


@typed.dataclass(frozen=True, kw_only=True, config=ConfigDict(extra="forbid"))
class GaussNewtonConfig:
    """Gauss-Newton steps with Levenberg-Marquardt damping."""

    damping: PositiveFloat = 0.03
    """Damping in the vertex metric at the start of a stage, as a share of the mean curvature."""
    least_damping: PositiveFloat = 1e-3
    most_damping: PositiveFloat = 3.0
    worse: Annotated[float, Ge(0)] = 0.02
    """A step after which the objective of the same views has grown by more than this share is taken back."""
    reach_mm: PositiveFloat = 12.0
    """No joint moves further in one step."""
    following: Annotated[float, Ge(0), Lt(1)] = 0.95
    """How far the texture is taken to follow the skin: the share of its information that it takes away."""
    momentum: Annotated[float, Ge(0), Lt(1)] = 0.3
    """Share of the renderer's averaged gradient that is kept from one iteration to the next."""
    refresh: PositiveInt = 2
    """Iterations between two measurements of how the hand's vertices move."""
    damping_mm: PositiveFloat = 0.3
    """Variables whose whole spread moves the vertices by less than this are damped more."""
    spread: Mapping[str, PositiveFloat] = field(default_factory=spreads)
    """How far off each variable of an annotation may be: radians, metres, betas."""


@dataclass(frozen=True, eq=False)
class Evidence:
    """What one iteration knows of the geometry.

    value: of the whole objective. batch: which of the stage's batches of views it is the value of.
    information: of the image terms. priors: of the others.
    renderer_gradient: the parameters hold the whole objective's gradient; else it is that of `information` and
        `priors`.
    """

    value: float
    batch: int
    information: VertexInformation
    priors: Priors
    renderer_gradient: bool


class GaussNewton:
    """`(H + mu h G + D + C - K^T K) d = -g` for all hands, with a test of success one iteration later.

    `H = J^T A J` is the vertex metric with the pictures' information A in place of the identity, `mu h G` the
    damping in the vertex metric G as a share of the mean curvature h, D that of what hardly moves the vertices, C
    the priors' curvature and K what a texture that follows the skin takes away. mu halves with every success.
    Where the objective of the same views has grown, geometry goes back, mu grows, and the step is taken again.

    Args:
        names: of the geometric variables that move.

    Attributes:
        parameters: all of the geometry, in the order of `Evidence.priors`.
        damping: mu.
    """

    def __init__(self, model: VideoModel, names: Iterable[str], config: GaussNewtonConfig) -> None:
        self._config = config
        self.parameters = [p for name in GEOMETRY_NAMES for p in model.parameters_of(name)]
        ends = np.cumsum([0] + [len(hand.pose.translation) * hand.hand.n_vertices for hand in model.hands])
        vertices = {hand: slice(a, b) for hand, a, b in zip(model.hands, ends[:-1], ends[1:], strict=True)}
        self._groups = [
            _Group({hand: vertices[hand] for hand in hands}, tuple(names), config) for hands in groups(model)
        ]
        self.damping = config.damping
        self._values: dict[int, float] = {}
        self._tested: tuple[int, list[Tensor]] | None = None  # batch and geometry before the last step

    @torch.no_grad()
    def step(self, evidence: Evidence, factor: float) -> bool:
        """One step at this share of its length; whether the step before it is kept."""
        config = self._config
        before = self._values.get(evidence.batch)
        grown = before is not None and evidence.value > before * (1 + config.worse)
        took_back = grown and self._tested is not None and self._tested[0] == evidence.batch
        if took_back and self._tested is not None:
            for parameter, old in zip(self.parameters, self._tested[1], strict=True):
                parameter.copy_(old)
            self.damping = min(self.damping * 6, config.most_damping)
        else:
            if before is not None:
                changed = self.damping * (4 if grown else 0.5)
                self.damping = min(max(changed, config.least_damping), config.most_damping)
            self._values[evidence.batch] = evidence.value
            self._tested = (evidence.batch, [p.detach().clone() for p in self.parameters])
            for group in self._groups:
                group.measure(evidence, self.parameters)
        for group in self._groups:
            group.move(self.damping, factor)
        log.debug("value %.5g, damping %.3g%s", evidence.value, self.damping, ", taken back" * took_back)
        return not took_back

    def state(self) -> State:
        """The damping, what the step before is tested by, and every group's system."""
        tested = None if self._tested is None else {"batch": self._tested[0], "geometry": self._tested[1]}
        return {
            "damping": self.damping,
            "values": {str(batch): value for batch, value in self._values.items()},
            "tested": tested,
            "groups": [group.state() for group in self._groups],
        }

    def load_state(self, state: State) -> None:
        """Go on from there."""
        self.damping, tested = state["damping"], state["tested"]
        self._values = {int(batch): value for batch, value in state["values"].items()}
        device = self.parameters[0].device
        self._tested = None if tested is None else (tested["batch"], [p.to(device) for p in tested["geometry"]])
        for group, of in zip(self._groups, state["groups"], strict=True):
            group.load_state(of, device)


class _Group:
    """Hands that share a shape, or one hand: a system of its own."""

    def __init__(
        self, vertices: Mapping[VideoHand, slice], names: tuple[str, ...], config: GaussNewtonConfig
    ) -> None:
        self._config, self._vertices, self._hands = config, vertices, list(vertices)
        self._variables = GeometryVector(self._hands, names)
        self._alone = self._variables.alone
        self._stiffness = self._variables.damping(config.damping_mm / 1000, config.spread, held=np.inf)
        self._age = 0
        self._jacobians: tuple[list[Tensor], Tensor] | None = None
        self._average: Motion | None = None
        self._system: System | None = None

    def measure(self, evidence: Evidence, parameters: Sequence[nn.Parameter]) -> None:
        """Set up the system where the hands are now."""
        if self._jacobians is None or self._age % self._config.refresh == 0:
            of_verts, of_joints = zip(*map(jacobians, self._hands), strict=True)
            self._jacobians = list(of_verts), torch.cat(of_joints)
        self._age += 1
        of_verts, of_joints = self._jacobians
        tensors, forces, skins = self._own(evidence.information)
        share = 1 if self._alone else sum(len(of) for of in of_verts)
        curvature, metric, forced = [], [], []
        for jacobian, tensor, force in zip(of_verts, tensors, forces, strict=True):
            n_frames, _, n = jacobian.shape
            by_vertex = jacobian.reshape(n_frames, -1, 3, n)
            curvature.append(jacobian.mT @ (tensor @ by_vertex).reshape(n_frames, -1, n))
            metric.append(jacobian.mT @ jacobian / (jacobian.shape[1] / 3 * share))
            forced.append((jacobian.mT @ force.reshape(n_frames, -1, 1))[..., 0])
        form, absorbed = torch.cat(curvature), []
        first = 0
        for hand, jacobian, skin in zip(self._hands, of_verts, skins, strict=True):
            frames = slice(first, first + len(jacobian))
            first = frames.stop
            axes = skin_axes(hand.geometry().verts_world, hand.hand.topology)
            rows = slipping(jacobian, skin, axes, self._config.following, alone=self._alone)
            if self._alone:
                form[frames] -= rows.mT @ rows
            else:
                own, of_shape = rows[..., :N_POSE], rows[..., N_POSE:].sum(dim=0)
                absorbed.append(Absorbed(frames, own.float().contiguous(), of_shape.float()))
        gradient = self._gradient(evidence, parameters, torch.cat(forced))
        curvature_of_priors = self._variables.of(dict(zip(parameters, evidence.priors.curvature, strict=True)))
        self._system = System(
            in_blocks(form, of_joints, alone=self._alone),
            in_blocks(torch.cat(metric), of_joints, alone=self._alone),
            gradient,
            curvature_of_priors,
            tuple(absorbed),
        )

    def move(self, damping: float, factor: float) -> None:
        if self._system is None:
            return
        change = self._system.solve(damping, self._stiffness)
        reach_m = self._system.metric.reach_m(change).clamp(min=1e-30)
        held = (self._config.reach_mm / 1000 / reach_m).clamp(max=1) * factor
        shared = change.shared * held.min() if len(change.shared) else change.shared
        self._variables.move(Motion(change.own * held[:, None], shared))

    def _gradient(self, evidence: Evidence, parameters: Sequence[nn.Parameter], forced: Tensor) -> Motion:
        if evidence.renderer_gradient:
            own = self._variables.gradient()
            if self._average is not None:
                keep = self._config.momentum
                own = Motion(
                    keep * self._average.own + (1 - keep) * own.own,
                    keep * self._average.shared + (1 - keep) * own.shared,
                )
            self._average = own
            return own
        of_priors = self._variables.of(dict(zip(parameters, evidence.priors.gradient, strict=True)))
        if self._alone:
            return Motion(forced + of_priors.own, of_priors.shared)
        return Motion(forced[:, :N_POSE] + of_priors.own, forced[:, N_POSE:].sum(dim=0) + of_priors.shared)

    def _own(self, information: VertexInformation) -> tuple[list[Tensor], list[Tensor], list[Tensor]]:
        """Tensors, forces and skin of this group's hands, (frame, vertex, ...)."""
        tensors, forces, skins = [], [], []
        for hand in self._hands:
            rows = self._vertices[hand]
            shape = (len(hand.pose.translation), hand.hand.n_vertices)
            tensors.append(information.tensor[rows].reshape(*shape, 3, 3))
            forces.append(information.gradient[rows].reshape(*shape, 3))
            skins.append(information.skin[rows].reshape(*shape, 3, 3))
        return tensors, forces, skins

    def state(self) -> State:
        average, jacobians, system = self._average, self._jacobians, self._system
        return {
            "age": self._age,
            "average": None if average is None else average.state(),
            "jacobians": None if jacobians is None else {"verts": jacobians[0], "joints": jacobians[1]},
            "system": None if system is None else system.state(),
        }

    def load_state(self, state: State, device: torch.device) -> None:
        average, found, system = state["average"], state["jacobians"], state["system"]
        self._age = state["age"]
        self._average = None if average is None else Motion.from_state(average, device)
        if found is not None:
            self._jacobians = [of.to(device) for of in found["verts"]], found["joints"].to(device)
        self._system = None if system is None else System.from_state(system, device)


def skin_axes(
    verts_world: Float[Tensor, "frame vertex 3"], topology: MeshTopology
) -> Float[Tensor, "frame vertex 3 3"]:
    """Axes that follow the skin at every vertex, in columns: along an edge, across it, along the normal."""
    normal = vertex_normals(verts_world, topology)
    edges, _ = topology.edges
    other = np.zeros(topology.n_vertices, dtype=np.int64)
    other[edges[:, 1]] = edges[:, 0]
    other[edges[:, 0]] = edges[:, 1]
    along = verts_world[:, torch.as_tensor(other, device=verts_world.device)] - verts_world
    along = along - (along * normal).sum(dim=-1, keepdim=True) * normal
    tangent = torch.nn.functional.normalize(along, dim=-1)
    return torch.stack([tangent, torch.linalg.cross(normal, tangent), normal], dim=3).double()

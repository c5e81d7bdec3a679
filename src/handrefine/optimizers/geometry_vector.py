"""The geometric variables of hands that share a shape, as one vector: read, moved, and weighed."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from handrefine.optimizers.vertex_metric import N_POSE, N_SHAPE, Motion, columns
from handrefine.scene.video_model import Unknowns, VideoHand


class GeometryVector:
    """Hands that share a shape, whose frames count like those of one hand.

    Args:
        names: of the variables that move; a surface that is held does not.
    """

    def __init__(self, hands: Sequence[VideoHand], names: Sequence[str]) -> None:
        surface = hands[0].surface
        held = {"surface"} if surface is not None and surface.held else set[str]()
        self._hands, self._columns = hands, columns()
        self._names = tuple(name for name in names if name not in held)
        self.n_frames = sum(len(hand.pose.translation) for hand in hands)

    @property
    def alone(self) -> bool:
        """Every frame has a shape of its own."""
        return self._hands[0].pose.shape.ndim == 2

    def gradient(self) -> Motion:
        """What the parameters hold; 0 where they hold none."""
        parameters = [p for hand in self._hands for p in (*hand.pose.parameters(), *_surface(hand))]
        return self.of({p: torch.zeros_like(p) if p.grad is None else p.grad for p in parameters})

    def of(self, values: Mapping[nn.Parameter, Tensor]) -> Motion:
        """Values of all parameters, in the vector's order and double precision."""
        own = torch.cat(
            [
                torch.cat([values[getattr(hand.pose, name)] for name in self._columns if name != "shape"], dim=1)
                for hand in self._hands
            ]
        ).double()
        first = self._hands[0]
        shape = values[first.pose.shape].double()
        if self.alone:
            return Motion(torch.cat([own, shape], dim=1), shape.new_zeros(0))
        surface = [values[p].double() for p in _surface(first)]
        return Motion(own, torch.cat([shape, *surface]))

    def move(self, change: Motion) -> None:
        """Add a change to the variables that move."""
        first_row = 0
        for hand in self._hands:
            rows = slice(first_row, first_row + len(hand.pose.translation))
            for name in self._names:
                if name == "surface":
                    continue
                parameter = getattr(hand.pose, name)
                if name != "shape" or parameter.ndim == 2:
                    parameter += change.own[rows, self._columns[name]].to(parameter.dtype)
            first_row = rows.stop
        shape, surface = self._hands[0].pose.shape, self._hands[0].surface
        if "shape" in self._names and shape.ndim == 1:
            shape += change.shared[:N_SHAPE].to(shape.dtype)
        if "surface" in self._names and surface is not None:
            surface.coefficients.add_(change.shared[N_SHAPE:].to(shape.dtype))

    def damping(self, damping_m: float, spread: Mapping[str, float], held: float) -> Motion:
        """`(damping_m / spread)^2` of every variable, a frame's share of it; `held` for those that do not move."""
        shape, surface = self._hands[0].pose.shape, self._hands[0].surface
        n_modes = 0 if surface is None else len(surface.coefficients)
        like = {"dtype": torch.float64, "device": shape.device}
        own = torch.full((self.n_frames, N_POSE + N_SHAPE * self.alone), held, **like)
        shared = torch.full((0 if self.alone else N_SHAPE + n_modes,), held, **like)
        for name in self._names:
            damping = (damping_m / spread[name]) ** 2
            if name == "surface":
                if surface is not None:
                    shared[N_SHAPE:] = damping * surface.stiffness.double()
            elif name == "shape" and not self.alone:
                shared[:N_SHAPE] = damping
            else:
                own[:, self._columns[name]] = damping / (1 if self.alone else self.n_frames)
        return Motion(own, shared)


def groups(model: Unknowns) -> list[Sequence[VideoHand]]:
    """Hands that share a shape together."""
    of_shape: dict[int, list[VideoHand]] = {}
    for hand in model.hands:
        of_shape.setdefault(id(hand.pose.shape), []).append(hand)
    return list(of_shape.values())


def _surface(hand: VideoHand) -> list[nn.Parameter]:
    return [] if hand.surface is None else [hand.surface.coefficients]

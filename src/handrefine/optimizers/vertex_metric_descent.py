"""Descent in the vertex metric: steps of a given length in millimetres of vertex motion."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import field
from typing import Annotated

import torch
from annotated_types import Ge, Lt
from pydantic import ConfigDict, PositiveFloat, PositiveInt
from pydantic import dataclasses as typed

from handrefine.optimizers.geometry_vector import GeometryVector, groups
from handrefine.optimizers.vertex_metric import Motion, VertexMetric, measure_metric
from handrefine.scene.variables import spreads
from handrefine.scene.video_model import Unknowns, VideoHand
from handrefine.state import State


@typed.dataclass(frozen=True, kw_only=True, config=ConfigDict(extra="forbid"))
class VertexMetricConfig:
    """Descent in the vertex metric."""

    step_mm: PositiveFloat = 1.5
    """Root mean square motion of the vertices in one step at the full rate, millimetres."""
    reach_mm: PositiveFloat = 4.0
    """A frame whose step would move some joint by more than this, at the full rate, takes a smaller one: else the
    whole step may go into one finger at one frame once everything else has arrived."""
    momentum: Annotated[float, Ge(0), Lt(1)] = 0.7
    """Share of the averaged gradient that is kept from one iteration to the next."""
    refresh: PositiveInt = 10
    """Iterations between two measurements of the metric."""
    damping_mm: PositiveFloat = 0.3
    """Variables whose whole spread moves the vertices by less than this are damped."""
    spread: Mapping[str, PositiveFloat] = field(default_factory=spreads)
    """How far off each variable of an annotation may be: radians, metres, betas."""


class VertexMetricDescent:
    """Descent along `(G + D)^-1 m`, its length prescribed in millimetres of root mean square vertex motion.

    m is the gradient averaged over iterations and G the vertex metric, so that a step means the same for a wrist
    and for a fingertip, which Adam's scaling parameter by parameter cannot know. D damps what hardly moves the
    vertices: variable i by `(damping_mm / spread_i)^2`, where the spread is how far off an annotation may be.

    Args:
        hands: one hand, or hands that share a shape, whose frames count like those of one hand.
    """

    def __init__(self, hands: Sequence[VideoHand], names: Iterable[str], config: VertexMetricConfig) -> None:
        self._hands, self._config = hands, config
        self._variables = GeometryVector(hands, tuple(names))
        self._steps = 0
        self._average: Motion | None = None
        self._metric: VertexMetric | None = None
        # Variables that are not optimised are held by an enormous damping.
        self._damping = self._variables.damping(config.damping_mm / 1000, config.spread, held=1e12)

    @torch.no_grad()
    def step(self, factor: float) -> None:
        if self._metric is None or self._steps % self._config.refresh == 0:
            self._metric = measure_metric(self._hands)
        self._steps += 1
        gradient = self._variables.gradient()
        if self._average is None:
            self._average = Motion(torch.zeros_like(gradient.own), torch.zeros_like(gradient.shared))
        keep = self._config.momentum
        self._average = Motion(
            keep * self._average.own + (1 - keep) * gradient.own,
            keep * self._average.shared + (1 - keep) * gradient.shared,
        )
        direction = self._metric.solve(self._average, self._damping)
        motion_m = self._metric.motion_m(direction)
        step_m = factor * self._config.step_mm / 1000
        change = direction.scaled(torch.where(motion_m > 0, -step_m / motion_m.clamp(min=1e-30), 0.0))
        reach_m = self._metric.reach_m(change).clamp(min=1e-30)
        held = (factor * self._config.reach_mm / 1000 / reach_m).clamp(max=1)
        self._variables.move(Motion(change.own * held[:, None], change.shared))

    def state(self) -> State:
        """The averaged gradient, and the metric until it is measured anew."""
        average, metric = self._average, self._metric
        return {
            "steps": self._steps,
            "average": None if average is None else average.state(),
            "metric": None if metric is None else metric.state(),
        }

    def load_state(self, state: State) -> None:
        """Go on from there."""
        device, average, metric = self._damping.own.device, state["average"], state["metric"]
        self._steps = state["steps"]
        self._average = None if average is None else Motion.from_state(average, device)
        self._metric = None if metric is None else VertexMetric.from_state(metric, device)


def descents(model: Unknowns, names: Iterable[str], config: VertexMetricConfig) -> list[VertexMetricDescent]:
    """One descent for hands that share a shape, else one a hand."""
    return [VertexMetricDescent(hands, list(names), config) for hands in groups(model)]

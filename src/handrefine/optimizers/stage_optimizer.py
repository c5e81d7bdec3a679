"""How a stage's variables are moved: Adam for appearance; for geometry Adam, or descent in the vertex metric."""

import logging
from collections.abc import Iterable, Sequence

import torch
from torch import Tensor, nn

from handrefine.config import MetricConfig, OptimiserConfig, RatesConfig, StageConfig, Variable
from handrefine.optimizers.vertex_metric import N_POSE, N_SHAPE, SLICES, Motion, VertexMetric, measure_metric
from handrefine.scene.video_model import HandVideoModel, VideoHand

log = logging.getLogger(__name__)
GEOMETRY = tuple(SLICES)


class StageOptimiser:
    """Moves the variables of one stage; everything else is frozen."""

    def __init__(
        self, model: HandVideoModel, stage: StageConfig, rates: RatesConfig, config: OptimiserConfig
    ) -> None:
        for parameter in model.parameters():
            parameter.requires_grad_(False)
        self._parameters = [p.requires_grad_(True) for name in stage.variables for p in model.variables(name)]
        names: list[Variable] = list(stage.variables)
        geometry = [name for name in names if name in GEOMETRY]
        self._descents: list[MetricDescent] = []
        if config.geometry == "metric" and geometry:
            self._descents = [MetricDescent(hands, geometry, config.metric) for hands in _by_shape(model)]
            names = [name for name in names if name not in GEOMETRY]
        groups = [
            {"params": list(model.variables(name)), "lr": 0.0, "rate": getattr(rates, name)}
            for name in names
            if name != "texture"
        ]
        self._levels = [
            {"params": [level], "lr": 0.0, "rate": rates.texture}
            for level in (model.variables("texture") if "texture" in names else ())
        ]
        groups += self._levels
        self._adam = torch.optim.Adam(groups, fused=True) if groups else None

    def zero_grad(self) -> None:
        for parameter in self._parameters:
            parameter.grad = None

    def step(self, factor: float) -> None:
        """One step at this share of the full rates."""
        _drop_broken_gradients(self._parameters)
        _calm_faint_texels(self._levels)
        if self._adam is not None:
            for group in self._adam.param_groups:
                group["lr"] = group["rate"] * factor
            self._adam.step()
        for descent in self._descents:
            descent.step(factor)


def _by_shape(model: HandVideoModel) -> list[tuple[VideoHand, ...]]:
    """The hands, together where they have one shape."""
    if len({id(hand.pose.shape) for hand in model.hands}) == 1:
        return [model.hands]
    return [(hand,) for hand in model.hands]


class MetricDescent:
    """Descent along `(G + D)^-1 m`, its length prescribed in millimetres of root mean square vertex motion.

    m is the gradient averaged over iterations and G the vertex metric, so that a step means the same for a wrist
    and for a fingertip, which Adam's scaling parameter by parameter cannot know. D damps what hardly moves the
    vertices: variable i by `(damping_mm / spread_i)^2`, where the spread is how far off an annotation may be.

    Args:
        hands: one hand, or hands that share a shape, whose frames count like those of one hand.
    """

    def __init__(self, hands: Sequence[VideoHand], names: Iterable[str], config: MetricConfig) -> None:
        self._hands, self._names, self._config = hands, tuple(names), config
        self._steps = 0
        self._average: Motion | None = None
        self._metric: VertexMetric | None = None
        self._damping = self._make_damping()

    @torch.no_grad()
    def step(self, factor: float) -> None:
        if self._metric is None or self._steps % self._config.refresh == 0:
            self._metric = measure_metric(self._hands)
        self._steps += 1
        gradient = self._gradient()
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
        self._move(Motion(change.own * held[:, None], change.shared))

    def _gradient(self) -> Motion:
        def of(parameter: nn.Parameter) -> Tensor:
            return (torch.zeros_like(parameter) if parameter.grad is None else parameter.grad).double()

        own = torch.cat(
            [
                torch.cat([of(getattr(hand.pose, name)) for name in SLICES if name != "shape"], dim=1)
                for hand in self._hands
            ]
        )
        shape = of(self._hands[0].pose.shape)
        if shape.ndim == 2:
            return Motion(torch.cat([own, shape], dim=1), shape.new_zeros(0))
        return Motion(own, shape)

    def _move(self, change: Motion) -> None:
        first_row = 0
        for hand in self._hands:
            rows = slice(first_row, first_row + len(hand.pose.translation))
            for name in self._names:
                parameter = getattr(hand.pose, name)
                if name != "shape" or parameter.ndim == 2:
                    parameter += change.own[rows, SLICES[name]].to(parameter.dtype)
            first_row = rows.stop
        shape = self._hands[0].pose.shape
        if "shape" in self._names and shape.ndim == 1:
            shape += change.shared.to(shape.dtype)

    def _make_damping(self) -> Motion:
        """Variables that are not optimised are held by an enormous damping."""
        shape, frames = self._hands[0].pose.shape, sum(len(hand.pose.translation) for hand in self._hands)
        alone = shape.ndim == 2
        like = {"dtype": torch.float64, "device": shape.device}
        own = torch.full((frames, N_POSE + N_SHAPE * alone), 1e12, **like)
        shared = torch.full((0 if alone else N_SHAPE,), 1e12, **like)
        for name in self._names:
            damping = (self._config.damping_mm / 1000 / getattr(self._config, f"{name}_spread")) ** 2
            if name == "shape" and not alone:
                shared[:] = damping
            else:
                own[:, SLICES[name]] = damping / (1 if alone else frames)
        return Motion(own, shared)


def _drop_broken_gradients(parameters: Iterable[Tensor]) -> None:
    """Set non-finite gradients to zero: one degenerate triangle must not end a run, but it is told."""
    for parameter in parameters:
        # The sum is finite where all are, and ten times faster to tell over a million texels.
        if parameter.grad is not None and not torch.isfinite(parameter.grad.sum()):
            log.warning("a gradient was not finite; the affected values keep still for one iteration")
            parameter.grad.nan_to_num_(nan=0.0, posinf=0.0, neginf=0.0)


def _calm_faint_texels(levels: Iterable[dict]) -> None:
    """Let texels that the pictures hardly show take small steps.

    Adam scales every texel's gradient to full steps, also where it is a trace of light reflected between fingers
    or comes from one glancing pixel, and mostly noise. With the level's root mean square gradient added to its
    denominator such a texel follows its coarser levels instead.
    """
    for group in levels:
        (level,) = group["params"]
        if level.grad is not None:
            mean_square = level.grad.square().sum() / level.grad.count_nonzero().clamp(min=1)
            group["eps"] = max(float(mean_square.sqrt()), 1e-30)

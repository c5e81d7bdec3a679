"""How a stage's variables are moved: Adam, and for the geometry whichever optimizer is configured."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import field
from typing import Protocol, runtime_checkable

import torch
from pydantic import ConfigDict
from pydantic import dataclasses as typed
from torch import Tensor

from handrefine.errors import InputError
from handrefine.optimizers.adam import Adam
from handrefine.optimizers.gauss_newton import GaussNewtonConfig
from handrefine.optimizers.vertex_metric_descent import VertexMetricConfig, descents
from handrefine.scene.variables import GEOMETRY_NAMES
from handrefine.scene.video_model import Unknowns
from handrefine.state import State, Stateful


@runtime_checkable
class Optimizer(Stateful, Protocol):
    """Moves its variables by the gradients that their parameters hold. Its state is without the parameters."""

    def step(self, factor: float) -> None:
        """One step at this share of the full rates."""
        ...


@typed.dataclass(frozen=True, kw_only=True, config=ConfigDict(extra="forbid"))
class OptimizerConfig:
    """How the unknowns are moved."""

    geometry: str = "vertex_metric"
    """adam: the paper's rates. vertex_metric: steps of a given length in millimetres of vertex motion.
    gauss_newton: second-order steps, weighed by what the pictures know of every vertex."""
    vertex_metric: VertexMetricConfig = field(default_factory=VertexMetricConfig)
    gauss_newton: GaussNewtonConfig = field(default_factory=GaussNewtonConfig)


#: The optimizer of the geometry that needs more than gradients, see `handrefine.refinement.gauss_newton_stage`.
GAUSS_NEWTON = "gauss_newton"
#: Optimizers of the geometry by name: of a model, the names of its variables, all rates and the settings.
MakeOptimizers = Callable[[Unknowns, Sequence[str], Mapping[str, float], OptimizerConfig], Sequence[Optimizer]]
GEOMETRY_OPTIMIZERS: Mapping[str, MakeOptimizers] = {
    "adam": lambda model, names, rates, config: [Adam(model, names, rates)],
    "vertex_metric": lambda model, names, rates, config: descents(model, names, config.vertex_metric),
}


class StageOptimizer:
    """Moves the variables of one stage; everything else is frozen.

    Args:
        names: of the stage's variables. rates: Adam's, by variable.

    Raises:
        InputError: no optimizer has the configured name.
    """

    def __init__(
        self, model: Unknowns, names: Sequence[str], rates: Mapping[str, float], config: OptimizerConfig
    ) -> None:
        for parameter in model.parameters():
            parameter.requires_grad_(False)
        self._of_variable = {name: [p.requires_grad_(True) for p in model.parameters_of(name)] for name in names}
        geometry = [name for name in names if name in GEOMETRY_NAMES]
        others = [name for name in names if name not in GEOMETRY_NAMES]
        self._optimizers: list[Optimizer] = [Adam(model, others, rates)]
        if geometry:
            self._optimizers += optimizer_of_geometry(config.geometry)(model, geometry, rates, config)

    def zero_grad(self) -> None:
        for parameters in self._of_variable.values():
            for parameter in parameters:
                parameter.grad = None

    def step(self, factor: float) -> list[str]:
        """One step at this share of the full rates; returns the variables whose gradients were not finite.

        Nothing moves where no parameter holds a gradient.
        """
        if all(p.grad is None for of in self._of_variable.values() for p in of):
            return []
        broken = [name for name, of in self._of_variable.items() if drop_broken_gradients(of)]
        for optimizer in self._optimizers:
            optimizer.step(factor)
        return broken

    def state(self) -> State:
        """That of every optimizer, without the parameters."""
        return {"optimizers": [optimizer.state() for optimizer in self._optimizers]}

    def load_state(self, state: State) -> None:
        """Go on from there."""
        for optimizer, of in zip(self._optimizers, state["optimizers"], strict=True):
            optimizer.load_state(of)


def optimizer_of_geometry(name: str) -> MakeOptimizers:
    """The maker of that name.

    Raises:
        InputError: there is none.
    """
    if name not in GEOMETRY_OPTIMIZERS:
        raise InputError(
            f"there is no optimizer {name!r} of the geometry",
            where="optimizer.geometry",
            expected="one of " + ", ".join([*GEOMETRY_OPTIMIZERS, GAUSS_NEWTON]),
        )
    return GEOMETRY_OPTIMIZERS[name]


def drop_broken_gradients(parameters: Iterable[Tensor]) -> bool:
    """Set non-finite gradients to zero, so that the affected values keep still for one iteration.

    One degenerate triangle must not end a run. Returns whether there were any.
    """
    broken = False
    for parameter in parameters:
        # The sum is finite where all are, and ten times faster to tell over a million texels.
        if parameter.grad is not None and not torch.isfinite(parameter.grad.sum()):
            broken = True
            parameter.grad.nan_to_num_(nan=0.0, posinf=0.0, neginf=0.0)
    return broken

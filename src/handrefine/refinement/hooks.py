"""What happens around the iterations of a stage: camera weights, visibility, restarts, and later more."""

from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor

from handrefine.losses.base import Iterate
from handrefine.losses.objective import Objective
from handrefine.observations import Observations
from handrefine.refinement.numerical_safety import NumericalSafety
from handrefine.refinement.problem import Problem
from handrefine.refinement.schedule import StageConfig
from handrefine.render.base import Renderer
from handrefine.state import State, Stateful


@dataclass(frozen=True, eq=False)
class Batch:
    """What one iteration compares: some of the views, the renderer that draws just them, and their objective."""

    observations: Observations
    renderer: Renderer
    objective: Objective


@dataclass(frozen=True, eq=False)
class Stage:
    """One stage as it runs.

    batches: the iterations take them in turn.
    safety: contains what is not finite.
    """

    name: str
    config: StageConfig
    problem: Problem
    batches: tuple[Batch, ...]
    safety: NumericalSafety = field(default_factory=NumericalSafety)


@dataclass(frozen=True, eq=False)
class Iteration:
    """One iteration after its step: what was predicted before it, and every term of the loss.

    number: counts over all stages, from 0; index: within the stage. ended: why it is the stage's last one; None
        where it is not.
    """

    stage: Stage
    number: int
    index: int
    batch: Batch
    iterate: Iterate
    terms: dict[str, Float[Tensor, ""]]
    ended: str | None = None

    @property
    def loss(self) -> float:
        """The sum of the terms."""
        return torch.stack(list(self.terms.values())).sum().item() if self.terms else 0.0


@runtime_checkable
class StageHook(Stateful, Protocol):
    """Told of every stage and iteration, in the order in which hooks are listed.

    Its state between two iterations is part of every checkpoint.
    """

    def stage_begins(self, stage: Stage) -> None: ...

    def iteration_ended(self, iteration: Iteration) -> None: ...

    def stage_ends(self, stage: Stage) -> Problem | None:
        """What has been found may change the problem that the next stages go on with."""
        ...

    def stage_stopped(self, stage: Stage) -> None:
        """The run stops within a stage, and what there is by now becomes its result."""
        ...

    def stage_resumed(self, stage: Stage) -> None:
        """A run goes on within a stage; the hook's state has been loaded."""
        ...


class Hook:
    """A hook that does nothing and has no state: hooks override what they need."""

    def stage_begins(self, stage: Stage) -> None:
        pass

    def iteration_ended(self, iteration: Iteration) -> None:
        pass

    def stage_ends(self, stage: Stage) -> Problem | None:
        pass

    def stage_stopped(self, stage: Stage) -> None:
        pass

    def stage_resumed(self, stage: Stage) -> None:
        pass

    def state(self) -> State:
        return {}

    def load_state(self, state: State) -> None:
        pass

"""The optimization: stages over one model and all its observations, with hooks around their iterations."""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol, runtime_checkable

import torch

from handrefine.losses.base import CameraWeighting, Iterate
from handrefine.optimizers.stage_optimizer import GAUSS_NEWTON, StageOptimizer
from handrefine.refinement.gauss_newton_stage import GaussNewtonStage
from handrefine.refinement.hooks import Iteration, Stage, StageHook
from handrefine.refinement.numerical_safety import NumericalSafety
from handrefine.refinement.pace import Pace
from handrefine.refinement.problem import Problem
from handrefine.refinement.view_batches import batches
from handrefine.refinement.visibility import Visibility
from handrefine.scene.variables import learning_rates
from handrefine.state import State, Stateful

log = logging.getLogger(__name__)
#: Runs with different seeds never share an iteration's random numbers.
SEEDS_PER_RUN = 100_003
#: What has been noted by now, and whether it must be kept, or only if it is time to.
Keep = Callable[[Callable[[], State], bool], None]


@runtime_checkable
class StepsOptimizer(Stateful, Protocol):
    """Moves what a stage moves, by the gradients that parameters hold."""

    def zero_grad(self) -> None: ...

    def step(self, factor: float) -> list[str]:
        """One step at this share of the full rates; returns the variables whose gradients were not finite."""
        ...


@runtime_checkable
class Steps(Stateful, Protocol):
    """Iterates of one stage."""

    def iterate(
        self, index: int, number: int, seen: tuple[CameraWeighting, Sequence], *, seed: int, factor: float
    ) -> Iteration:
        """Predict one batch, compare, and take one step."""
        ...


#: The steps of a stage, which moves its variables at Adam's rates (by variable).
MakeSteps = Callable[[Stage, Mapping[str, float]], Steps]


@dataclass(eq=False)
class _Running:
    """A stage that has begun. index: iterations that it has done."""

    stage: Stage
    steps: Steps
    pace: Pace
    index: int = 0

    def state(self) -> State:
        parts = {"pace": self.pace.state(), "steps": self.steps.state()}
        return {"stage": self.stage.name, "index": self.index, **parts}

    def load_state(self, state: State) -> None:
        self.index = state["index"]
        self.pace.load_state(state["pace"])
        self.steps.load_state(state["steps"])


class Stages:
    """Runs the stages on the problem's model, in place; every iteration draws new random numbers.

    Between two iterations and between two stages its state is that of the whole run.

    Args:
        cameras, visibility: as they are at every iteration; hooks may renew them.
        make_steps: of every stage; as the configuration says when missing.

    Attributes:
        problem: as it is by now: hooks may mend its cameras.
        number: iterations done, over all stages.
        safety: contains what is not finite, and counts it.
    """

    def __init__(
        self,
        problem: Problem,
        cameras: CameraWeighting,
        visibility: Callable[[], Visibility],
        hooks: Sequence[StageHook],
        make_steps: MakeSteps | None = None,
    ) -> None:
        self.problem, self.number, self.safety = problem, 0, NumericalSafety()
        self._cameras, self._visibility, self._hooks = cameras, visibility, hooks
        self._waiting = list(problem.stages)
        self._make_steps = make_steps or own_steps
        self._running: _Running | None = None
        self._iteration: Iteration | None = None

    @property
    def unfinished(self) -> str:
        """How far the run is, in words."""
        where = "between stages" if self._running is None else f"in stage {self._running.stage.name}"
        return f"stopped {where}, after {self.number} iterations"

    def begin(self) -> bool:
        """Begin the next stage, unless one runs; False after the last."""
        if self._running is None and self._waiting:
            self._running = self._made(self._waiting.pop(0))
            for hook in self._hooks:
                hook.stage_begins(self._running.stage)
        return self._running is not None

    def iterate(self) -> None:
        """The next iteration with its step, where the stage is not at its end."""
        running = self._at_work()
        if running.pace.ended is not None:
            return
        seed = self.problem.config.seed * SEEDS_PER_RUN + self.number
        seen = (self._cameras, self._visibility().occluded)
        self.safety.iteration_begins(self.problem.model)
        self._iteration = running.steps.iterate(
            running.index, self.number, seen, seed=seed, factor=running.pace.rate
        )

    def conclude(self) -> bool:
        """What follows a step, or the end of the stage; returns whether it was the end, which must be kept."""
        running, iteration = self._at_work(), self._iteration
        if iteration is None:
            self._end(running)
            return True
        self._iteration = None
        self.safety.iteration_ends(self.number, running.stage.name, running.index % len(running.stage.batches))
        running.pace.advance(iteration.loss)
        running.index, self.number = running.index + 1, self.number + 1
        for hook in self._hooks:
            hook.iteration_ended(replace(iteration, ended=running.pace.ended))
        return False

    def stopped(self) -> None:
        """The run ends here, within a stage."""
        for hook in self._hooks:
            hook.stage_stopped(self._at_work().stage)

    def state(self) -> State:
        """Everything that a later process needs to go on."""
        running = self._running
        return {
            "number": self.number,
            "left_out": dict(self.safety.counts),
            "waiting": self._waiting,
            "within": None if running is None else running.state(),
            "problem": self.problem.state(),
            "hooks": {type(hook).__name__: hook.state() for hook in self._hooks},
        }

    def load_state(self, state: State) -> None:
        """Go on from there, as one that has not begun."""
        self.problem = self.problem.resumed(state["problem"])
        self.number, self._waiting = state["number"], list(state["waiting"])
        self.safety.counts.update(state["left_out"])
        for hook in self._hooks:
            hook.load_state(state["hooks"][type(hook).__name__])
        if (within := state["within"]) is not None:
            self._running = running = self._made(within["stage"])
            running.load_state(within)
            for hook in self._hooks:
                hook.stage_resumed(running.stage)

    def _made(self, name: str) -> _Running:
        problem, config = self.problem, self.problem.stages[name]
        stage = Stage(name, config, problem, batches(problem, config), self.safety)
        return _Running(stage, self._make_steps(stage, _rates(problem)), Pace(config, len(stage.batches)))

    def _at_work(self) -> _Running:
        if self._running is None:
            raise RuntimeError("no stage has begun")
        return self._running

    def _end(self, running: _Running) -> None:
        log.info("stage %s ended %s", running.stage.name, running.pace.ended)
        for hook in self._hooks:
            self.problem = hook.stage_ends(replace(running.stage, problem=self.problem)) or self.problem
        self._running = None


def run_stages(
    videos: Sequence[Stages], state: Callable[[], State], *, stop: Callable[[], bool], keep: Keep
) -> bool:
    """Run all stages to their ends, of several videos in step; False where the run was stopped before.

    Args:
        state: of the whole run, between two iterations.
        stop: asked before every iteration; once it says so, the state is kept and the run stops.
        keep: gets the state between iterations, and must keep it where a stage ends or the run stops.
    """
    while all(video.begin() for video in videos):
        if stop():
            keep(state, True)
            for video in videos:
                video.stopped()
            return False
        for video in videos:
            video.iterate()
        ended = [video.conclude() for video in videos]
        keep(state, any(ended))
    return True


class DescentStage:
    """Iterates of one stage that follow the gradient.

    Args:
        weight: of the objective.
    """

    def __init__(self, stage: Stage, optimizer: StepsOptimizer, weight: float = 1.0) -> None:
        self._stage, self._optimizer, self._weight = stage, optimizer, weight

    def iterate(
        self, index: int, number: int, seen: tuple[CameraWeighting, Sequence], *, seed: int, factor: float
    ) -> Iteration:
        """Predict one batch, compare, and take one step."""
        stage, problem = self._stage, self._stage.problem
        batch, levels = stage.batches[index % len(stage.batches)], stage.config.texture_levels
        prediction = problem.model.predict(batch.renderer, batch.observations, texture_levels=levels, seed=seed)
        prediction = stage.safety.contained(prediction, batch.observations, problem.sequence.frames)
        iterate = Iterate(problem.model, prediction, problem.compare(prediction, batch.observations), *seen)
        terms = stage.safety.finite(batch.objective(iterate))
        self._optimizer.zero_grad()
        if terms:
            (self._weight * torch.stack(list(terms.values())).sum()).backward()
        with stage.safety.solvable("the step of the geometry"):
            stage.safety.note(f"the gradient of {name}" for name in self._optimizer.step(factor))
        return Iteration(stage, number, index, batch, iterate, terms)

    def state(self) -> State:
        """That of its optimizers."""
        return self._optimizer.state()

    def load_state(self, state: State) -> None:
        """Go on from there."""
        self._optimizer.load_state(state)


def own_steps(stage: Stage, rates: Mapping[str, float]) -> Steps:
    """Those of one video, with an optimiser of its own."""
    problem = stage.problem
    if problem.config.optimizer.geometry == GAUSS_NEWTON:
        return GaussNewtonStage(stage, rates)
    return DescentStage(
        stage, StageOptimizer(problem.model, stage.config.variables, rates, problem.config.optimizer)
    )


def _rates(problem: Problem) -> dict[str, float]:
    """Adam's rates: the table's, those of further unknowns, and over both what is configured."""
    further = {m.variable: m.learning_rate for m in problem.model.scene_modules if m.learning_rate is not None}
    return learning_rates() | further | dict(problem.config.learning_rates)

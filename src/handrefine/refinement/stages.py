"""The optimization: stages over one model and all its observations, with hooks around their iterations."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import replace

import torch

from handrefine.losses.base import CameraWeighting, Iterate
from handrefine.optimizers.stage_optimizer import GAUSS_NEWTON, StageOptimizer
from handrefine.refinement.gauss_newton_stage import GaussNewtonStage
from handrefine.refinement.hooks import Iteration, Stage, StageHook
from handrefine.refinement.pace import Pace
from handrefine.refinement.problem import Problem
from handrefine.refinement.view_batches import batches
from handrefine.refinement.visibility import Visibility
from handrefine.scene.variables import learning_rates

log = logging.getLogger(__name__)
#: Runs with different seeds never share an iteration's random numbers.
SEEDS_PER_RUN = 100_003


def run_stages(
    problem: Problem,
    cameras: CameraWeighting,
    visibility: Callable[[], Visibility],
    hooks: Sequence[StageHook],
) -> Problem:
    """Run the stages on the problem's model, in place; every iteration draws new random numbers.

    Returns the problem as it was in the end: hooks may have mended its cameras.

    Args:
        cameras, visibility: as they are at every iteration; hooks may renew them.
    """
    number = 0
    for name, config in problem.stages.items():
        stage = Stage(name, config, problem, batches(problem, config))
        steps = GaussNewtonStage if problem.config.optimizer.geometry == GAUSS_NEWTON else DescentStage
        of_stage = steps(stage, _rates(problem))
        for hook in hooks:
            hook.stage_begins(stage)
        pace, index = Pace(config, len(stage.batches)), 0
        while pace.ended is None:
            seed = problem.config.seed * SEEDS_PER_RUN + number
            seen = (cameras, visibility().occluded)
            iteration = of_stage.iterate(index, number, seen, seed=seed, factor=pace.rate)
            pace.advance(torch.stack(list(iteration.terms.values())).sum().item())
            for hook in hooks:
                hook.iteration_ended(replace(iteration, ended=pace.ended))
            index, number = index + 1, number + 1
        log.info("stage %s ended %s", name, pace.ended)
        for hook in hooks:
            problem = hook.stage_ends(replace(stage, problem=problem)) or problem
    return problem


class DescentStage:
    """Iterates of one stage that follow the gradient.

    Args:
        rates: Adam's, by variable.
    """

    def __init__(self, stage: Stage, rates: dict[str, float]) -> None:
        self._stage = stage
        problem, names = stage.problem, stage.config.variables
        self._optimizer = StageOptimizer(problem.model, names, rates, problem.config.optimizer)

    def iterate(
        self, index: int, number: int, seen: tuple[CameraWeighting, Sequence], *, seed: int, factor: float
    ) -> Iteration:
        """Predict one batch, compare, and take one step."""
        stage, problem = self._stage, self._stage.problem
        batch, levels = stage.batches[index % len(stage.batches)], stage.config.texture_levels
        prediction = problem.model.predict(batch.renderer, batch.observations, texture_levels=levels, seed=seed)
        iterate = Iterate(problem.model, prediction, problem.compare(prediction, batch.observations), *seen)
        terms = batch.objective(iterate)
        self._optimizer.zero_grad()
        torch.stack(list(terms.values())).sum().backward()
        self._optimizer.step(factor)
        return Iteration(stage, number, index, batch, iterate, terms)


def _rates(problem: Problem) -> dict[str, float]:
    """Adam's rates: the table's, those of further unknowns, and over both what is configured."""
    further = {m.variable: m.learning_rate for m in problem.model.scene_modules if m.learning_rate is not None}
    return learning_rates() | further | dict(problem.config.learning_rates)

"""The optimization: stages over one model and all its observations, with hooks around their iterations."""

import math
from collections.abc import Callable, Sequence

import torch

from handrefine.losses.base import CameraWeighting, Iterate
from handrefine.optimizers.stage_optimizer import StageOptimizer
from handrefine.refinement.hooks import Iteration, Stage, StageHook
from handrefine.refinement.problem import Problem
from handrefine.refinement.schedule import StageConfig
from handrefine.refinement.view_batches import batches
from handrefine.refinement.visibility import Visibility
from handrefine.scene.variables import learning_rates

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
        optimizer = StageOptimizer(problem.model, config.variables, _rates(problem), problem.config.optimizer)
        stage = Stage(name, config, problem, batches(problem, config))
        for hook in hooks:
            hook.stage_begins(stage)
        for index in range(config.iterations):
            iteration = _iterate(stage, index, number, optimizer, (cameras, visibility().occluded))
            for hook in hooks:
                hook.iteration_ended(iteration)
            number += 1
        for hook in hooks:
            problem = hook.stage_ends(stage) or problem
    return problem


def _iterate(
    stage: Stage, index: int, number: int, optimizer: StageOptimizer, seen: tuple[CameraWeighting, Sequence]
) -> Iteration:
    """Predict one batch, compare, and take one step."""
    problem = stage.problem
    batch = stage.batches[index % len(stage.batches)]
    prediction = problem.model.predict(
        batch.renderer,
        batch.observations,
        texture_levels=stage.config.texture_levels,
        seed=problem.config.seed * SEEDS_PER_RUN + number,
    )
    cameras, occluded = seen
    iterate = Iterate(
        problem.model, prediction, problem.compare(prediction, batch.observations), cameras, occluded
    )
    terms = batch.objective(iterate)
    optimizer.zero_grad()
    torch.stack(list(terms.values())).sum().backward()
    optimizer.step(rate_factor(index, stage.config))
    return Iteration(stage, number, index, batch, iterate, terms)


def rate_factor(index: int, stage: StageConfig) -> float:
    """A half cosine from `initial_rate` at the first iteration to `final_rate` at the last."""
    progress = index / max(1, stage.iterations - 1)
    return stage.final_rate + (stage.initial_rate - stage.final_rate) * 0.5 * (1 + math.cos(math.pi * progress))


def _rates(problem: Problem) -> dict[str, float]:
    """Adam's rates: the table's, those of further unknowns, and over both what is configured."""
    further = {m.variable: m.learning_rate for m in problem.model.scene_modules if m.learning_rate is not None}
    return learning_rates() | further | dict(problem.config.learning_rates)

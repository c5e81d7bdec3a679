"""The optimisation: stages of Adam over one model and all its observations."""

import dataclasses
import logging
import math
import time
from collections.abc import Callable, Mapping

import torch

from handrefine.config import RatesConfig, StageConfig
from handrefine.hand.model import HandGeometry
from handrefine.progress import Progress, Record
from handrefine.refine.energy import Energy
from handrefine.refine.job import Job
from handrefine.refine.model import HandVideoModel

log = logging.getLogger(__name__)
#: Runs with different seeds never share an iteration's random numbers.
SEEDS_PER_RUN = 100_003
#: Extra figures of a geometry for the log, e.g. its error where a caller knows the truth.
Monitor = Callable[[HandGeometry], Mapping[str, float]]
#: Told of every stage that has run, by its name, while the model still holds that stage's values.
StageEnd = Callable[[str, StageConfig], None]


def optimise(
    job: Job,
    *,
    progress: Progress,
    record: Callable[[Record], None],
    monitor: Monitor | None = None,
    on_stage_end: StageEnd | None = None,
) -> None:
    """Run the schedule's stages on the job's model, in place.

    Every iteration draws new random numbers from the configured seed, and hands one record (`handrefine.progress`)
    with the monitor's figures to `record` and to `progress`.
    """
    model, config = job.model, job.config
    energy = Energy(config.objective, job.observations, job.frames)
    iteration, started = 0, time.perf_counter()
    for field in dataclasses.fields(config.schedule):
        stage: StageConfig = getattr(config.schedule, field.name)
        if stage.iterations == 0:
            continue
        progress.stage(field.name, stage.iterations)
        optimiser = _optimiser(model, stage, config.rates)
        for k in range(stage.iterations):
            _set_rates(optimiser, _rate_factor(k, stage))
            seed = config.seed * SEEDS_PER_RUN + iteration
            prediction = model.predict(
                job.renderer, job.observations, texture_levels=stage.texture_levels, seed=seed
            )
            terms = energy(prediction, model.pose.articulation_aa())
            optimiser.zero_grad()
            loss = torch.stack(list(terms.values())).sum()
            loss.backward()
            _drop_broken_gradients(optimiser)
            optimiser.step()
            entry: Record = {
                "stage": field.name,
                "iteration": iteration,
                "loss": loss.item(),
                "terms": {name: term.item() for name, term in terms.items()},
                "seconds": time.perf_counter() - started,
                **(monitor(prediction.geometry) if monitor is not None else {}),
            }
            record(entry)
            progress.update(entry)
            iteration += 1
        if on_stage_end is not None:
            on_stage_end(field.name, stage)


def _optimiser(model: HandVideoModel, stage: StageConfig, rates: RatesConfig) -> torch.optim.Adam:
    """Adam over the stage's variables, each group at its own rate; everything else is frozen."""
    for parameter in model.parameters():
        parameter.requires_grad_(False)
    groups = []
    for name in stage.variables:
        parameters = [p.requires_grad_(True) for p in model.variables(name)]
        groups.append({"params": parameters, "lr": getattr(rates, name), "rate": getattr(rates, name)})
    return torch.optim.Adam(groups)


def _rate_factor(k: int, stage: StageConfig) -> float:
    """A half cosine from 1 at the first iteration to `final_rate` at the last."""
    progress = k / max(1, stage.iterations - 1)
    return stage.final_rate + (1 - stage.final_rate) * 0.5 * (1 + math.cos(math.pi * progress))


def _set_rates(optimiser: torch.optim.Optimizer, factor: float) -> None:
    for group in optimiser.param_groups:
        group["lr"] = group["rate"] * factor


def _drop_broken_gradients(optimiser: torch.optim.Optimizer) -> None:
    """Set non-finite gradients to zero: one degenerate triangle must not end a run, but it is told."""
    for group in optimiser.param_groups:
        for parameter in group["params"]:
            if parameter.grad is not None and not torch.isfinite(parameter.grad).all():
                log.warning("a gradient was not finite; the affected values keep still for one iteration")
                parameter.grad.nan_to_num_(nan=0.0, posinf=0.0, neginf=0.0)

"""The optimisation: stages over one model and all its observations."""

import logging
import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import torch
from jaxtyping import Float
from torch import Tensor

from handrefine.config import StageConfig, stages_of
from handrefine.hand.model import HandGeometry
from handrefine.losses.energy import Energy
from handrefine.losses.hand_terms import HandTerms, PenetrationTerm
from handrefine.optimizers.stage_optimizer import GEOMETRY, StageOptimiser
from handrefine.progress import Progress, Record
from handrefine.refinement.camera_evidence import CameraTrust
from handrefine.refinement.camera_weights import CameraWeights
from handrefine.refinement.problem import Job
from handrefine.refinement.restart import SecondStart
from handrefine.refinement.view_batches import Batch, batches
from handrefine.refinement.visibility import Sight, look
from handrefine.scene.video_model import Prediction

log = logging.getLogger(__name__)
#: Runs with different seeds never share an iteration's random numbers.
SEEDS_PER_RUN = 100_003
#: Extra figures of a hand's geometry for the log, e.g. its error where a caller knows the truth.
Monitor = Callable[[HandGeometry], Mapping[str, float]]
#: Told of every stage that has run, by its name, while the model still holds that stage's values.
StageEnd = Callable[[str, StageConfig], None]


def optimise(
    job: Job,
    *,
    progress: Progress,
    record: Callable[[Record], None],
    monitors: Sequence[Monitor | None] = (),
    on_stage_end: StageEnd | None = None,
) -> list[CameraTrust]:
    """Run the schedule's stages on the job's model, in place.

    Every iteration draws new random numbers from the configured seed, and hands one record (`handrefine.progress`)
    with the monitors' figures (one for every hand) to `record` and to `progress`. Returns how far each camera was
    believed in the end.
    """
    model, config = job.model, job.config
    cameras = CameraWeights(config.trust, job.observations.camera_names, job.runtime.device)
    weighted_terms = _Terms(job)
    iteration, started = 0, time.perf_counter()
    sight, moved = look(model, job.observations), False
    for name, stage in stages_of(config.schedule):
        progress.stage(name, stage.iterations)
        optimiser = StageOptimiser(model, stage, config.rates, config.optimiser)
        objective = config.objective if stage.edges else replace(config.objective, lambda_edge=0.0)
        looks = [
            (batch, Energy(objective, batch.observations, job.frames, cameras)) for batch in batches(job, stage)
        ]
        if moved:
            sight = look(model, job.observations)
        cameras.visible_share = sight.visible_share
        second_start = _second_start(job, looks, stage) if stage.second_start else None
        for k in range(stage.iterations):
            seed = config.seed * SEEDS_PER_RUN + iteration
            batch, energy = looks[k % len(looks)]
            prediction = model.predict(
                batch.renderer, batch.observations, texture_levels=stage.texture_levels, seed=seed
            )
            terms = weighted_terms(energy, prediction, sight)
            optimiser.zero_grad()
            loss = torch.stack(list(terms.values())).sum()
            loss.backward()
            optimiser.step(_rate_factor(k, stage))
            cameras.watch(prediction, energy.compared(prediction), batch.observations, len(looks))
            entry: Record = {
                "stage": name,
                "iteration": iteration,
                "loss": loss.item(),
                "terms": {term: value.item() for term, value in terms.items()},
                "seconds": time.perf_counter() - started,
                **_monitored(job, prediction, monitors),
            }
            record(entry)
            progress.update(entry)
            iteration += 1
        if second_start is not None:
            log.info("a second start paid at %d frames", second_start.keep_the_better())
        moved = any(variable in GEOMETRY for variable in stage.variables)
        if on_stage_end is not None:
            on_stage_end(name, stage)
    cameras.warn()
    return cameras.trusts


class _Terms:
    """All that is minimised, weighted: what pictures say, what hands can do, and what colours may."""

    def __init__(self, job: Job) -> None:
        self._model, self._config = job.model, job.config.objective
        self._of_hands = HandTerms(self._config, job.hands)
        self._penetration = PenetrationTerm(self._config, job.hands, job.unmodelled_joints_world)

    def __call__(self, energy: Energy, prediction: Prediction, sight: Sight) -> dict[str, Tensor]:
        hands = self._model.hands
        return {
            **energy(prediction, [hand.pose.articulation_aa() for hand in hands]),
            **self._of_hands(hands, sight.hidden),
            **self._penetration(self._model.over_video(prediction.geometries)),
            **self._colour_ridge(energy.counted_pixels(prediction)),
        }

    def _colour_ridge(self, counted_pixels: Float[Tensor, ""]) -> dict[str, Tensor]:
        config = self._config
        if config.colour_ridge_px == 0:
            return {}
        return {"ridge": config.lambda_data * self._model.colour.ridge(counted_pixels, config.colour_ridge_px)}


def _second_start(job: Job, looks: Sequence[tuple[Batch, Energy]], stage: StageConfig) -> SecondStart:
    return SecondStart(
        job.model,
        looks,
        job.frames if job.config.frame_coupling == "joint" else None,
        texture_levels=stage.texture_levels,
        seed=job.config.seed * SEEDS_PER_RUN + SEEDS_PER_RUN - 1,
    )


def _monitored(job: Job, prediction: Prediction, monitors: Sequence[Monitor | None]) -> Record:
    """The monitors' figures; of two hands their means, and each hand's own under its side."""
    figures = {
        hand.side: dict(monitor(geometry))
        for hand, geometry, monitor in zip(job.hands, prediction.geometries, monitors, strict=False)
        if monitor is not None
    }
    if len(figures) < 2:
        return dict(next(iter(figures.values()), {}))
    names = set.intersection(*map(set, figures.values()))
    means = {name: sum(of[name] for of in figures.values()) / len(figures) for name in sorted(names)}
    return means | {"hands": figures}


def _rate_factor(k: int, stage: StageConfig) -> float:
    """A half cosine from `initial_rate` at the first iteration to `final_rate` at the last."""
    progress = k / max(1, stage.iterations - 1)
    return stage.final_rate + (stage.initial_rate - stage.final_rate) * 0.5 * (1 + math.cos(math.pi * progress))

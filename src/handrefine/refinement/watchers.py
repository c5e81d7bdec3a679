"""The hooks of every refinement: what cameras see and how far they are believed, the log, and its progress."""

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from itertools import product

import numpy as np
import torch
from jaxtyping import Float

from handrefine.errors import InputError
from handrefine.hand.model import HandGeometry
from handrefine.progress import Progress, Record
from handrefine.refinement.camera_weights import CameraWeights
from handrefine.refinement.hooks import Hook, Iteration, Stage
from handrefine.refinement.problem import Problem
from handrefine.refinement.visibility import Visibility, measure_visibility
from handrefine.scene.variables import GEOMETRY_NAMES
from handrefine.state import State

log = logging.getLogger(__name__)
#: Extra figures of a hand's geometry for the log, e.g. its error where a caller knows the truth.
Monitor = Callable[[HandGeometry], Mapping[str, float]]


class WatchVisibility(Hook):
    """Measures what the cameras see of the hands: at the start, and after every stage that moved them."""

    def __init__(self, problem: Problem, cameras: CameraWeights) -> None:
        self._cameras, self._device = cameras, problem.runtime.device
        self.now: Visibility = measure_visibility(problem.model, problem.observations)
        self._moved = False

    def stage_begins(self, stage: Stage) -> None:
        if self._moved:
            self.now = measure_visibility(stage.problem.model, stage.problem.observations)
        self._cameras.visible_share = self.now.visible_share

    def stage_ends(self, stage: Stage) -> None:
        self._moved = any(variable in GEOMETRY_NAMES for variable in stage.config.variables)

    def state(self) -> State:
        return {"now": self.now.state(), "moved": self._moved}

    def load_state(self, state: State) -> None:
        self.now, self._moved = Visibility.from_state(state["now"], self._device), state["moved"]


class WatchCameras(Hook):
    """Renews the cameras' weights."""

    def __init__(self, cameras: CameraWeights) -> None:
        self._cameras = cameras

    def iteration_ended(self, iteration: Iteration) -> None:
        iterate, stage = iteration.iterate, iteration.stage
        self._cameras.watch(
            iterate.prediction, iterate.comparison, iteration.batch.observations, len(stage.batches)
        )

    def state(self) -> State:
        return self._cameras.state()

    def load_state(self, state: State) -> None:
        self._cameras.load_state(state)


class RenewLabels(Hook):
    """Crops and labels the images anew after the stages that ask for it."""

    def stage_ends(self, stage: Stage) -> Problem | None:
        """Hands that have left the pictures keep the labels that they have, and are judged by them at the end."""
        if not stage.config.renew_labels:
            return None
        try:
            return stage.problem.observed_anew({})
        except InputError as error:
            log.warning("after stage %s images are not labelled anew: %s", stage.name, error.what)
            return None


class KeepTextures(Hook):
    """Keeps every hand's (first) texture as it was at the end of every stage, by the stage's name."""

    def __init__(self, problem: Problem) -> None:
        self.textures: list[dict[str, Float[np.ndarray, "_ _ 3"]]] = [{} for _ in problem.hands]

    @torch.no_grad()
    def stage_ends(self, stage: Stage) -> None:
        for hand, kept in zip(stage.problem.model.hands, self.textures, strict=True):
            kept[stage.name] = hand.textures(stage.config.texture_levels)[0].cpu().numpy()

    def state(self) -> State:
        return {"textures": self.textures}

    def load_state(self, state: State) -> None:
        for kept, of in zip(self.textures, state["textures"], strict=True):
            kept.update(of)


class WriteLog(Hook):
    """Hands one record (`handrefine.progress`) an iteration to whoever listens, with the monitors' figures.

    Attributes:
        records: all of them. A run that goes on hands out those of the earlier process first.
        earlier_s: seconds that earlier processes took.
    """

    def __init__(
        self, listeners: Sequence[Callable[[Record], None]], monitors: Sequence[Monitor | None], progress: Progress
    ) -> None:
        self._listeners, self._monitors, self._progress = listeners, monitors, progress
        self.records: list[Record] = []
        self.earlier_s, self._started = 0.0, time.perf_counter()

    def stage_begins(self, stage: Stage) -> None:
        self._progress.stage(stage.name, stage.config.iterations)

    def stage_resumed(self, stage: Stage) -> None:
        self.stage_begins(stage)

    def iteration_ended(self, iteration: Iteration) -> None:
        terms = iteration.terms
        record: Record = {
            "stage": iteration.stage.name,
            "iteration": iteration.number,
            "loss": iteration.loss,
            "terms": {term: value.item() for term, value in terms.items()},
            "seconds": self.earlier_s + time.perf_counter() - self._started,
            **({} if iteration.ended is None else {"ended": iteration.ended}),
            **self._monitored(iteration),
        }
        self.records.append(record)
        for listen in (*self._listeners, self._progress.update):
            listen(record)

    def state(self) -> State:
        return {"records": self.records, "seconds": self.earlier_s + time.perf_counter() - self._started}

    def load_state(self, state: State) -> None:
        self.records, self.earlier_s = list(state["records"]), state["seconds"]
        self._progress.resume(len(self.records))
        for record, listen in product(self.records, self._listeners):
            listen(record)

    def _monitored(self, iteration: Iteration) -> Record:
        """The monitors' figures; of several hands their means, and each hand's own under its side."""
        hands, geometries = iteration.stage.problem.hands, iteration.iterate.prediction.geometries
        figures = {
            hand.side: dict(monitor(geometry))
            for hand, geometry, monitor in zip(hands, geometries, self._monitors, strict=True)
            if monitor is not None
        }
        if len(figures) < 2:
            return dict(next(iter(figures.values()), {}))
        names = set.intersection(*map(set, figures.values()))
        means = {name: sum(of[name] for of in figures.values()) / len(figures) for name in sorted(names)}
        return means | {"hands": figures}


class KeepWarnings(Hook):
    """Lets a run that goes on tell what the earlier process warned of.

    Args:
        warnings: messages and how often they came, of this process.
    """

    def __init__(self, warnings: dict[str, int]) -> None:
        self._warnings = warnings

    def state(self) -> State:
        return self._warnings

    def load_state(self, state: State) -> None:
        """What this process has warned of so far, the earlier one has, too."""
        self._warnings.clear()
        self._warnings.update(state)


class KeepRandomNumbers(Hook):
    """The generators that a caller's own terms and variables may draw from; handrefine's are seeded each time."""

    def state(self) -> State:
        kind, words, position, has_gauss, gauss = np.random.get_state(legacy=True)
        legacy = {"words": words, "rest": [position, has_gauss, gauss]}
        return {"torch": torch.get_rng_state(), "numpy": {"kind": kind, **legacy}}

    def load_state(self, state: State) -> None:
        numpy = state["numpy"]
        torch.set_rng_state(state["torch"])
        np.random.set_state((numpy["kind"], numpy["words"], *numpy["rest"]))

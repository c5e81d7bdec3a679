"""Numbers that are not finite cost the view, the frame or the variable in which they stand, for one iteration."""

import logging
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager

import torch
from jaxtyping import Float
from torch import Tensor, nn

from handrefine.errors import InputError
from handrefine.observations import Observations
from handrefine.scene.variables import VARIABLES
from handrefine.scene.video_model import Prediction, VideoModel
from handrefine.sequence import FrameId

log = logging.getLogger(__name__)
#: A run ends where the same thing was not finite so many times running.
MOST_RUNNING = 10
#: What may be large and moves by Adam alone, which keeps finite values finite; copies of it would cost memory.
LARGE = ("texture",)


class NumericalSafety:
    """Contains, counts and tells what is not finite in the iterations of one run.

    Attributes:
        counts: by what was not finite, in how many iterations it was left out.
    """

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self._now: set[str] = set()
        self._running: Counter[tuple[int, str]] = Counter()
        self._kept: list[tuple[str, nn.Parameter, Tensor]] = []

    def note(self, names: Iterable[str]) -> None:
        """Something was not finite in this iteration, and was left out."""
        self._now |= set(names)

    def contained(
        self, prediction: Prediction, observations: Observations, frames: tuple[FrameId, ...]
    ) -> Prediction:
        """The prediction, but where a view has a pixel that is not finite the whole view is as it should be.

        Such a view has neither residuals nor a gradient. Everything else is the prediction itself.
        """
        maps = (prediction.hand_rgb, prediction.coverage[:, None], prediction.by_hand)
        with torch.no_grad():
            if bool(torch.isfinite(torch.stack([of.sum() for of in maps]).sum())):
                return prediction
            broken = ~torch.stack([torch.isfinite(of).all(dim=1) for of in maps]).all(dim=0)
            view_of_pixel = observations.views.view_of_pixel(broken.device)
            views = view_of_pixel[broken].unique()
            away = torch.isin(view_of_pixel, views)[:, None]
            coverage = observations.hand_share[:, None]
            hand_rgb = observations.target - (1 - coverage) * observations.background
            by_hand = coverage.expand_as(prediction.by_hand)
        keys = [observations.keys[k] for k in views.tolist()]
        self.note(f"the picture of camera {camera} at frame {frames[frame]}" for frame, camera in keys)
        return Prediction(
            prediction.geometries,
            torch.where(away, hand_rgb, prediction.hand_rgb),
            torch.where(away, coverage, prediction.coverage[:, None])[:, 0],
            torch.where(away, by_hand, prediction.by_hand),
        )

    def finite(self, terms: Mapping[str, Float[Tensor, ""]]) -> dict[str, Float[Tensor, ""]]:
        """The terms of the loss without those that are not finite."""
        if not terms or bool(torch.isfinite(torch.stack(list(terms.values())).detach().sum())):
            return dict(terms)
        finite = {name: value for name, value in terms.items() if bool(torch.isfinite(value.detach()))}
        self.note(f"the term {name} of the objective" for name in terms if name not in finite)
        return finite

    @contextmanager
    def solvable(self, name: str) -> Iterator[None]:
        """What is solved for in the block is left as it is, where its equations have no one solution."""
        try:
            yield
        except torch.linalg.LinAlgError:  # pyright: ignore[reportPrivateImportUsage]
            self.note([name])

    def iteration_begins(self, model: VideoModel) -> None:
        """Remember what the variables are."""
        self._now = set()
        names = [v.name for v in VARIABLES] + [m.variable for m in model.scene_modules if m.variable]
        self._kept = [
            (name, parameter, parameter.detach().clone())
            for name in dict.fromkeys(names)
            if name not in LARGE
            for parameter in model.parameters_of(name)
        ]

    @torch.no_grad()
    def iteration_ends(self, number: int, stage: str, turn: int) -> None:
        """Values of variables that are not finite go back to what they were; what was left out is counted.

        Args:
            number: of the iteration, over all stages. turn: which batch of the stage's views it looked at.

        Raises:
            InputError: the same thing was not finite too many times running.
        """
        if self._kept and not bool(
            torch.isfinite(torch.stack([of.sum().float() for _, of, _ in self._kept]).sum())
        ):
            for name, parameter, before in self._kept:
                if not bool(torch.isfinite(parameter).all()):
                    parameter.copy_(torch.where(torch.isfinite(parameter), parameter, before))
                    self.note([f"the step of {name}"])
        for key in [key for key in self._running if key[0] == turn and key[1] not in self._now]:
            del self._running[key]
        for name in sorted(self._now):
            self.counts[name] += 1
            self._running[turn, name] += 1
            log.warning("%s was not finite and was left out of that iteration", name)
            if self._running[turn, name] >= MOST_RUNNING:
                raise InputError(
                    "the refinement does not stay finite",
                    where=f"stage {stage}, iteration {number}",
                    found=f"{name}, {MOST_RUNNING} times running",
                    fix="smaller learning_rates or optimizer steps; or leave that camera or frame out",
                )

"""A restart of fingers that may have come to rest in the wrong place."""

import logging
from collections.abc import Iterable, Sequence
from itertools import product

import torch
from jaxtyping import Float
from torch import Tensor

from handrefine.losses.base import Iterate
from handrefine.refinement.camera_weights import CameraWeights
from handrefine.refinement.finger_starts import ALL, FINGERS, PAIRS, Start, bent_otherwise, between_neighbours
from handrefine.refinement.hooks import Batch, Hook, Stage
from handrefine.scene.variables import POSE_NAMES
from handrefine.scene.video_model import VideoHand
from handrefine.state import State

log = logging.getLogger(__name__)
#: A frame stays with its restart if that lowers its misfit by at least this share.
GAIN = 0.02


class Restart(Hook):
    """Fingers begin anew; what that does not explain better goes back to where it was.

    A finger that was led across another one stays there, since its images pull it neither back nor on. If it has
    to bend otherwise, or two fingers to change places, that mostly shows at once: fingers take what lowers the
    misfit of their frame. Where nothing does, the articulation begins again at the annotation, which was not led
    anywhere, or between neighbouring frames, where the finger mostly is where it belongs, finger by finger by the
    misfit again. After the stage each frame keeps the restart or goes back. Everything but the pose must stand
    still.

    Args:
        seed: of the renders that are compared.
    """

    def __init__(self, cameras: CameraWeights, seed: int) -> None:
        self._cameras, self._seed = cameras, seed
        self._misfit_before: Tensor | None = None
        self._before: list[dict[str, Tensor]] = []

    def stage_begins(self, stage: Stage) -> None:
        """Keep the poses and begin again, if the stage asks for it."""
        self._misfit_before = None
        if not stage.config.restart:
            return
        problem = stage.problem
        self._misfit_before = self._misfit(stage, stage.batches)
        poses = [hand.pose for hand in problem.model.hands]
        self._before = [{name: getattr(pose, name).detach().clone() for name in POSE_NAMES} for pose in poses]
        together = problem.config.frame_coupling == "joint"
        for hand, frames in zip(problem.model.hands, problem.frames, strict=True):
            self._start_again(stage, hand, frames if together else ())

    def stage_ends(self, stage: Stage) -> None:
        """Undo the restart at the frames where it has not paid."""
        if self._misfit_before is not None:
            paid = self._keep_the_better(stage, self._misfit_before)
            log.info("a restart paid at %d frames", paid)

    def stage_stopped(self, stage: Stage) -> None:
        """Fingers that are on their way count as not having paid, where they have not yet."""
        self.stage_ends(stage)

    def state(self) -> State:
        """The poses and misfits before the restart, while a stage is within one."""
        return {"misfit_before": self._misfit_before, "before": self._before}

    def load_state(self, state: State) -> None:
        device, misfit = self._cameras.colour.device, state["misfit_before"]
        self._misfit_before = None if misfit is None else misfit.to(device)
        self._before = [{name: of.to(device) for name, of in pose.items()} for pose in state["before"]]

    @torch.no_grad()
    def _start_again(self, stage: Stage, hand: VideoHand, times: Sequence[int]) -> None:
        """Frames that explain their views better at once with some fingers elsewhere begin so.

        The others begin with each finger at the annotation or between its neighbours in time, whichever explains
        the views better.
        """
        articulation = hand.pose.articulation
        found = self._misfit(stage, stage.batches[:1])
        misfit = self._best_of(stage, hand, bent_otherwise(hand), found)
        between = between_neighbours(hand, times) if len(times) > 1 else None
        if between is not None:
            parts = (*FINGERS, *(FINGERS[one] + FINGERS[other] for one, other in PAIRS))
            misfit = self._best_of(stage, hand, product([between], parts), misfit)
        pays, elsewhere = misfit < (1 - GAIN) * found, articulation.clone()
        annotated = articulation.zero_().clone()
        if between is not None:
            starts = [(between, ALL), *product((between, annotated), FINGERS)]
            self._best_of(stage, hand, starts, self._misfit(stage, stage.batches[:1]))
        articulation.copy_(torch.where(pays[hand.present, None], elsewhere, articulation))
        log.info("at %d frames fingers begin elsewhere, which explains them better at once", int(pays.sum()))

    def _best_of(
        self, stage: Stage, hand: VideoHand, starts: Iterable[Start], misfit: Float[Tensor, " frame"]
    ) -> Float[Tensor, " frame"]:
        """Take start after start at the frames whose misfit it lowers; the misfits that are left.

        One batch of views is enough to choose by, whatever the number of cameras.
        """
        articulation = hand.pose.articulation
        for start, angles in starts:
            kept = articulation.clone()
            articulation[:, angles] = start[:, angles]
            tried = self._misfit(stage, stage.batches[:1])
            better = tried < misfit
            articulation.copy_(torch.where(better[hand.present, None], articulation, kept))
            misfit = torch.where(better, tried, misfit)
        return misfit

    @torch.no_grad()
    def _keep_the_better(self, stage: Stage, misfit_before: Float[Tensor, " frame"]) -> int:
        """At how many frames the restart has paid; the others' poses go back."""
        better = self._misfit(stage, stage.batches) < (1 - GAIN) * misfit_before
        for hand, before in zip(stage.problem.model.hands, self._before, strict=True):
            undone = ~better[hand.present]
            for name, values in before.items():
                getattr(hand.pose, name)[undone] = values[undone]
        return int(better.sum())

    @torch.no_grad()
    def _misfit(self, stage: Stage, batches: Sequence[Batch]) -> Float[Tensor, " frame"]:
        """Of every frame of the video, by the views of these batches; always with the same random numbers."""
        model = stage.problem.model
        misfits = []
        for batch in batches:
            prediction = model.predict(
                batch.renderer, batch.observations, texture_levels=stage.config.texture_levels, seed=self._seed
            )
            comparison = stage.problem.compare(prediction, batch.observations)
            iterate = Iterate(model, prediction, comparison, self._cameras)
            misfits.append(batch.objective.by_frame(iterate, model.n_frames))
        return torch.stack(misfits).mean(dim=0)

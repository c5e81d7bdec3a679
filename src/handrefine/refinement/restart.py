"""A restart of fingers that may have come to rest in the wrong place."""

import logging
from collections.abc import Sequence
from itertools import product

import torch
from jaxtyping import Float
from torch import Tensor

from handrefine.losses.base import Iterate
from handrefine.refinement.camera_weights import CameraWeights
from handrefine.refinement.hooks import Batch, Hook, Stage
from handrefine.scene.variables import POSE_NAMES
from handrefine.scene.video_model import VideoHand
from handrefine.state import State

log = logging.getLogger(__name__)
#: A frame stays with its restart if that lowers its misfit by at least this share.
GAIN = 0.02
#: Angles of all fingers, and of one finger each.
ALL = slice(0, 45)
FINGERS = tuple(slice(first, first + 9) for first in range(0, 45, 9))


class Restart(Hook):
    """Fingers begin anew; what that does not explain better goes back to where it was.

    A finger that was led across another one stays there, since its images pull it neither back nor on. At the
    neighbouring frames it mostly is where it belongs, and the annotation was not led anywhere. So the articulation
    of every frame starts again from these, finger by finger from whichever has the lower misfit; after the stage
    each frame keeps the restart or goes back, by the misfit again. Everything but the pose must stand still.

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
        """Each finger at the annotation or between its neighbours in time, whichever explains the views better."""
        pose = hand.pose
        found = pose.articulation_aa()
        annotated = torch.zeros_like(found)
        pose.articulation.copy_(annotated)
        if len(times) < 2:
            return
        time = torch.tensor(times, dtype=found.dtype, device=found.device)
        between = between_neighbours(found, time) - pose.base_articulation
        some = stage.batches[:1]  # enough to choose by, whatever the number of cameras
        misfit = self._misfit(stage, some)
        for start, angles in ((between, ALL), *product((between, annotated), FINGERS)):
            kept = pose.articulation.clone()
            pose.articulation[:, angles] = start[:, angles]
            tried = self._misfit(stage, some)
            better = tried < misfit
            pose.articulation.copy_(torch.where(better[hand.present, None], pose.articulation, kept))
            misfit = torch.where(better, tried, misfit)

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


def between_neighbours(
    values: Float[Tensor, "frame value"], time: Float[Tensor, " frame"]
) -> Float[Tensor, "frame value"]:
    """Each frame as its two neighbours predict it, linear in time; at the ends as the one neighbour is."""
    inner = ((time[1:-1] - time[:-2]) / (time[2:] - time[:-2]))[:, None]
    return torch.cat([values[1:2], (1 - inner) * values[:-2] + inner * values[2:], values[-2:-1]])

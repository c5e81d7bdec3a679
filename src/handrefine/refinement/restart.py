"""A restart of fingers that may have come to rest in the wrong place."""

import logging
from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from handrefine.losses.base import Iterate
from handrefine.refinement.camera_weights import CameraWeights
from handrefine.refinement.hooks import Hook, Stage
from handrefine.scene.pose import PoseVariables
from handrefine.scene.variables import POSE_NAMES
from handrefine.state import State

log = logging.getLogger(__name__)
#: A frame stays with its restart if that lowers its misfit by at least this share.
GAIN = 0.02


class Restart(Hook):
    """Fingers begin anew; what that does not explain better goes back to where it was.

    A finger that was led across another one stays there, since its images pull it neither back nor on. At the
    neighbouring frames it mostly is where it belongs. So the articulation of every frame starts again between its
    neighbours', or at the annotation where there are none; after the stage each frame keeps whichever of the two
    has the lower misfit. Everything but the pose must stand still meanwhile.

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
        self._misfit_before = self._misfit(stage)
        poses = [hand.pose for hand in problem.model.hands]
        self._before = [{name: getattr(pose, name).detach().clone() for name in POSE_NAMES} for pose in poses]
        together = problem.config.frame_coupling == "joint"
        for pose, frames in zip(poses, problem.frames, strict=True):
            _start_again(pose, frames if together else ())

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
    def _keep_the_better(self, stage: Stage, misfit_before: Float[Tensor, " frame"]) -> int:
        """At how many frames the restart has paid; the others' poses go back."""
        better = self._misfit(stage) < (1 - GAIN) * misfit_before
        for hand, before in zip(stage.problem.model.hands, self._before, strict=True):
            undone = ~better[hand.present]
            for name, values in before.items():
                getattr(hand.pose, name)[undone] = values[undone]
        return int(better.sum())

    @torch.no_grad()
    def _misfit(self, stage: Stage) -> Float[Tensor, " frame"]:
        """Of every frame of the video, by all views; always with the same random numbers."""
        model = stage.problem.model
        misfits = []
        for batch in stage.batches:
            prediction = model.predict(
                batch.renderer, batch.observations, texture_levels=stage.config.texture_levels, seed=self._seed
            )
            comparison = stage.problem.compare(prediction, batch.observations)
            iterate = Iterate(model, prediction, comparison, self._cameras)
            misfits.append(batch.objective.by_frame(iterate, model.n_frames))
        return torch.stack(misfits).mean(dim=0)


@torch.no_grad()
def _start_again(pose: PoseVariables, times: Sequence[int]) -> None:
    if len(times) < 2:
        pose.articulation.zero_()
        return
    time = torch.tensor(times, dtype=pose.articulation.dtype, device=pose.articulation.device)
    pose.articulation.copy_(between_neighbours(pose.articulation_aa(), time) - pose.base_articulation)


def between_neighbours(
    values: Float[Tensor, "frame value"], time: Float[Tensor, " frame"]
) -> Float[Tensor, "frame value"]:
    """Each frame as its two neighbours predict it, linear in time; at the ends as the one neighbour is."""
    inner = ((time[1:-1] - time[:-2]) / (time[2:] - time[:-2]))[:, None]
    return torch.cat([values[1:2], (1 - inner) * values[:-2] + inner * values[2:], values[-2:-1]])

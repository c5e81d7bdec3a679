"""A second start for fingers that may have come to rest in the wrong place."""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from handrefine.losses.energy import Energy
from handrefine.refinement.view_batches import Batch
from handrefine.scene.pose import PoseVariables
from handrefine.scene.video_model import HandVideoModel

#: A frame stays with its second start if that lowers its misfit by at least this share.
GAIN = 0.02
_MOVED = ("rotation", "translation", "articulation")


class SecondStart:
    """Fingers begin anew; what that does not explain better goes back to where it was.

    A finger that was led across another one stays there, since its images pull it neither back nor on. At the
    neighbouring frames it mostly is where it belongs. So the articulation of every frame starts again between
    its neighbours', or at the annotation where there are none; after some iterations each frame keeps whichever
    of the two has the lower misfit. Everything but the pose must stand still meanwhile.

    Args:
        looks: batches that together hold all views, and their energies.
        times: of every hand, the dataset's frame numbers of its frames; None where frames are independent.
        texture_levels, seed: of the pictures that are compared.
    """

    def __init__(
        self,
        model: HandVideoModel,
        looks: Sequence[tuple[Batch, Energy]],
        times: Sequence[Sequence[int]] | None,
        *,
        texture_levels: int,
        seed: int,
    ) -> None:
        self._model, self._looks = model, looks
        self._levels, self._seed = texture_levels, seed
        self._misfit_before = self._misfit()
        poses = [hand.pose for hand in model.hands]
        self._before = [{name: getattr(pose, name).detach().clone() for name in _MOVED} for pose in poses]
        for k, pose in enumerate(poses):
            _start_again(pose, None if times is None else times[k])

    @torch.no_grad()
    def keep_the_better(self) -> int:
        """Undo the second start at the frames where it has not paid; returns at how many it has."""
        better = self._misfit() < (1 - GAIN) * self._misfit_before
        for hand, before in zip(self._model.hands, self._before, strict=True):
            undone = ~better[hand.present]
            for name, values in before.items():
                getattr(hand.pose, name)[undone] = values[undone]
        return int(better.sum())

    @torch.no_grad()
    def _misfit(self) -> Float[Tensor, " frame"]:
        """Of every frame of the video, by all views; always with the same random numbers."""
        misfits = [
            energy.by_frame(
                self._model.predict(
                    batch.renderer, batch.observations, texture_levels=self._levels, seed=self._seed
                ),
                len(self._model.hands[0].present),
            )
            for batch, energy in self._looks
        ]
        return torch.stack(misfits).mean(dim=0)


@torch.no_grad()
def _start_again(pose: PoseVariables, times: Sequence[int] | None) -> None:
    if times is None or len(times) < 2:
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

"""A result before cameras that the fit never saw: their images, and renders of the hands before and after."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from handrefine.errors import InputError
from handrefine.hand.model import HandGeometry
from handrefine.observations import Observations
from handrefine.preprocess.observations import observe
from handrefine.preprocess.things_in_scene import things_in_scene
from handrefine.render.base import FINAL_SEED, HandSurface, final
from handrefine.render.mitsuba.runtime import start_mitsuba
from handrefine.render.registry import create_renderer
from handrefine.runs.result import HandResult, RunResult
from handrefine.scene.missing_hands import with_grains
from handrefine.sequence import FrameId, FrameIndex, HandSequence
from handrefine.views import ViewSet

Moment = Literal["before", "after"]


@dataclass(frozen=True, eq=False)
class HandRender:
    """One hand at one end of the refinement, view by view.

    hand_rgb: of all hands over black, before any camera's colours. coverage: by all hands; own: by this hand.
    """

    hand_rgb: list[Float[Tensor, "_ _ 3"]]
    coverage: list[Float[Tensor, "_ _"]]
    own: list[Float[Tensor, "_ _"]]


class HeldOutScene:
    """The hands of a result, posed at the frames of the video by the other cameras.

    Attributes:
        frames: those at which some hand was refined, in the video's order.
        seen: the images of the other cameras around the hands as they were annotated.

    Raises:
        InputError: a refined frame is not one of this video's, no camera sees a hand, or an image is broken.
    """

    def __init__(self, result: RunResult, held_out: HandSequence) -> None:
        self._result = result
        self._runtime = start_mitsuba(result.config.render.variant)
        self.frames = _union_of_frames(result.hands, held_out)
        self._rows = [_rows(hand, self.frames) for hand in result.hands]
        indices = [FrameIndex(held_out.frames.index(frame)) for frame in self.frames]
        video = held_out.with_frames(indices)
        self.seen: Observations = observe(
            video,
            self._geometries("before"),
            self._unmodelled_joints(),
            result.config.labels,
            result.config.crop,
            self._runtime.device,
        )
        skin = torch.as_tensor(np.stack([of.textures.mean(axis=(0, 1, 2)) for of in result.hands]).mean(axis=0))
        self._things, _ = things_in_scene(video, self._geometries("before"), self.seen, skin, result.config)

    def row(self, index: int, frame: int) -> int:
        """The row of a hand's own arrays at a frame of the video."""
        return int(self._rows[index][frame])

    def views_around(self, index: int) -> list[int]:
        """Which of the views seen surround a hand."""
        around = self.seen.hand_of_view
        return [k for k in range(len(self.seen.views)) if around is None or around[k] == index]

    @torch.no_grad()
    def render(self, index: int, views: Sequence[int]) -> dict[Moment, HandRender]:
        """Renders of some of the views, in the light and textures that were found."""
        config, device = self._result.config, self._runtime.device
        chosen = ViewSet(tuple(self.seen.views.views[k] for k in views))
        topologies = [hand.topology for hand in self._result.hands]
        renderer = create_renderer(topologies, chosen, final(config.render), things=self._things)
        environment = torch.as_tensor(self._result.environment).to(device)
        renders: dict[Moment, HandRender] = {}
        for moment in ("before", "after"):
            surfaces = [
                HandSurface(verts_world.to(device), self._textures(k).to(device))
                for k, verts_world in enumerate(with_grains(self._geometries(moment)))
            ]
            rendering = renderer.render(surfaces, environment, seed=FINAL_SEED)
            renders[moment] = HandRender(
                chosen.split(rendering.rgb),
                chosen.split(rendering.coverage.sum(dim=1)),
                chosen.split(rendering.coverage[:, index]),
            )
        return renders

    def _geometries(self, moment: Moment) -> list[HandGeometry]:
        """Every hand at all frames of the video; NaN where it is missing."""
        geometries = []
        for hand, rows in zip(self._result.hands, self._rows, strict=True):
            state = hand.before if moment == "before" else hand.after
            geometries.append(HandGeometry(_spread(state.verts_world, rows), _spread(state.joints_world, rows)))
        return geometries

    def _textures(self, index: int) -> Float[Tensor, "texture_frame height width 3"]:
        """One for the video, or one a frame of the video."""
        textures = torch.as_tensor(self._result.hands[index].textures)
        return textures if len(textures) == 1 else textures[np.maximum(self._rows[index], 0)]

    def _unmodelled_joints(self) -> Float[Tensor, "frame 21 3"] | None:
        """Joints of a hand that is there without being refined: seen at frames at which one hand alone was."""
        joints, present = None, np.stack([rows >= 0 for rows in self._rows])
        for hand, rows in zip(self._result.hands, self._rows, strict=True):
            alone = (rows >= 0) & (present.sum(axis=0) == 1)
            if hand.other_joints_world is not None and alone.any():
                others = _spread(hand.other_joints_world, rows)
                nothing = torch.full_like(others, torch.nan) if joints is None else joints
                joints = torch.where(torch.as_tensor(alone)[:, None, None], others, nothing)
        return joints


def _union_of_frames(hands: Sequence[HandResult], video: HandSequence) -> list[FrameId]:
    refined = {frame for hand in hands for frame in hand.frames}
    if missing := sorted(refined - set(video.frames)):
        raise InputError(
            "the video lacks frames that were refined",
            where=video.name,
            expected=", ".join(map(str, sorted(refined))),
            found="no " + ", ".join(map(str, missing)),
            fix="give the dataset that was refined",
        )
    return [frame for frame in video.frames if frame in refined]


def _rows(hand: HandResult, frames: Sequence[FrameId]) -> Int[np.ndarray, " frame"]:
    """For every frame of the video the hand's own row, or -1 where it is missing."""
    return np.array([hand.frames.index(frame) if frame in hand.frames else -1 for frame in frames])


def _spread(
    values: Float[np.ndarray, "row *more"], rows: Int[np.ndarray, " frame"]
) -> Float[Tensor, "frame *more"]:
    spread = torch.as_tensor(values[np.maximum(rows, 0)]).float()
    spread[torch.as_tensor(rows < 0)] = torch.nan
    return spread

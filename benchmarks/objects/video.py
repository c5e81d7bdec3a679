"""A synthetic video with a held thing, and the same without; which vertices some camera sees beside the thing."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from jaxtyping import Bool

from handrefine import regions
from handrefine.config import Config
from handrefine.hand.model import HandModel, load_hand_model
from handrefine.render.mitsuba.runtime import start_mitsuba
from handrefine.sequence import FrameIndex, ViewKey
from handrefine.synthetic.truth import SyntheticSettings, SyntheticTruth, make_truths
from handrefine.synthetic.video_images import SyntheticImages, render_images

Pictures = Literal["without", "with"]


@dataclass(frozen=True, eq=False)
class Filmed:
    """A true video.

    taken: its images without the thing and with it.
    seen: vertices at a corner of a triangle that some camera sees, in a pixel that does not show the thing.
    hidden_px: share of the hand's pixels that the thing hides.
    """

    hand: HandModel
    truth: SyntheticTruth
    taken: Mapping[Pictures, SyntheticImages]
    seen: Bool[np.ndarray, "frame vertex"]
    hidden_px: float

    @property
    def objects(self) -> Mapping[ViewKey, Bool[np.ndarray, "_ _"]]:
        return self.taken["with"].objects

    @property
    def hidden_vertices(self) -> float:
        return float(1 - self.seen.mean())


def film(settings: SyntheticSettings, config: Config) -> Filmed:
    """Render the video with its thing, and without."""
    runtime, hand = start_mitsuba(config.render.variant), load_hand_model("right")
    (truth,) = make_truths([hand], [hand.default_skin()], settings)
    taken: dict[Pictures, SyntheticImages] = {
        "without": render_images([hand], [truth], replace(settings, held="none"), config, runtime.device),
        "with": render_images([hand], [truth], settings, config, runtime.device),
    }
    shown = {how: sum(int(mask.sum()) for mask in of.masks.values()) for how, of in taken.items()}
    seen = np.stack([_seen(hand, truth, frame, taken["with"].objects) for frame in range(len(truth.frames))])
    return Filmed(hand, truth, taken, seen, 1 - shown["with"] / shown["without"])


def _seen(
    hand: HandModel, truth: SyntheticTruth, frame: int, objects: Mapping[ViewKey, Bool[np.ndarray, "_ _"]]
) -> Bool[np.ndarray, " vertex"]:
    from handrefine.render.mitsuba.visibility import visible_triangle_area

    verts, faces = truth.verts_world[frame], hand.topology.faces
    cameras = [camera.at(truth.frames[frame]) for camera in truth.cameras.values()]
    shown = visible_triangle_area(verts, faces, cameras) > 0
    middles = verts[faces].mean(axis=1)
    for k, (name, camera) in enumerate(zip(truth.cameras, cameras, strict=True)):
        shown[k] &= regions.values_at(~objects[FrameIndex(frame), name], camera.pixels(middles), False)
    seen = np.zeros(len(verts), bool)
    seen[faces[shown.any(axis=0)]] = True
    return seen

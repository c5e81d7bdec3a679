"""Choosing the cameras of a sequence that see most of the annotated hand."""

import logging
from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float

from handrefine.config import Config
from handrefine.errors import InputError
from handrefine.preprocess.initialization import initialize
from handrefine.render.mitsuba.runtime import start_mitsuba
from handrefine.sequence import HandSequence, Side

log = logging.getLogger(__name__)
AUTO = "auto:"


def automatic_count(option: str) -> int | None:
    """N of the option `auto:N`; None for anything else, which is names of cameras.

    Raises:
        InputError: N is no number.
    """
    if not option.startswith(AUTO):
        return None
    count = option.removeprefix(AUTO)
    if not (count.isascii() and count.isdecimal()):
        raise InputError(
            "no such number of cameras can be chosen", where=f"cameras {option}", expected="auto:N", found=count
        )
    return int(count)


def select_cameras(
    visible_area: Float[np.ndarray, "frame camera"], names: Sequence[str], n: int
) -> tuple[str, ...]:
    """The `n` cameras with the largest mean visible hand area, largest first.

    visible_area: area of the hand's surface that camera c sees at frame t, in any one unit; NaN for a missing
        view, which is left out of the mean. Cameras without any view come last; equal ones keep their order.

    Raises:
        InputError: more cameras are asked for than there are, or none.
    """
    if not 1 <= n <= len(names):
        raise InputError(
            "no such number of cameras can be chosen", where="cameras", expected=f"1 to {len(names)}", found=n
        )
    seen = np.isfinite(visible_area)
    total = np.where(seen, visible_area, 0.0).sum(axis=0)
    mean = np.where(seen.any(axis=0), total / np.maximum(seen.sum(axis=0), 1), -np.inf)
    order = np.argsort(-mean, kind="stable")[:n]
    return tuple(str(names[int(k)]) for k in order)


def cameras_that_see_most(
    sequence: HandSequence, hands: Side | Sequence[Side], n: int, config: Config | None = None
) -> tuple[str, ...]:
    """The `n` cameras with the largest visible area of the annotated hand or hands, averaged over their images.

    Visibility is ray-traced on the annotation, errors and all, and counts a hand's own occlusion only.

    Raises:
        InputError: a hand is not annotated, or there are fewer cameras.
    """
    config = Config() if config is None else config
    start_mitsuba(config.render.variant)
    names = list(sequence.cameras)
    if not 1 <= n <= len(names):
        return select_cameras(np.zeros((0, len(names))), names, n)  # refuses it
    sides: list[Side] = [hands] if isinstance(hands, str) else list(hands)
    areas_mm2 = [_visible_areas_mm2(sequence, side, config) for side in sides]
    chosen = select_cameras(np.concatenate(areas_mm2), names, n)
    log.info("cameras that see most of the %s hand: %s", " and ".join(sides), ", ".join(chosen))
    return chosen


def _visible_areas_mm2(sequence: HandSequence, side: Side, config: Config) -> Float[np.ndarray, "frame camera"]:
    """NaN where an image is missing."""
    from handrefine.render.mitsuba.visibility import visible_area_mm2

    annotated = initialize(sequence, side, config.hand)
    mano, faces = annotated.parameters, annotated.hand.topology.faces
    tensors = (torch.as_tensor(v, dtype=torch.float32) for v in (mano.pose_aa, mano.shape, mano.trans_m))
    with torch.no_grad():
        verts_world = annotated.hand(*tensors, flat_hand_mean=mano.flat_hand_mean).verts_world.numpy()
    cameras = sequence.cameras
    frames = [sequence.frames[k] for k in annotated.frame_indices]
    area_mm2 = np.stack(
        [
            visible_area_mm2(verts, faces, [camera.at(frame) for camera in cameras.values()])
            for verts, frame in zip(verts_world, frames, strict=True)
        ]
    )
    missing = [[(k, name) not in sequence.images for name in cameras] for k in annotated.frame_indices]
    return np.where(missing, np.nan, area_mm2)

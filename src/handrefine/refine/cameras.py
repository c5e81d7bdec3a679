"""Choosing the cameras of a sequence that see most of the annotated hand."""

import logging

import numpy as np
import torch

from handrefine.config import Config
from handrefine.errors import InputError
from handrefine.evaluate.cameras import select_cameras
from handrefine.refine.start import find_start
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


def cameras_that_see_most(
    sequence: HandSequence, side: Side, n: int, config: Config | None = None
) -> tuple[str, ...]:
    """The `n` cameras with the largest visible area of the annotated hand, averaged over their images.

    Visibility is ray-traced on the annotation, errors and all, and counts the hand's own occlusion only.

    Raises:
        InputError: the hand is not annotated, or there are fewer cameras.
    """
    config = Config() if config is None else config
    start_mitsuba(config.render.variant)
    from handrefine.render.mitsuba.visibility import visible_area_mm2

    names = list(sequence.cameras)
    if not 1 <= n <= len(names):
        return select_cameras(np.zeros((0, len(names))), names, n)  # refuses it
    start = find_start(sequence, side, config.hand)
    mano = start.parameters
    tensors = (torch.as_tensor(v, dtype=torch.float32) for v in (mano.pose_aa, mano.shape, mano.trans_m))
    with torch.no_grad():
        verts_world = start.hand(*tensors, flat_hand_mean=mano.flat_hand_mean).verts_world.numpy()
    cameras = list(sequence.cameras.values())
    area_mm2 = np.stack([visible_area_mm2(verts, start.hand.topology.faces, cameras) for verts in verts_world])
    missing = [[(frame, name) not in sequence.images for name in names] for frame in start.frame_indices]
    chosen = select_cameras(np.where(missing, np.nan, area_mm2), names, n)
    log.info("cameras that see most of the %s hand: %s", side, ", ".join(chosen))
    return chosen

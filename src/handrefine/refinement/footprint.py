"""How much memory a refinement will take: estimated before the first iteration, from what it will look at."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import torch

from handrefine.config import Config
from handrefine.errors import InputError
from handrefine.hand.model import HandGeometry
from handrefine.preprocess.crops import window_around
from handrefine.refinement.machine_memory import machine_memory
from handrefine.sequence import HandSequence

log = logging.getLogger(__name__)
GIB = 2**30
#: Of the program and its libraries; of a view's pixel, with its labels, its copies in the batches and what is
#: rendered of it; of a texel. Rounded up from peaks of runs on the CPU: 0.72 GiB with 8 views of 2500 px and a
#: small texture, 1.18 GiB with 24 views of 22,000 px and a texture of 1024 x 1024.
BASE_BYTES, BYTES_PER_PIXEL, BYTES_PER_TEXEL = 0.8 * GIB, 900, 150


@dataclass(frozen=True)
class Footprint:
    """What decides how much memory is needed: views and their pixels, and texels of all textures."""

    n_views: int
    n_pixels: int
    n_texels: int

    @property
    def bytes(self) -> float:
        return BASE_BYTES + BYTES_PER_PIXEL * self.n_pixels + BYTES_PER_TEXEL * self.n_texels

    def __str__(self) -> str:
        return (
            f"about {self.bytes / GIB:.1f} GiB, for {self.n_views} views with {self.n_pixels} px and"
            f" {self.n_texels} texels"
        )


def footprint(sequence: HandSequence, hands: Sequence[HandGeometry], config: Config) -> Footprint:
    """Of a video whose hands stand there at all its frames; NaN where one is missing."""
    windows = [
        window.camera
        for hand, position, (name, camera) in product(hands, sequence.positions, sequence.cameras.items())
        if (position, name) in sequence.images and bool(torch.isfinite(hand.joints_world[position]).all())
        if (window := window_around(hand.verts_world[position], camera, config.crop)) is not None
    ]
    textures = len(hands) * (len(sequence.frames) if config.frame_coupling == "independent" else 1)
    return Footprint(
        len(windows), sum(camera.width * camera.height for camera in windows), textures * config.texture.size**2
    )


def refuse_beyond_budget(needed: Footprint, budget_gib: float | None) -> None:
    """Without a budget, what the machine has is the budget; more than it has free just now is only told.

    Raises:
        InputError: the budget does not suffice.
    """
    fix = "fewer cameras (--cameras) or frames, a smaller crop.max_size_px or texture.size"
    if budget_gib is not None:
        most, where = budget_gib * GIB, "--memory"
    elif (memory := machine_memory()) is None:
        return
    elif needed.bytes > memory.whole:
        most, where = memory.whole, "the machine, or what this process may take of it"
        fix += "; or insist, with a larger --memory"
    else:
        if needed.bytes > memory.free:
            free = f"{memory.free / GIB:.1f} GiB are free"
            log.warning("the memory may not suffice: %s, %s; fix: %s", needed, free, fix)
        return
    if needed.bytes > most:
        raise InputError(
            "the refinement needs more memory than it may take",
            where=where,
            expected=f"at most {most / GIB:.3g} GiB",
            found=str(needed),
            fix=fix,
        )

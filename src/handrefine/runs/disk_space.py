"""Is there space for a run's files? Asked before the first iteration."""

import shutil
from pathlib import Path

from handrefine.config import Config
from handrefine.errors import InputError
from handrefine.sequence import HandSequence

MIB = 2**20
#: Of a view's pixel, in all images of it, should none of them compress (measured: a third of it); of a texel,
#: in the textures of all stages; and of everything else.
BYTES_PER_PIXEL, BYTES_PER_TEXEL, BASE_BYTES = 40, 40, 20 * MIB


def refuse_full_disk(folder: Path, sequence: HandSequence, n_hands: int, config: Config) -> None:
    """Raises:
    InputError: less is free than the files of a run may take.
    """
    largest = config.crop.max_size_px**2
    sizes = [
        min(sequence.cameras[name].width * sequence.cameras[name].height, largest) for _, name in sequence.images
    ]
    textures = len(sequence.frames) if config.frame_coupling == "independent" else 1
    texels = textures * config.texture.size**2
    needed = BASE_BYTES + n_hands * (BYTES_PER_PIXEL * sum(sizes) + BYTES_PER_TEXEL * texels)
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise InputError(
            "there is too little space for the files of the run",
            where=folder.parent,
            expected=f"{needed / MIB:.0f} MiB",
            found=f"{free / MIB:.0f} MiB free",
            fix="free some space, choose another --out, or take fewer cameras or frames",
        )

"""Rendering a Mitsuba scene from its XML file, with the LLVM and variant that were chosen for this machine."""

from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from handrefine.errors import InputError
from handrefine.io.exr import worker_thread
from handrefine.render.mitsuba.runtime import start_mitsuba

#: Samples of one pass, for which every machine has memory; samples a pixel and pixels beyond which none is meant.
MOST_SAMPLES, MOST_SPP, MOST_PIXELS = 2**24, 2**16, 2**24
#: Between the seeds of passes.
_STEP = 1_000_003


def render_scene_file(
    path: Path, *, spp: int | None = None, seed: int = 0
) -> Float[np.ndarray, "height width channel"]:
    """The image that the scene's own integrator and camera give, linear, as float32.

    Args:
        spp: samples a pixel; the scene's own number where there is none.

    Raises:
        InputError: the file is missing, or Mitsuba cannot load it.
    """
    if not path.is_file():
        raise InputError("the scene does not exist", where=path, expected="an XML file of a Mitsuba scene")
    start_mitsuba()
    import mitsuba as mi

    try:
        with worker_thread():  # the light is an EXR file
            scene = mi.load_file(str(path))
    except RuntimeError as error:
        raise InputError("Mitsuba cannot load the scene", where=path, found=error) from error
    if not isinstance(scene, mi.Scene):
        raise InputError("the file holds no scene", where=path, found=type(scene).__name__)
    if spp is not None and not 1 <= spp <= MOST_SPP:
        raise InputError("samples a pixel are out of range", expected=f"1 to {MOST_SPP}", found=spp)
    n_pixels = int(np.prod(scene.sensors()[0].film().size()))
    if n_pixels > MOST_PIXELS:
        raise InputError(
            "the image is too large", where=path, expected=f"at most {MOST_PIXELS} px", found=n_pixels
        )
    return rendered(scene, spp, n_pixels, seed)


def rendered(scene: Any, spp: int | None, n_pixels: int, seed: int) -> Float[np.ndarray, "height width channel"]:
    """The mean of as many passes as memory asks for: one, unless samples are very many.

    Args:
        spp: samples a pixel; the scene's own number where there is none.
    """
    import mitsuba as mi

    wanted = spp or scene.sensors()[0].sampler().sample_count()
    passes = -(-wanted * n_pixels // MOST_SAMPLES)
    if passes <= 1:
        return np.array(mi.render(scene, spp=spp or 0, seed=mi.UInt32(seed)), dtype=np.float32)
    each = -(-wanted // passes)
    images = (np.array(mi.render(scene, spp=each, seed=mi.UInt32(seed + k * _STEP))) for k in range(passes))
    return np.array(sum(images) / passes, dtype=np.float32)

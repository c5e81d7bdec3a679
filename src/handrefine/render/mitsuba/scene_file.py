"""Rendering a Mitsuba scene from its XML file, with the LLVM and variant that were chosen for this machine."""

from pathlib import Path

import numpy as np
from jaxtyping import Float

from handrefine.errors import InputError
from handrefine.io.exr import worker_thread
from handrefine.render.mitsuba.runtime import start_mitsuba


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
    image = mi.render(scene, spp=spp or 0, seed=mi.UInt32(seed))
    return np.array(image, dtype=np.float32)

"""EXR files, which Mitsuba reads and writes: start it first (`handrefine.render.mitsuba.runtime`)."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from jaxtyping import Float

from handrefine.io.files import whole_file


@contextmanager
def worker_thread() -> Iterator[None]:
    """At least one thread beside this one: without it Mitsuba waits for ever where it reads or writes EXR files.

    There is none on one core. It stays no longer than needed, because a thread that waits for work spins.
    """
    import drjit as dr

    threads = dr.thread_count()
    dr.set_thread_count(max(threads, 2))
    try:
        yield
    finally:
        dr.set_thread_count(threads)


def write_exr(path: Path, image: Float[np.ndarray, "height width 3"]) -> None:
    """Write linear RGB as float32; the file appears under its name complete."""
    import mitsuba as mi

    with whole_file(path) as temporary, worker_thread():
        mi.Bitmap(np.ascontiguousarray(image, dtype=np.float32)).write(str(temporary))

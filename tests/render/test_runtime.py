"""Mitsuba on machines of all sizes."""

import os
import subprocess
import sys

import pytest

WRITE_AND_READ = """
import os, sys
os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
from pathlib import Path
import numpy as np
from handrefine.io.exr import worker_thread, write_exr
from handrefine.render.mitsuba.runtime import start_mitsuba
start_mitsuba("llvm_ad_rgb")
import drjit as dr, mitsuba as mi
write_exr(Path(sys.argv[1]), np.full((4, 8, 3), 2.5, np.float32))
with worker_thread():
    print(np.array(mi.Bitmap(sys.argv[1])).mean(), dr.thread_count())
print(dr.thread_count())
"""


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="this system cannot confine a process to a core")
def test_one_core_is_enough_for_exr_files(tmp_path):
    """Mitsuba waits for a worker thread, which a pool as large as one core does not have."""
    command = [sys.executable, "-c", WRITE_AND_READ, str(tmp_path / "light.exr")]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=100)
    assert done.stdout.split() == ["2.5", "2", "1"], done.stderr

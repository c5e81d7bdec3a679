"""`python -m benchmarks.index`: opening one sequence of an invented dataset as large as InterHand2.6M.

It has 1.3 million images of 130 sequences (13 captures of 80 cameras); one sequence is opened, in a process of its
own, without a cache and then with the one that the first process has left. `--captures 100`: 10 million images.
"""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.harness import Metric, Outcome, finish, parser

#: Of the invented dataset; a clip has its own frames.
CAPTURES, CLIPS, CAMERAS, FRAMES = 13, 10, 80, 125
MOST_MB, MOST_FIRST_S, MOST_AGAIN_S = 500, 20, 1
#: Opens a sequence, and says what that took: seconds of the clock and of the processor, and the most memory in MB.
OPEN = """
import resource, sys, time
import handrefine as hr
hr.read_dataset
wall, cpu = time.perf_counter(), time.process_time()
sequence = hr.read_dataset(sys.argv[1], sequence=sys.argv[2])
wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
print(len(sequence.images), wall, cpu, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
"""
#: Opens a sequence from the cache, and writes its annotation back, as a merge does: into files in which all other
#: entries keep their bytes.
WRITE = """
import pathlib, resource, sys, time
import handrefine as hr
from handrefine.datasets.registry import dataset_format
data, name, out = pathlib.Path(sys.argv[1]), sys.argv[2], pathlib.Path(sys.argv[3])
sequence = hr.read_dataset(data, sequence=name)
wall, cpu = time.perf_counter(), time.process_time()
files = dataset_format(data).write_all([(sequence, sequence.annotations)], out)
wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
n_bytes = sum(file.stat().st_size for file in files)
print(n_bytes, wall, cpu, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
"""


def clip_name(clip: int) -> str:
    return f"{clip:04d}_clip"


def file_name(capture: int, clip: int, camera: int, frame: int) -> str:
    return f"Capture{capture}/{clip_name(clip)}/cam{400000 + camera}/image{frame}.jpg"


def write_index(root: Path, captures: int) -> Path:
    """Annotation files of all captures, and the images of the last one's last sequence, which are empty files."""
    folder = root / "annotations" / "train"
    folder.mkdir(parents=True)
    rng = np.random.default_rng(0)
    place = "InterHand2.6M_train_{}.json".format
    with (folder / place("data")).open("w", encoding="utf-8") as file:
        file.write('{"images": [')
        number = 0
        for capture, clip, camera in np.ndindex(captures, CLIPS, CAMERAS):
            for frame in range(clip * FRAMES, (clip + 1) * FRAMES):
                file.write(", " if number else "")
                file.write(
                    f'{{"id": {number}, "file_name": "{file_name(capture, clip, camera, frame)}", "width": 512,'
                    f' "height": 334, "capture": {capture}, "subject": {capture}, "seq_name": "{clip_name(clip)}",'
                    f' "camera": "{400000 + camera}", "frame_idx": {frame}}}'
                )
                number += 1
        file.write('], "annotations": [')
        for k in range(number):
            file.write(", " if k else "")
            file.write(
                f'{{"id": {k}, "image_id": {k}, "bbox": [150.5, 80.2, 190.0, 170.0], "hand_type": "right"}}'
            )
        file.write("]}")

    def hand() -> dict[str, list[float]]:
        return {name: rng.normal(0, 0.3, n).tolist() for name, n in (("pose", 48), ("shape", 10), ("trans", 3))}

    def joints() -> dict[str, Any]:
        world = rng.uniform(-100, 100, (42, 3)).round(4).tolist()
        return {"world_coord": world, "joint_valid": [[1]] * 42, "hand_type": "right", "hand_type_valid": True}

    frames = range(CLIPS * FRAMES)
    names = [str(400000 + camera) for camera in range(CAMERAS)]
    calibration = {
        "campos": [0.0, 0.0, -900.0],
        "camrot": np.eye(3).tolist(),
        "focal": [1200.0, 1200.0],
        "princpt": [256.0, 167.0],
    }
    camera = {key: dict.fromkeys(names, value) for key, value in calibration.items()}
    for kind, of_capture in (
        ("camera", lambda: camera),
        ("joint_3d", lambda: {str(frame): joints() for frame in frames}),
        ("MANO_NeuralAnnot", lambda: {str(frame): {"right": hand(), "left": None} for frame in frames}),
    ):
        with (folder / place(kind)).open("w", encoding="utf-8") as file:
            file.write("{")
            for capture in range(captures):
                file.write(", " if capture else "")
                file.write(f'"{capture}": {json.dumps(of_capture())}')
            file.write("}")
    for capture, clip in np.ndindex(captures, CLIPS):
        (root / "images" / "train" / f"Capture{capture}" / clip_name(clip)).mkdir(parents=True)
    for camera_number in range(CAMERAS):
        for frame in range((CLIPS - 1) * FRAMES, CLIPS * FRAMES):
            image = root / "images" / "train" / file_name(captures - 1, CLIPS - 1, camera_number, frame)
            image.parent.mkdir(exist_ok=True)
            image.touch()
    return folder / place("data")


def taken(code: str, cache: Path, *words: object) -> dict[str, float]:
    """What it took a process to do something to a sequence, and how many images or bytes it was."""
    environment = {**os.environ, "XDG_CACHE_HOME": str(cache)}
    command = [sys.executable, "-c", code, *map(str, words)]
    out = subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout
    count, wall, cpu, memory = map(float, out.split())
    return {"count": count, "wall_s": wall, "cpu_s": cpu, "memory_mb": memory}


def main() -> int:
    made = parser(__doc__ or "")
    made.add_argument("--captures", type=int, default=CAPTURES, help=f"of {CLIPS * CAMERAS * FRAMES} images each")
    chosen = made.parse_args()
    captures = chosen.captures
    with tempfile.TemporaryDirectory() as scratch:
        root, cache = Path(scratch) / "data", Path(scratch) / "cache"
        n_bytes = write_index(root, captures).stat().st_size
        sequence = f"train/Capture{captures - 1}/{clip_name(CLIPS - 1)}"
        first, again = (taken(OPEN, cache, root, sequence) for _ in range(2))
        written = taken(WRITE, cache, root, sequence, Path(scratch) / "out")
    metrics = [
        Metric("images listed", captures * CLIPS * CAMERAS * FRAMES, ""),
        Metric("size of data.json", n_bytes / 1e6, "MB"),
        Metric("images of the sequence", first["count"], ""),
        Metric("first opening", first["cpu_s"], "s of CPU", MOST_FIRST_S if captures == CAPTURES else None),
        Metric("memory of the first", first["memory_mb"], "MB", MOST_MB),
        Metric("opening again", again["cpu_s"], "s of CPU", MOST_AGAIN_S),
        Metric("memory of that", again["memory_mb"], "MB", MOST_MB),
        Metric("annotation files of the dataset", written["count"] / 1e6, "MB"),
        Metric("writing them with one sequence changed", written["cpu_s"], "s of CPU"),
        Metric("memory of that writing", written["memory_mb"], "MB", MOST_MB),
    ]
    name = "index" if captures == CAPTURES else f"index-{captures}"
    return finish(
        name, Outcome(metrics, {"first": first, "again": again, "written": written}), chosen, module="index"
    )


if __name__ == "__main__":
    sys.exit(main())

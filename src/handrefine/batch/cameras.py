"""Cameras of the whole dataset: whose calibration many clips contradict, and what most of them want instead."""

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np

from handrefine.batch.folder import BatchFolder, BatchTask
from handrefine.runs.reader import open_run

#: A camera that was believed less than this has been contradicted by its clip.
BELIEVED = 0.5
#: A camera disagrees where at least so many clips speak, and most contradict it or turn it alike.
FEWEST_CLIPS = 2
#: Turns alike: their median exceeds this, and so many times their own spread.
LEAST_MRAD, CLEAR = 2.0, 2.0


@dataclass(frozen=True)
class CameraVerdict:
    """A camera of one rig (the sequences of one folder of the dataset) over all clips that fitted it.

    contradicted: clips that believed it little or found it grossly wrong.
    turn_x_mrad ...: median of the turns that the clips found, in the camera's own frame; None where nobody asked.
    spread_mrad: median distance of the clips' turns from that.
    disagrees: most clips contradict the calibration, or turn it the same way by more than they differ.
    """

    rig: str
    camera: str
    clips: int
    contradicted: int
    mended: int
    turn_x_mrad: float | None
    turn_y_mrad: float | None
    turn_z_mrad: float | None
    spread_mrad: float | None
    disagrees: bool


def camera_verdicts(folder: BatchFolder, tasks: Sequence[BatchTask]) -> list[CameraVerdict]:
    """Of every camera of every rig, by the runs that are done; those that disagree first.

    Raises:
        InputError: a finished run is broken.
    """
    found: dict[tuple[str, str], list[Mapping[str, Any]]] = {}
    for task in tasks:
        if folder.state(task.name).status == "done":
            rig = task.sequence.rpartition("/")[0]
            for entry in open_run(folder.run(task.name)).hands[0].camera_weights:
                found.setdefault((rig, str(entry.get("camera"))), []).append(entry)
    verdicts = [_verdict(rig, camera, entries) for (rig, camera), entries in sorted(found.items())]
    return sorted(verdicts, key=lambda of: not of.disagrees)


def write_cameras(path: Path, cameras: Sequence[CameraVerdict]) -> None:
    """A table, a row a camera."""
    columns = [f.name for f in fields(CameraVerdict)]
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(columns)
        for of in cameras:
            values = [getattr(of, name) for name in columns]
            writer.writerow(["" if v is None else f"{v:.3f}" if isinstance(v, float) else v for v in values])


def _verdict(rig: str, camera: str, entries: Sequence[Mapping[str, Any]]) -> CameraVerdict:
    mended = sum(bool(of.get("mended")) for of in entries)
    contradicted = sum(float(of.get("weight", 1.0)) < BELIEVED or bool(of.get("mended")) for of in entries)
    turns = np.array([of["rotation_cam_mrad"] for of in entries if of.get("rotation_cam_mrad") is not None])
    median = np.median(turns, axis=0) if len(turns) else None
    spread = None if median is None else float(np.median(np.linalg.norm(turns - median, axis=1)))
    alike = (
        median is not None
        and spread is not None
        and len(turns) >= FEWEST_CLIPS
        and float(np.linalg.norm(median)) > max(LEAST_MRAD, CLEAR * spread)
    )
    disagrees = len(entries) >= FEWEST_CLIPS and (contradicted > len(entries) / 2 or alike)
    x, y, z = (None, None, None) if median is None else map(float, median)
    return CameraVerdict(rig, camera, len(entries), contradicted, mended, x, y, z, spread, disagrees)

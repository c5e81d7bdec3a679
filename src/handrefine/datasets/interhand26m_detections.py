"""2D joints beside a dataset in InterHand2.6M's layout: `detections.npz`, which an import writes. Ours.

camera (C), frames (F), dataset_uv_px (C, F, 2, 21, 2) in pixels of the dataset's images, NaN where nothing is
found, confidence (C, F, 2, 21); the right hand first.
"""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from handrefine.datasets.interhand26m_layout import SIDES
from handrefine.errors import InputError
from handrefine.io.array_files import read_npz
from handrefine.sequence import Detections, FrameId, FrameIndex, Side

FILE = "detections.npz"


def read_detections(
    root: Path, position: Mapping[FrameId, FrameIndex], cameras: Mapping[str, object]
) -> dict[Side, Detections]:
    """What the file says of these frames and cameras; nothing where there is none, or one of an earlier version.

    Raises:
        InputError: the file is damaged, or its arrays do not fit each other.
    """
    path = root / FILE
    if not path.is_file():
        return {}
    arrays = read_npz(path, ("camera", "frames", "dataset_uv_px", "confidence"))
    if "dataset_uv_px" not in arrays:
        return {}
    for name, kinds in (("camera", "U"), ("frames", "iu")):
        values = arrays.get(name)
        if values is None or values.ndim != 1 or values.dtype.kind not in kinds:
            found = None if values is None else f"{values.shape}, {values.dtype}"
            raise InputError("an array is no list of names or numbers", where=f"{path}, {name}", found=found)
    shape = (len(arrays["camera"]), len(arrays["frames"]), 2, 21)
    for name, expected in (("dataset_uv_px", (*shape, 2)), ("confidence", shape)):
        values = arrays.get(name)
        if values is None or values.shape != expected or values.dtype.kind != "f":
            found = None if values is None else f"{values.shape}, {values.dtype}"
            raise InputError(
                "an array does not fit the others", where=f"{path}, {name}", expected=expected, found=found
            )
    found = np.concatenate([arrays["dataset_uv_px"], arrays["confidence"][..., None]], axis=-1).astype(np.float64)
    return {
        side: {
            (position[FrameId(int(frame))], str(camera)): found[c, f, hand]
            for c, camera in enumerate(arrays["camera"])
            for f, frame in enumerate(arrays["frames"])
            if int(frame) in position and str(camera) in cameras and np.isfinite(found[c, f, hand]).any()
        }
        for hand, side in enumerate(SIDES)
    }

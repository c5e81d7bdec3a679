"""A tiny capture in InterHand2.6M's layout, written by hand: nothing here uses the code under test."""

import json
from pathlib import Path
from typing import Any

import imageio.v3 as iio
import numpy as np

FRAMES, CAMERAS, SIZE = (3, 7, 12), ("400262", "410001"), (40, 30)
SEQUENCE = "0000_fist"
TURNED = [[0.8, 0.0, -0.6], [0.0, 1.0, 0.0], [0.6, 0.0, 0.8]]


def annotation_file(root: Path, kind: str) -> Path:
    return root / "annotations" / "test" / f"InterHand2.6M_test_{kind}.json"


def image_file(root: Path, camera: str, frame: int, folder: str = "images", suffix: str = ".jpg") -> Path:
    return root / folder / "test" / "Capture5" / SEQUENCE / f"cam{camera}" / f"image{frame}{suffix}"


def documents() -> dict[str, Any]:
    """The four annotation files: right hand everywhere, left hand without MANO at the last frame."""
    rng = np.random.default_rng(0)

    def hand() -> dict[str, list[float]]:
        return {k: rng.normal(0, 0.3, n).tolist() for k, n in (("pose", 48), ("shape", 10), ("trans", 3))}

    per_camera = {
        "campos": ([0.0, 0.0, -900.0], [100.0, -20.0, -800.0]),
        "camrot": (np.eye(3).tolist(), TURNED),
        "focal": ([50.0, 51.0], [52.0, 50.0]),
        "princpt": ([19.0, 15.5], [20.5, 14.0]),
    }
    joints = {
        str(f): {
            "world_coord": rng.uniform(-100, 100, (42, 3)).tolist(),
            "joint_valid": [[int(k != 4)] for k in range(42)],  # joint 4 is the right index finger's tip
            "hand_type": "interacting",
            "hand_type_valid": True,
        }
        for f in FRAMES
    }
    mano = {str(f): {"right": hand(), "left": hand() if f != FRAMES[-1] else None} for f in FRAMES}
    images = [
        {
            "id": number,
            "file_name": f"Capture5/{SEQUENCE}/cam{camera}/image{frame}.jpg",
            "width": SIZE[0],
            "height": SIZE[1],
            "capture": 5,
            "subject": 0,
            "seq_name": SEQUENCE,
            "camera": camera,
            "frame_idx": frame,
        }
        for number, (camera, frame) in enumerate((c, f) for c in CAMERAS for f in FRAMES)
    ]
    other = {"9": {"4": {"right": hand(), "left": None}}}
    return {
        "camera": {"5": {k: dict(zip(CAMERAS, v, strict=True)) for k, v in per_camera.items()}},
        "joint_3d": {"5": joints},
        "MANO_NeuralAnnot": {"5": mano, **other},
        "data": {"images": images, "annotations": []},
    }


def write_dataset(root: Path, contents: dict[str, Any] | None = None) -> Path:
    for kind, content in (contents or documents()).items():
        annotation_file(root, kind).parent.mkdir(parents=True, exist_ok=True)
        annotation_file(root, kind).write_text(json.dumps(content))
    pixels = np.random.default_rng(1).integers(0, 256, (SIZE[1], SIZE[0], 3), dtype=np.uint8)
    for camera in CAMERAS:
        for frame in FRAMES:
            path = image_file(root, camera, frame)
            path.parent.mkdir(parents=True, exist_ok=True)
            iio.imwrite(path, pixels)
    mask = image_file(root, CAMERAS[0], FRAMES[0], "masks", ".png")
    mask.parent.mkdir(parents=True)
    iio.imwrite(mask, (pixels[..., 0] > 99).astype(np.uint8))
    return root

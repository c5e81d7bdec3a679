"""Synthetic videos of which some frames cannot be refined, and some cameras are wrongly calibrated."""

import json
from itertools import product
from pathlib import Path
from typing import Any

import imageio.v3 as iio
import numpy as np
from scipy.spatial.transform import Rotation

from handrefine.config import Config
from handrefine.datasets.interhand26m_layout import MADE_CAPTURE, MADE_SPLIT, annotation_path
from handrefine.synthetic.dataset import join_videos
from handrefine.synthetic.truth import SyntheticSettings, TruthKind
from handrefine.synthetic.video import synthesize

KINDS: tuple[TruthKind, ...] = ("matched", "mismatched")
N_CAMERAS, N_FRAMES, SIZE = 5, 6, 64
#: How far off annotations are, mm: some are so good that nothing is left to improve.
ERRORS_MM = (10.0, 3.0, 1.0)
#: How a frame is spoiled: its annotation is far off, its hand is hidden from most cameras, or half of its images
#: are those of another frame.
SPOILS = ("annotation", "hidden", "images")
#: A wrongly calibrated camera is turned by so much.
WRONG_RAD = 0.06


def make_dataset(out: Path, seeds: tuple[int, ...], scratch: Path) -> list[str]:
    """A video of every kind and start error a seed; returns the names of the sequences, whose truths are
    `truth/{k}.npz`.

    One or two frames of every video are spoiled; every third video has a wrong camera, half of either kind no
    masks.
    """
    videos = []
    for error_mm, seed, kind in product(ERRORS_MM, seeds, KINDS):
        video = scratch / f"{seed}-{kind}-{error_mm:g}mm"
        settings = SyntheticSettings(n_cameras=N_CAMERAS, n_frames=N_FRAMES, size=SIZE, seed=seed, kind=kind)
        synthesize(video, ("right",), settings, error_mm, Config(seed=seed))
        _spoil(video, np.random.default_rng([seed, len(videos)]), number=len(videos))
        videos.append(video)
    return join_videos(videos, out)


def _spoil(video: Path, rng: np.random.Generator, number: int) -> None:
    frames = [int(frame) for frame in _read(video, "MANO_NeuralAnnot")[MADE_CAPTURE]]
    count = 1 + number % 2
    for frame in rng.choice(frames, count, replace=False).tolist():
        how = SPOILS[int(rng.integers(len(SPOILS)))]
        if how == "annotation":
            _move_annotation(video, frame, rng)
        elif how == "hidden":
            _hide(video, frame, rng)
        else:
            _swap_images(video, frame, frames[(frames.index(frame) + len(frames) // 2) % len(frames)])
    if number % 3 == 2:
        _turn_camera(video, rng)
    if number // len(KINDS) % 2:
        for mask in (video / "masks").rglob("*.png"):
            mask.unlink()


def _move_annotation(video: Path, frame: int, rng: np.random.Generator) -> None:
    """By 4 to 8 cm, turned by a right angle, all fingers bent at random."""
    document = _read(video, "MANO_NeuralAnnot")
    hand = document[MADE_CAPTURE][str(frame)]["right"]
    direction = rng.normal(size=3)
    hand["trans"] = (
        np.array(hand["trans"]) + rng.uniform(0.04, 0.08) * direction / np.linalg.norm(direction)
    ).tolist()
    axis = rng.normal(size=3)
    turn = Rotation.from_rotvec(np.pi / 2 * axis / np.linalg.norm(axis))
    pose = np.array(hand["pose"])
    pose[:3] = (turn * Rotation.from_rotvec(pose[:3])).as_rotvec()
    pose[3:] += rng.normal(0, 0.4, 45)
    hand["pose"] = pose.tolist()
    annotation_path(video, MADE_SPLIT, "MANO_NeuralAnnot").write_text(json.dumps(document))


def _hide(video: Path, frame: int, rng: np.random.Generator) -> None:
    """Grey clutter before the hand in all cameras but one."""
    for image in sorted((video / "images").rglob(f"image{frame}.*"))[1:]:
        pixels = iio.imread(image)
        clutter = rng.integers(60, 160, (8, 8), dtype=np.uint8).repeat(SIZE // 8, axis=0).repeat(SIZE // 8, axis=1)
        iio.imwrite(image, np.repeat(clutter[:, :, None], 3, axis=2).astype(pixels.dtype))
        for mask in (video / "masks").rglob(f"{image.parent.name}/image{frame}.png"):
            iio.imwrite(mask, np.zeros((SIZE, SIZE), np.uint8))


def _swap_images(video: Path, frame: int, other: int) -> None:
    """Every second camera shows another moment."""
    for image in sorted((video / "images").rglob(f"image{frame}.*"))[::2]:
        image.write_bytes(image.with_name(image.name.replace(f"image{frame}.", f"image{other}.")).read_bytes())
        for mask in (video / "masks").rglob(f"{image.parent.name}/image{frame}.png"):
            mask.write_bytes(mask.with_name(f"image{other}.png").read_bytes())


def _turn_camera(video: Path, rng: np.random.Generator) -> None:
    document = _read(video, "camera")
    rotations = document[MADE_CAPTURE]["camrot"]
    name = sorted(rotations)[int(rng.integers(len(rotations)))]
    axis = rng.normal(size=3)
    turn = Rotation.from_rotvec(WRONG_RAD * axis / np.linalg.norm(axis)).as_matrix()
    rotations[name] = (turn @ np.array(rotations[name])).tolist()
    annotation_path(video, MADE_SPLIT, "camera").write_text(json.dumps(document))


def _read(video: Path, kind: str) -> dict[str, Any]:
    return json.loads(annotation_path(video, MADE_SPLIT, kind).read_text())

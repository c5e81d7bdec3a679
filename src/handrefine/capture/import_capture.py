"""The import itself: images, a calibration and 2D hands become a dataset in InterHand2.6M's layout."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import numpy as np

from handrefine.capture.calibration.rig_camera import RigCamera
from handrefine.capture.convention_check import check_convention, residual_px
from handrefine.capture.conventions import convention
from handrefine.capture.dataset_images import DatasetImages, DatasetMasks, write_check_picture
from handrefine.capture.detections import Detections
from handrefine.capture.frame_choice import chosen_frames
from handrefine.capture.import_check import SIDES, ImportCheck, baselines, camera_checks, spread_mm
from handrefine.capture.import_settings import ImportSettings
from handrefine.capture.joints import JointsInSpace, joints_in_space
from handrefine.capture.masks import MaskFiles, check_masks
from handrefine.capture.sources import FrameSource, all_frames
from handrefine.capture.synchronisation import find_offsets, synchronised
from handrefine.capture.units import metres_a_unit, palm_length
from handrefine.datasets.interhand26m_layout import is_grey
from handrefine.datasets.interhand26m_video_writer import NewVideo, write_interhand26m_sequence
from handrefine.errors import InputError
from handrefine.export.new_output import new_folder
from handrefine.io.files import write_json
from handrefine.sequence import Camera, FrameId, HandAnnotation, Hands, Side, sides_of

CHECK_FILE, PICTURE_FILE, DETECTIONS_FILE = "import.json", "import.jpg", "detections.npz"
#: A frame is kept where so many joints of a hand are known: fewer tell no hand's place.
_LEAST_JOINTS = 6
#: Without `--hand`, a hand is taken that is there at so many of the frames.
_PRESENT = 0.1


@dataclass(frozen=True, eq=False)
class RawCapture:
    """What there is before an import.

    cameras: as their file has them, in the order of `sources`.
    detections: at the frames of `all_frames(sources)`.
    notes: what was assumed on the way here, for the check.
    """

    sources: Mapping[str, FrameSource]
    cameras: Sequence[RigCamera]
    detections: Detections
    masks: Mapping[str, MaskFiles] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def import_capture(capture: RawCapture, out: Path, settings: ImportSettings) -> ImportCheck:
    """Write the dataset, all of it or nothing; returns what there is to say of it.

    Raises:
        InputError: calibration, unit, masks or detections are impossible together, or no frame has a hand.
    """
    meaning = convention(settings.convention)
    residual = check_convention(capture.cameras, meaning, capture.detections)
    capture = replace(capture, cameras=[meaning.apply(camera) for camera in capture.cameras])
    if settings.sync:
        capture = _in_time(capture, residual)
    frames = all_frames(list(capture.sources.values()))
    raw = joints_in_space(capture.cameras, capture.detections, smoothed=False)
    unit_m = metres_a_unit(settings.unit, palm_length(raw.joints_world, raw.valid))
    cameras = [camera.scaled(unit_m) for camera in capture.cameras]
    joints = joints_in_space(cameras, capture.detections)
    sides = _hands(joints, settings.hand)
    kept, dropped = _kept_frames(capture.sources, frames, joints, sides, settings)
    masks, mask_notes = _fitting_masks(capture, cameras, joints, {frames[k]: k for k in kept})
    check = ImportCheck(
        unit_m=unit_m,
        cameras=camera_checks(cameras, joints),
        baselines=baselines(cameras, joints),
        palm_mm=palm_length(joints.joints_world, joints.valid) * 1e3,
        spread_mm=spread_mm(joints),
        hands=sides,
        frames=tuple(frames[k] for k in kept),
        dropped=dropped,
        notes=(*capture.notes, *mask_notes),
    )
    names = _dataset_names(list(capture.sources))
    images = DatasetImages(capture.sources, cameras, check.frames, names, keep_distorted=settings.keep_distorted)
    with new_folder(out) as folder:
        of_images = DatasetMasks(images, {names[name]: m for name, m in masks.items()})
        video = NewVideo(sequence="capture", links=images.links() if settings.link else None)
        _write(folder, images, of_images, joints, check, video)
    return check


def _in_time(capture: RawCapture, residual: float) -> RawCapture:
    """The capture by its first camera's clock."""
    offsets = find_offsets(capture.cameras, capture.detections)
    sources, detections = synchronised(capture.sources, capture.cameras, capture.detections, offsets)
    after = residual_px(capture.cameras, detections)
    note = f"time offsets in frames: {offsets.words()}; residual {residual:.1f} -> {after:.1f} px"
    masks = {name: masks.shifted(offsets.whole(name)) for name, masks in capture.masks.items()}
    return replace(capture, sources=sources, detections=detections, masks=masks, notes=(*capture.notes, note))


def _fitting_masks(
    capture: RawCapture, cameras: Sequence[RigCamera], joints: JointsInSpace, kept: Mapping[FrameId, int]
) -> tuple[dict[str, MaskFiles], list[str]]:
    """The masks that are of these hands, and what to tell of the others."""
    fitting, notes = {}, []
    for camera in cameras:
        masks = capture.masks.get(camera.name)
        if masks is None:
            continue
        rows = list(kept.values())
        pixels = camera.project_at(joints.joints_world[rows].reshape(len(rows), -1, 3), list(kept))
        uv_px = dict(zip(kept, pixels, strict=True))
        note = check_masks(camera.name, masks, uv_px)
        if note is None:
            fitting[camera.name] = masks
        notes += [] if note is None else [note]
    if fitting:
        notes.append(f"masks of {', '.join(fitting)}")
    return fitting, notes


def _write(
    folder: Path,
    images: DatasetImages,
    masks: DatasetMasks,
    joints: JointsInSpace,
    check: ImportCheck,
    video: NewVideo,
) -> None:
    every = all_frames(list(images.sources.values()))
    rows = [every.index(frame) for frame in check.frames]
    annotations: dict[Side, HandAnnotation] = {
        side: HandAnnotation(
            side,
            joints_world=np.nan_to_num(joints.joints_world[rows, SIDES.index(side)]),
            joint_valid=joints.valid[rows, SIDES.index(side)],
        )
        for side in check.hands
    }
    cameras: dict[str, Camera] = images.dataset_cameras
    write_interhand26m_sequence(folder, cameras, check.frames, images, annotations, masks=masks, video=video)
    write_check_picture(folder / PICTURE_FILE, images, joints, rows)
    _write_detections(folder / DETECTIONS_FILE, images, joints.detections, rows)
    write_json(folder / CHECK_FILE, asdict(check))


def _write_detections(path: Path, images: DatasetImages, detections: Detections, rows: list[int]) -> None:
    """The 2D joints that the annotation is made of, in pixels of the images as they were taken, and of the
    dataset's, which the reader takes."""
    uv_px = detections.uv_px[:, rows]
    np.savez_compressed(
        path,
        camera=np.array(list(images.dataset_cameras)),
        frames=np.array(images.frames),
        uv_px=uv_px.astype(np.float32),
        dataset_uv_px=np.stack([images.as_kept(name, uv_px[c]) for c, name in enumerate(images.cameras)]),
        confidence=detections.confidence[:, rows].astype(np.float32),
    )


def _hands(joints: JointsInSpace, asked: Hands | None) -> tuple[Side, ...]:
    """The hands that are asked for, else those that are there.

    Raises:
        InputError: one that is asked for, or any at all, is not there.
    """
    enough = joints.valid.sum(axis=2) >= _LEAST_JOINTS
    share = enough.mean(axis=0)
    present: list[Side] = [
        side for k, side in enumerate(SIDES) if share[k] >= _PRESENT * max(share.max(), 1e-9) and share[k] > 0
    ]
    wanted: tuple[Side, ...] = tuple(present) if asked is None else sides_of(asked)
    for side in wanted:
        if not share[SIDES.index(side)]:
            raise InputError(f"no {side} hand is found at any frame", found=", ".join(present) or "no hand at all")
    if not wanted:
        raise InputError(
            "no hand is found that two cameras agree on",
            found="; ".join(f"{name}: a hand at {n} frames" for name, n in _views_with_hand(joints).items()),
            fix="look at the images: is the hand large, sharp and lit? Do the names of the calibration fit?",
        )
    return wanted


def _views_with_hand(joints: JointsInSpace) -> dict[str, int]:
    seen = np.isfinite(joints.detections.uv_px[..., 0]).any(axis=(2, 3))
    return dict(zip(joints.detections.cameras, seen.sum(axis=1).tolist(), strict=True))


def _kept_frames(
    sources: Mapping[str, FrameSource],
    frames: Sequence[FrameId],
    joints: JointsInSpace,
    sides: Sequence[Side],
    settings: ImportSettings,
) -> tuple[list[int], dict[str, list[FrameId]]]:
    """Positions of the frames of the dataset, and the frames that were asked for and left out, by reason."""
    rates = [source.fps for source in sources.values() if source.fps]
    shared = _shared(sources, frames)
    chosen = set(chosen_frames(frames, settings.frames, settings.fps, rates[0] if rates else None, shared))
    columns = [SIDES.index(side) for side in sides]
    enough = (joints.valid[:, columns].sum(axis=2) >= _LEAST_JOINTS).any(axis=1)
    seen = np.isfinite(joints.detections.uv_px[..., 0]).any(axis=(2, 3)).sum(axis=0)
    kept, dropped = [], {}
    for k, frame in enumerate(frames):
        if frame not in chosen:
            continue
        if enough[k]:
            kept.append(k)
            continue
        reason = "a hand is found in one camera only" if seen[k] == 1 else "no hand is found"
        dropped.setdefault(reason if seen[k] < 2 else "the cameras do not agree on a hand", []).append(frame)
    if not kept:
        raise InputError(
            "no frame is left", found="; ".join(f"{why}: {len(f)} frames" for why, f in dropped.items())
        )
    return kept, dropped


def _shared(sources: Mapping[str, FrameSource], frames: Sequence[FrameId]) -> list[FrameId]:
    """Frames of two cameras at least: those that did not start together have more of them."""
    numbers = [set(source.numbers) for source in sources.values()]
    return [frame for frame in frames if sum(frame in of for of in numbers) > 1]


def _dataset_names(names: Sequence[str]) -> dict[str, str]:
    """What InterHand2.6M's layout calls the cameras: it puts `cam` before, and takes 41xxxx for grey."""
    short = {name: name.removeprefix("cam") or name for name in names}
    if len(set(short.values())) < len(short):
        short = {name: name for name in names}
    return {name: f"c{new}" if is_grey(new) else new for name, new in short.items()}

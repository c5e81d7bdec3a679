"""Reader of HanCo: 8 synchronised cameras, a right hand before a green screen, with or without an object.

Layout (github.com/lmb-freiburg/contra-hand)::

    rgb/{sequence:04d}/cam{camera}/{frame:08d}.jpg
    mask_hand/{sequence:04d}/cam{camera}/{frame:08d}.jpg     white where there is hand; where it was downloaded
    mask_fg/{sequence:04d}/cam{camera}/{frame:08d}.jpg       white where there is hand, arm or object; likewise
    calib/{sequence:04d}/{frame:08d}.json    K (camera, 3, 3), M (camera, 4, 4) from world to camera, metres
    xyz/{sequence:04d}/{frame:08d}.json      21 joints, world frame, metres
    shape/{sequence:04d}/{frame:08d}.json    poses (48), shapes (10), global_t (3): MANO, world frame,
                                             flat_hand_mean=False

Calibrations are given frame by frame. Cameras stand still, but an image may be a crop that follows the hand, and K
with it. Where K changes, the images of a camera are laid onto one common picture, black where they do not reach.
"""

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import Bool

from handrefine.datasets.calibration import Pinhole, calibrated_camera, focal_and_centre
from handrefine.datasets.dataset_format import DatasetFormat, chosen_cameras, chosen_sequence, each_by_itself
from handrefine.datasets.hanco_writer import HanCoSource, write_hanco_annotation
from handrefine.datasets.images import read_grey8, read_image
from handrefine.datasets.numbered_files import check_all_links, numbered_images_of_cameras
from handrefine.datasets.parsing import as_finite, read_json_object, require, unused_keys
from handrefine.errors import InputError
from handrefine.findings import Finding
from handrefine.io.image_files import image_header
from handrefine.io.text_files import read_json
from handrefine.sequence import (
    Camera,
    FrameId,
    HandAnnotation,
    HandSequence,
    ImageReader,
    ManoParameters,
    MaskReader,
    frame_positions,
)

#: The toolkit draws projections with OpenCV, in which a pixel's centre has whole-number coordinates.
PIXEL_CENTRE_PX = 0.5
#: A camera stands still when its pose stays the same up to this (metres, and entries of its rotation).
STILL = 1e-4
#: Intrinsics are the same when they differ by less than this.
SAME_PX = 1e-2
#: Masks are JPEG files, grey along the contour.
MASK_LEVEL = 128
#: A common picture larger than this means that a calibration is wrong.
LARGEST_PX = 4096


def hanco_sequences(root: Path) -> list[str]:
    """The numbers of all, with four digits."""
    return sorted(path.name for path in (root / "rgb").glob("*") if path.is_dir())


def read_hanco(
    root: Path,
    *,
    sequence: str | None = None,
    cameras: Sequence[str] | None = None,
    follow_links: bool = False,
) -> HandSequence:
    """Read one sequence, named by its number.

    Frames without any image on disk are left out; a single image that is not there is a missing view.

    Raises:
        InputError: the dataset is missing, ambiguous, damaged or holds impossible numbers, or a camera moves.
    """
    root = Path(root)
    wanted = sequence.zfill(4) if sequence is not None and sequence.isdecimal() else sequence
    name = chosen_sequence(hanco_sequences(root), wanted, root / "rgb")
    folder = root / "rgb" / name
    names = chosen_cameras(sorted(path.name for path in folder.glob("cam*") if path.is_dir()), cameras, folder)
    files, findings = numbered_images_of_cameras({camera: folder / camera for camera in names}, (".jpg",))
    if not follow_links:
        check_all_links(root, files.values())
    position = frame_positions(frame for frame, _ in files)
    frames = tuple(position)
    if not frames:
        raise InputError(
            "none of the sequence's images is on disk", where=folder, expected="cam0/00000000.jpg ..."
        )
    calibrations = {frame: root / "calib" / name / f"{frame:08d}.json" for frame in frames}
    documents = {frame: read_json_object(path) for frame, path in calibrations.items()}
    findings += unused_keys(documents[frames[0]], ("K", "M"), str(calibrations[frames[0]]))
    calibrated, images, masks, objects = {}, {}, {}, {}
    for camera in names:
        own = {frame: path for (frame, owner), path in files.items() if owner == camera}
        if not own:
            continue
        rig = {frame: _calibration(documents[frame], camera, str(calibrations[frame])) for frame in own}
        calibrated[camera], placed = _common_camera(camera, own, rig, root / "calib" / name)
        for frame, path in own.items():
            key, mask = (position[frame], camera), root / "mask_hand" / name / camera / path.name
            images[key] = placed[frame].image(path)
            if mask.exists():
                masks[key] = placed[frame].mask(mask)
                foreground = root / "mask_fg" / name / camera / path.name
                if foreground.exists():
                    objects[key] = partial(_neither, placed[frame].mask(foreground), masks[key])
    if not follow_links:
        check_all_links(root, (root / kind / name / c for kind in ("mask_hand", "mask_fg") for c in names))
    if 0 < len(masks) < len(images):
        told = f"masks for {len(masks)} of {len(images)} images"
        findings.append(Finding("note", "not every image has a mask", str(root / "mask_hand" / name), told))
    return HandSequence(
        name=name,
        cameras=calibrated,
        frames=frames,
        images=images,
        annotations={"right": _annotation(root, name, frames)},
        masks=masks,
        objects=objects,
        source=HanCoSource(root, name),
        write_back=write_hanco_annotation,
        official_mano=True,
        findings=tuple(findings),
    )


def _calibration(document: Mapping[str, object], camera: str, where: str) -> tuple[np.ndarray, np.ndarray]:
    """K, in which pixel (0, 0) has its centre at one half, and the 3x4 matrix from world to camera."""
    number = camera.removeprefix("cam")
    matrices = []
    for key, shape in (("K", (3, 3)), ("M", (4, 4))):
        values = require(document, key, where)
        if not isinstance(values, list) or not number.isdecimal() or len(number) > 4 or int(number) >= len(values):
            raise InputError("a camera has no calibration", where=f"{where}, {key}", found=camera)
        matrices.append(as_finite(values[int(number)], shape, f"{where}, {key}, {camera}"))
    K, M = matrices
    focal_and_centre(K, f"{where}, K, {camera}")
    K[:2, 2] += PIXEL_CENTRE_PX
    return K, M[:3]


class _Placed:
    """An image within its camera's common picture.

    Args:
        size: of the file; canvas: of the common picture (width, height).
        affine: from pixel coordinates of the file to those of the picture; None where they are the same.
    """

    def __init__(self, size: tuple[int, int], canvas: tuple[int, int], affine: np.ndarray | None) -> None:
        self.size, self.canvas, self.affine = size, canvas, affine

    def image(self, path: Path) -> ImageReader:
        return partial(self._read_image, path)

    def mask(self, path: Path) -> MaskReader:
        return partial(self._read_mask, path)

    def _read_image(self, path: Path) -> np.ndarray:
        return self._warped(read_image(path, *self.size))

    def _read_mask(self, path: Path) -> np.ndarray:
        share = (read_grey8(path, *self.size) >= MASK_LEVEL).astype(np.float32)
        return self._warped(share) > 0.5

    def _warped(self, pixels: np.ndarray) -> np.ndarray:
        if self.affine is None:
            return pixels
        # OpenCV counts from the first pixel's centre, the matrix from its corner.
        A = self.affine.copy()
        A[:, 2] += PIXEL_CENTRE_PX * (A[:, :2].sum(axis=1) - 1)
        return cv2.warpAffine(pixels, A, self.canvas, flags=cv2.INTER_LINEAR, borderValue=(0.0, 0.0, 0.0))


def _neither(foreground: MaskReader, hand: MaskReader) -> Bool[np.ndarray, "height width"]:
    """What is foreground and no hand: an object, an arm."""
    return foreground() & ~hand()


def _common_camera(
    name: str, files: Mapping[FrameId, Path], rig: Mapping[FrameId, tuple[np.ndarray, np.ndarray]], calib: Path
) -> tuple[Camera, dict[FrameId, _Placed]]:
    """One camera for all frames, and where the image of every frame lies in its picture."""
    first = next(iter(files))
    where = str(calib / f"{first:08d}.json")
    header = image_header(files[first])
    width, height, grey = header.width, header.height, header.grey
    pose = rig[first][1]
    for frame, (_, other) in rig.items():
        if np.abs(other - pose).max() > STILL:
            raise InputError(
                "a camera moves",
                where=f"{calib}, M, {name}, frames {first} and {frame}",
                expected="a camera that stands still",
            )
    K = max((matrix for matrix, _ in rig.values()), key=lambda matrix: matrix[0, 0])
    corners = np.array([[0, width, 0, width], [0, 0, height, height], [1, 1, 1, 1]])
    affines = {frame: (K @ np.linalg.inv(matrix))[:2] for frame, (matrix, _) in rig.items()}
    spread = np.concatenate([affine @ corners - corners[:2] for affine in affines.values()], axis=1)
    if np.abs(spread).max() < SAME_PX:
        placed = dict.fromkeys(files, _Placed((width, height), (width, height), None))
        return _camera(name, (width, height), K, pose, grey, where), placed
    reach = np.concatenate([affine @ corners for affine in affines.values()], axis=1)
    if np.abs(reach).max() > LARGEST_PX * 4:
        raise InputError("a camera's images lie too far apart", where=f"{calib}, K, {name}", found="see its K")
    low = np.floor(reach.min(axis=1) + SAME_PX).astype(int)
    high = np.ceil(reach.max(axis=1) - SAME_PX).astype(int)
    canvas = int(high[0] - low[0]), int(high[1] - low[1])
    if max(canvas) > LARGEST_PX:
        raise InputError(
            "a camera's images lie too far apart", where=f"{calib}, K, {name}", found=f"{canvas[0]}x{canvas[1]} px"
        )
    shift = np.array([[1.0, 0, -low[0]], [0, 1, -low[1]], [0, 0, 1]])
    placed = {
        frame: _Placed((width, height), canvas, (shift @ K @ np.linalg.inv(matrix))[:2])
        for frame, (matrix, _) in rig.items()
    }
    return _camera(name, canvas, shift @ K, pose, grey, where), placed


def _camera(name: str, size: tuple[int, int], K: np.ndarray, pose: np.ndarray, grey: bool, where: str) -> Camera:
    fx, fy, cx, cy = (float(K[at]) for at in ((0, 0), (1, 1), (0, 2), (1, 2)))
    place = f"{where}, M, {name}"
    return calibrated_camera(name, Pinhole(*size, fx, fy, cx, cy), pose[:, :3], pose[:, 3], place, grey=grey)


def _annotation(root: Path, name: str, frames: tuple[FrameId, ...]) -> HandAnnotation:
    """The right hand; what has no file at a frame is not valid there."""
    count = len(frames)
    joints_world, joint_valid = np.zeros((count, 21, 3)), np.zeros((count, 21), dtype=bool)
    pose, shape, trans = (np.zeros((count, n)) for n in (48, 10, 3))
    mano_valid = np.zeros(count, dtype=bool)
    for index, frame in enumerate(frames):
        joints_path, mano_path = (root / kind / name / f"{frame:08d}.json" for kind in ("xyz", "shape"))
        if joints_path.exists():
            joints_world[index] = as_finite(read_json(joints_path), (21, 3), str(joints_path))
            joint_valid[index] = True
        if mano_path.exists():
            mano = read_json_object(mano_path)
            for values, key in ((pose, "poses"), (shape, "shapes"), (trans, "global_t")):
                where = str(mano_path)
                values[index] = as_finite(require(mano, key, where), values.shape[1:], f"{where}, {key}")
            mano_valid[index] = True
    if not joint_valid.any() and not mano_valid.any():
        raise InputError("no hand is annotated at any of these frames", where=root / "shape" / name)
    return HandAnnotation(
        "right",
        mano=ManoParameters(pose, shape, trans, flat_hand_mean=False) if mano_valid.any() else None,
        mano_valid=mano_valid if mano_valid.any() else None,
        joints_world=joints_world if joint_valid.any() else None,
        joint_valid=joint_valid if joint_valid.any() else None,
    )


HANCO = DatasetFormat(
    name="hanco",
    marks="rgb/, calib/",
    recognise=lambda root: (root / "rgb").is_dir() and (root / "calib").is_dir(),
    list_sequences=hanco_sequences,
    read=read_hanco,
    write_all=each_by_itself(write_hanco_annotation),
)

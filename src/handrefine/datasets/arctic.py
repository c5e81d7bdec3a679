"""Reader of ARCTIC: two hands that use an object, seen by eight still cameras and one on the head.

Layout (github.com/zc-alexfan/arctic), below `data/arctic_data/data`::

    images/{subject}/{sequence}/{view}/{image:05d}.jpg      view 0 on the head, 1 to 8 still
    meta/misc.json      by subject: world2cam (8, 4, 4), intris_mat (8, 3, 3), image_size (9, 2), ioi_offset
    raw_seqs/{subject}/{sequence}.mano.npy         right, left: rot (frame, 3), pose (frame, 45),
                                                   trans (frame, 3), shape (10)
    raw_seqs/{subject}/{sequence}.egocam.dist.npy  R_k_cam_np (frame, 3, 3), T_k_cam_np (frame, 3, 1),
                                                   intrinsics (3, 3), dist8 (8)

Metres, world to camera; image n shows row `n - ioi_offset`. `dist8` is OpenCV's model with eight coefficients.
MANO's pose is relative to the mean hand, and the sign of the left hand's shape directions is not turned.

The camera on the head moves: it has a path.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from jaxtyping import Float

from handrefine.datasets.calibration import Pinhole, calibrated_camera, focal_and_centre, moving_camera
from handrefine.datasets.dataset_format import DatasetFormat, chosen_cameras, chosen_sequence
from handrefine.datasets.images import image_reader
from handrefine.datasets.numbered_files import check_all_links, numbered_images_of_cameras
from handrefine.datasets.parsing import as_finite, as_frame, as_object, read_json_object, require
from handrefine.errors import InputError
from handrefine.findings import Finding
from handrefine.io.safe_pickle import read_npy_dictionary
from handrefine.lens import Lens
from handrefine.sequence import (
    Camera,
    FrameId,
    FrameIndex,
    HandAnnotation,
    HandSequence,
    ImageReader,
    ManoParameters,
    Side,
    ViewKey,
    frame_positions,
)

HEAD, STILL = "0", tuple(str(k) for k in range(1, 9))
#: The toolkit projects with OpenCV's matrices as they are, whose pixel centres are whole numbers.
PIXEL_CENTRE_PX = 0.5
SIDES: tuple[Side, Side] = ("right", "left")


@dataclass(frozen=True, eq=False)
class _Subject:
    """What `misc.json` says of a subject's recordings."""

    where: str
    sizes: Float[np.ndarray, "9 2"]
    K: Float[np.ndarray, "8 3 3"]
    world_to_cam: Float[np.ndarray, "8 4 4"]
    first_image: int

    @staticmethod
    def read(path: Path, subject: str) -> "_Subject":
        told, where = require(read_json_object(path), subject, str(path)), f"{path}, {subject}"

        def numbers(key: str, shape: tuple[int, ...]) -> np.ndarray:
            return as_finite(require(told, key, where), shape, f"{where}, {key}")

        offset = as_frame(require(told, "ioi_offset", where), f"{where}, ioi_offset")
        matrices = numbers("intris_mat", (8, 3, 3)), numbers("world2cam", (8, 4, 4))
        return _Subject(where, numbers("image_size", (9, 2)), *matrices, int(offset))

    def size(self, view: str) -> tuple[int, int]:
        width, height = self.sizes[int(view)].astype(int).tolist()
        return width, height


def arctic_sequences(root: Path) -> list[str]:
    """SUBJECT/SEQUENCE of all that have parameters and a folder of images."""
    found = (path for path in (root / "raw_seqs").glob("*/*.mano.npy"))
    names = (f"{path.parent.name}/{path.name.removesuffix('.mano.npy')}" for path in found)
    return sorted(name for name in names if (root / "images" / name).is_dir())


def read_arctic(
    root: Path,
    *,
    sequence: str | None = None,
    cameras: Sequence[str] | None = None,
    follow_links: bool = False,
) -> HandSequence:
    """Read one sequence, named SUBJECT/SEQUENCE or SEQUENCE; frames without images are left out.

    Raises:
        InputError: the dataset is missing, ambiguous, damaged or holds impossible numbers.
    """
    root = Path(root)
    name = chosen_sequence(arctic_sequences(root), sequence, root / "raw_seqs")
    subject = _Subject.read(root / "meta" / "misc.json", name.split("/")[0])
    folders = {path.name: path for path in sorted((root / "images" / name).iterdir()) if path.is_dir()}
    folders = {view: folders[view] for view in (HEAD, *STILL) if view in folders}
    chosen = chosen_cameras(list(folders), cameras, root / "images" / name)
    files, findings = numbered_images_of_cameras({view: folders[view] for view in chosen}, (".jpg", ".png"))
    if not follow_links:
        check_all_links(root, files.values())
    annotations, count = _annotations(root / "raw_seqs" / f"{name}.mano.npy")
    shown = {key: path for key, path in files.items() if 0 <= key[0] - subject.first_image < count}
    if len(shown) < len(files):
        what = f"{len(files) - len(shown)} of {len(files)} images have no parameters"
        findings.append(Finding("note", what, str(root / "images" / name)))
    if not shown:
        raise InputError("no image of the sequence has parameters", where=root / "images" / name)
    frames = tuple(sorted({frame for frame, _ in shown}))
    rows = [FrameIndex(frame - subject.first_image) for frame in frames]
    rig, images = _views(shown, frames, subject, root / "raw_seqs" / f"{name}.egocam.dist.npy")
    return HandSequence(
        name=name,
        cameras=rig,
        frames=frames,
        images=images,
        annotations={side: HandAnnotation(side, mano=mano.at(rows)) for side, mano in annotations.items()},
        official_mano=True,
        findings=tuple(findings),
        subject=name.split("/")[0],
    )


def _annotations(path: Path) -> tuple[dict[Side, ManoParameters], int]:
    """Both hands' parameters, and how many frames they have."""
    told = read_npy_dictionary(path, "a file of MANO parameters")
    found: dict[Side, ManoParameters] = {}
    count = 0
    for side in SIDES:
        hand, where = as_object(require(told, side, str(path)), f"{path}, {side}"), f"{path}, {side}"
        rot = np.asarray(require(hand, "rot", where))
        count = len(rot) if side == "right" and rot.ndim else count
        parts = {
            key: as_finite(require(hand, key, where), (count, size), f"{where}, {key}")
            for key, size in (("rot", 3), ("pose", 45), ("trans", 3))
        }
        shape = np.asarray(require(hand, "shape", where))
        rows = as_finite(shape, (count, 10) if shape.ndim == 2 else (10,), f"{where}, shape")
        pose_aa = np.concatenate([parts["rot"], parts["pose"]], axis=1)
        found[side] = ManoParameters(pose_aa, np.broadcast_to(rows, (count, 10)).copy(), parts["trans"])
    return found, count


def _views(
    files: Mapping[tuple[FrameId, str], Path], frames: tuple[FrameId, ...], subject: _Subject, head: Path
) -> tuple[dict[str, Camera], dict[ViewKey, ImageReader]]:
    """The still cameras, and that on the head on its path."""
    position = frame_positions(frames)
    rig: dict[str, Camera] = {}
    images: dict[ViewKey, ImageReader] = {}
    for frame, view in sorted(files, key=lambda key: (key[1], key[0])):
        if view not in rig:
            of_head = [f for f, of in sorted(files) if of == HEAD]
            rig[view] = _head_camera(head, subject, of_head) if view == HEAD else _still_camera(subject, view)
        images[position[frame], view] = image_reader(files[frame, view], *subject.size(view))
    return rig, images


def _still_camera(subject: _Subject, view: str) -> Camera:
    k, where = int(view) - 1, f"{subject.where}, view {view}"
    pinhole = _pinhole(subject.K[k], subject.size(view), f"{where}, intris_mat")
    return calibrated_camera(view, pinhole, subject.world_to_cam[k, :3, :3], subject.world_to_cam[k, :3, 3], where)


def _pinhole(K: Float[np.ndarray, "3 3"], size: tuple[int, int], where: str) -> Pinhole:
    fx, fy, cx, cy = focal_and_centre(K, where)
    return Pinhole(*size, fx, fy, cx + PIXEL_CENTRE_PX, cy + PIXEL_CENTRE_PX)


def _head_camera(path: Path, subject: _Subject, frames: Sequence[FrameId]) -> Camera:
    """The camera on the head: its lens, and where it is at these frames."""
    told = read_npy_dictionary(path, "a file of the head camera's poses")

    def numbers(key: str, shape: tuple[int, ...]) -> np.ndarray:
        return as_finite(require(told, key, str(path)), shape, f"{path}, {key}")

    count = len(np.atleast_1d(np.asarray(require(told, "R_k_cam_np", str(path)))))
    rows = [frame - subject.first_image for frame in frames]
    if max(rows) >= count:
        raise InputError("the head camera has no pose at a frame", where=path, found=f"{count} of {max(rows) + 1}")
    R, t = numbers("R_k_cam_np", (count, 3, 3)), np.asarray(require(told, "T_k_cam_np", str(path)))
    t = as_finite(t.reshape(len(t), -1) if t.ndim else t, (count, 3), f"{path}, T_k_cam_np")
    pinhole = _pinhole(numbers("intrinsics", (3, 3)), subject.size(HEAD), f"{path}, intrinsics")
    lens = Lens("opencv", tuple(numbers("dist8", (8,)).tolist()))
    first = calibrated_camera(HEAD, pinhole, R[rows[0]], t[rows[0]], f"{path}, row {rows[0]}")
    return moving_camera(replace(first, lens=lens), frames, list(R[rows]), list(t[rows]), str(path))


ARCTIC = DatasetFormat(
    name="arctic",
    marks="meta/misc.json, raw_seqs/*/*.mano.npy",
    recognise=lambda root: (root / "meta" / "misc.json").is_file() and (root / "raw_seqs").is_dir(),
    list_sequences=arctic_sequences,
    read=read_arctic,
)

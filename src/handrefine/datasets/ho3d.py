"""Reader of HO-3D, versions 2 and 3: a right hand with an object, seen by one to five cameras.

Layout (github.com/shreyashampali/ho3d)::

    {train,evaluation}/{folder}/rgb/{frame:04d}.jpg       png in version 2
    {train,evaluation}/{folder}/meta/{frame:04d}.pkl      handPose (48), handTrans, handBeta, handJoints3D,
    camMat, objName,
                                                  objRot, objTrans
    models/{object}/textured_simple.obj               of YCB, where somebody put them there
    calibration/{sequence}/calibration/cam_orders.txt, trans_{i}.txt        version 3 only

Every camera has a folder and an annotation of its own, in its own frame with OpenGL's axes (y up, z backward),
joint angles relative to the flat hand. A folder whose name without its last digit has a calibration is one camera
of a multi-view sequence; any other is a sequence with one camera, whose frame becomes the world. `trans_{i}.txt`
takes points from OpenCV's axes in camera i to the world; the folder of camera i ends in entry i of cam_orders.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from handrefine.datasets.calibration import Pinhole, calibrated_camera, focal_and_centre
from handrefine.datasets.dataset_format import DatasetFormat, chosen_cameras, chosen_sequence, each_by_itself
from handrefine.datasets.ho3d_hands import JOINT_ORDER, OPENCV_FROM_OPENGL, HandsOfCamera, Pose
from handrefine.datasets.ho3d_objects import read_objects
from handrefine.datasets.ho3d_writer import Ho3dSource, write_ho3d_annotation
from handrefine.datasets.images import image_reader
from handrefine.datasets.numbered_files import check_all_links, numbered_images_of_cameras
from handrefine.datasets.parsing import as_finite, read_text_numbers
from handrefine.errors import InputError
from handrefine.findings import Finding, some
from handrefine.io.image_files import image_header
from handrefine.io.safe_pickle import read_pickle
from handrefine.sequence import Camera, FrameId, HandAnnotation, HandSequence, ManoParameters, frame_positions

SPLITS = ("train", "evaluation")
#: librealsense puts a pixel's centre at whole numbers.
PIXEL_CENTRE_PX = 0.5
#: Cameras whose annotations differ by more than this do not see the same hand.
DISAGREEMENT_M = 0.02


def ho3d_sequences(root: Path) -> list[str]:
    """SPLIT/SEQUENCE of all."""
    return sorted(_folders(root))


def read_ho3d(
    root: Path,
    *,
    sequence: str | None = None,
    cameras: Sequence[str] | None = None,
    follow_links: bool = False,
) -> HandSequence:
    """Read one sequence, named SPLIT/SEQUENCE or SEQUENCE; cameras bear the names of their folders.

    Frames without any image on disk are left out; a single image that is not there is a missing view. Where
    several cameras annotate a frame, the first one's annotation is taken.

    Raises:
        InputError: the dataset is missing, ambiguous, damaged or holds impossible numbers, no frame has a full
            annotation (as in the evaluation split), or the cameras' annotations contradict each other.
    """
    root = Path(root)
    folders = _folders(root)
    name = chosen_sequence(sorted(folders), sequence, root)
    names = chosen_cameras([path.name for path in folders[name]], cameras, root / name)
    rgb = {folder.name: folder / "rgb" for folder in folders[name] if folder.name in names}
    files, findings = numbered_images_of_cameras(rgb, (".jpg", ".png"))
    if not follow_links:
        check_all_links(root, files.values())
    position = frame_positions(frame for frame, _ in files)
    frames = tuple(position)
    if not frames:
        raise InputError(
            "none of the sequence's images is on disk", where=root / name, expected="rgb/0000.jpg ..."
        )
    annotation = cache(_annotation)  # of hand and object
    told = {folder.name: _hands(folder, frames, annotation) for folder in folders[name] if folder.name in names}
    hands = {camera: hand for camera, hand in told.items() if hand is not None}
    if not hands:
        raise InputError(
            "no hand is fully annotated at any of these frames",
            where=root / name,
            expected="handPose, handTrans, handBeta and 21 handJoints3D in meta/",
            fix="the evaluation split publishes the wrist only: take a sequence of the training split",
        )
    poses = _poses(root, name, hands)
    if left_out := [camera for camera, hand in told.items() if hand is None]:
        findings.append(Finding("warning", "cameras without any annotation are left out", name, some(left_out)))
    meta = {folder.name: folder / "meta" for folder in folders[name]}
    calibrated = {
        camera: _camera(
            next(p for (_, owner), p in files.items() if owner == camera), hands[camera].K, pose, meta[camera]
        )
        for camera, pose in poses.items()
        if any(owner == camera for _, owner in files)
    }
    found = read_objects(
        root, {f.name: f for f in folders[name]}, calibrated, position, annotation, follow_links=follow_links
    )
    return HandSequence(
        name=name,
        cameras=calibrated,
        frames=frames,
        images={
            (position[frame], camera): image_reader(path, calibrated[camera].width, calibrated[camera].height)
            for (frame, camera), path in files.items()
            if camera in calibrated
        },
        annotations={"right": _merged([hands[camera].moved(*pose) for camera, pose in poses.items()])},
        source=Ho3dSource(root, {folder.name: folder for folder in folders[name]}, poses),
        write_back=write_ho3d_annotation,
        official_mano=True,
        objects={key: region for key, region in found.regions.items() if (frames[key[0]], key[1]) in files},
        things=tuple(found.things.values()),
        findings=(*findings, *found.findings),
    )


def _folders(root: Path) -> dict[str, list[Path]]:
    """The folders of every sequence, one a camera."""
    sequences: dict[str, list[Path]] = {}
    for split in SPLITS:
        for rgb in sorted((root / split).glob("*/rgb")):
            name = rgb.parent.name
            shared = name[-1].isdecimal() and _calibration(root, name[:-1]).is_dir()
            sequences.setdefault(f"{split}/{name[:-1] if shared else name}", []).append(rgb.parent)
    return sequences


def _calibration(root: Path, sequence: str) -> Path:
    return root / "calibration" / sequence / "calibration"


def _annotation(path: Path) -> Mapping[str, Any]:
    """What a file of `meta/` says; nothing where there is none."""
    return read_pickle(path, "an annotation file") if path.exists() else {}


def _hands(
    folder: Path, frames: Sequence[FrameId], annotation: Callable[[Path], Mapping[str, Any]]
) -> HandsOfCamera | None:
    """What one camera's files say; None where none is a full annotation."""
    shapes = {"handPose": (48,), "handBeta": (10,), "handTrans": (3,), "handJoints3D": (21, 3), "camMat": (3, 3)}
    arrays = {key: np.zeros((len(frames), *shape)) for key, shape in shapes.items()}
    valid = np.zeros(len(frames), dtype=bool)
    for index, frame in enumerate(frames):
        path = folder / "meta" / f"{frame:04d}.pkl"
        meta = annotation(path)
        # Frames that nobody annotated hold None, those of the evaluation split the wrist in the joints' place.
        if any(meta.get(key) is None for key in shapes) or _is_a_point(meta["handJoints3D"]):
            continue
        for key, shape in shapes.items():
            arrays[key][index] = as_finite(meta[key], shape, f"{path}, {key}")
        valid[index] = True
    if not valid.any():
        return None
    K = arrays["camMat"][valid.argmax()]
    if np.abs(arrays["camMat"][valid] - K).max() > 1e-3:
        raise InputError("a camera matrix changes within a sequence", where=f"{folder}/meta, camMat")
    opengl = HandsOfCamera(
        valid,
        arrays["handPose"],
        arrays["handBeta"],
        arrays["handTrans"],
        arrays["handJoints3D"][:, JOINT_ORDER],
        K,
    )
    return opengl.moved(OPENCV_FROM_OPENGL, np.zeros(3))


def _is_a_point(joints: object) -> bool:
    if isinstance(joints, np.ndarray):
        return joints.size == 3
    return isinstance(joints, list | tuple) and len(joints) == 3


def _poses(root: Path, name: str, hands: Mapping[str, HandsOfCamera]) -> dict[str, Pose]:
    """Rotation and translation from every camera to the world.

    Of the two ways to read cam_orders.txt (camera of a transform, transform of a camera) it takes the toolkit's,
    unless the cameras agree on where the hand is by the other one only.
    """
    folder = _calibration(root, name.rsplit("/", maxsplit=1)[-1])
    if not folder.is_dir():
        return {camera: (np.eye(3), np.zeros(3)) for camera in hands}
    path = folder / "cam_orders.txt"
    listed = read_text_numbers(path)
    order = [int(number) for number in as_finite(listed, (listed.size,), str(path))]
    if sorted(order) != list(range(len(order))):
        raise InputError("the order of the cameras is no permutation", where=path, found=order)
    readings = []
    for index_of in ({camera: i for i, camera in enumerate(order)}, dict(enumerate(order))):
        poses = {}
        for camera in hands:
            if int(camera[-1]) not in index_of:
                raise InputError("a camera has no calibration", where=path, found=camera)
            file = folder / f"trans_{index_of[int(camera[-1])]}.txt"
            T = as_finite(read_text_numbers(file), (4, 4), str(file))
            _check_motion(T, str(file))
            poses[camera] = T[:3, :3], T[:3, 3]
        readings.append(poses)
    apart_m = [_disagreement_m([hands[c].moved(*pose) for c, pose in poses.items()]) for poses in readings]
    if min(apart_m) > DISAGREEMENT_M:
        raise InputError(
            "the cameras' annotations contradict each other",
            where=root / name,
            expected=f"the same hand within {DISAGREEMENT_M * 1e3:.0f} mm",
            found=f"{apart_m[0] * 1e3:.0f} mm apart",
            fix=f"use one camera: --cameras {next(iter(hands))}",
        )
    return readings[0] if apart_m[0] <= DISAGREEMENT_M else readings[1]


def _disagreement_m(hands: Sequence[HandsOfCamera]) -> float:
    """Median distance of the joints that the first camera and another one give at the same frame."""
    first, *others = hands
    both = [first.valid & other.valid for other in others]
    apart = [
        np.linalg.norm(first.joints[k] - other.joints[k], axis=-1).ravel()
        for k, other in zip(both, others, strict=True)
    ]
    distances = np.concatenate([np.zeros(0), *apart])
    return float(np.median(distances)) if len(distances) else 0.0


def _check_motion(T: Float[np.ndarray, "4 4"], where: str) -> None:
    R = T[:3, :3]
    off = float(np.abs(R @ R.T - np.eye(3)).max())
    if off > 1e-3 or np.linalg.det(R) < 0 or np.abs(T[3] - [0, 0, 0, 1]).max() > 1e-6:
        raise InputError(
            "a transform is no rigid motion",
            where=where,
            expected="a rotation and a translation, last row 0 0 0 1",
            found=f"{off:.2g} from orthonormal, determinant {np.linalg.det(R):.4g}",
        )


def _camera(image: Path, K: np.ndarray, pose: Pose, meta: Path) -> Camera:
    header = image_header(image)
    fx, fy, cx, cy = focal_and_centre(K, f"{meta}, camMat")
    R, t = pose
    pinhole = Pinhole(header.width, header.height, fx, fy, cx + PIXEL_CENTRE_PX, cy + PIXEL_CENTRE_PX)
    return calibrated_camera(meta.parent.name, pinhole, R.T, -R.T @ t, f"{meta}, camMat", grey=header.grey)


def _merged(hands: Sequence[HandsOfCamera]) -> HandAnnotation:
    """The annotation in the world, from the first camera that has one at each frame."""
    valid = np.stack([hand.valid for hand in hands])
    first, frames = valid.argmax(axis=0), np.arange(valid.shape[1])

    def chosen(name: str) -> np.ndarray:
        return np.array([getattr(hand, name) for hand in hands])[first, frames]

    annotated = np.any(valid, axis=0)
    return HandAnnotation(
        "right",
        mano=ManoParameters(chosen("pose_aa"), chosen("shape"), chosen("trans_m"), flat_hand_mean=True),
        mano_valid=annotated,
        joints_world=chosen("joints"),
        joint_valid=np.tile(annotated[:, None], (1, 21)),
    )


HO3D = DatasetFormat(
    name="ho3d",
    marks="train/FOLDER/meta/ or evaluation/FOLDER/meta/",
    recognise=lambda root: any(any((root / split).glob("*/meta")) for split in SPLITS),
    list_sequences=ho3d_sequences,
    read=read_ho3d,
    write_all=each_by_itself(write_ho3d_annotation),
)

"""The images of an import as its dataset has them: undistorted, and made only when they are asked for."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Bool, Float, UInt8
from torch.nn.functional import pad

from handrefine.camera import Camera, CameraPath
from handrefine.capture.calibration.rig_camera import RigCamera
from handrefine.capture.check_picture import drawn_view, sheet
from handrefine.capture.joints import JointsInSpace
from handrefine.capture.masks import MaskFiles
from handrefine.capture.sources import FrameSource, file_of
from handrefine.capture.undistortion import Undistortion
from handrefine.io.image_files import write_image
from handrefine.sequence import FrameId, FrameIndex, ViewKey

Rgb8 = UInt8[np.ndarray, "height width 3"]
#: The picture shows so many frames and cameras at most.
_ROWS, _COLUMNS = 4, 4
#: Endings of files that need no other copy.
LINKED = (".jpg", ".jpeg", ".png")


class DatasetImages(Mapping[ViewKey, Rgb8]):
    """Images by `ViewKey`, sRGB bytes, undistorted unless lenses are kept. They come a camera after the other, so
    that a video is read once."""

    def __init__(
        self,
        sources: Mapping[str, FrameSource],
        cameras: Sequence[RigCamera],
        frames: Sequence[FrameId],
        names: Mapping[str, str],
        *,
        keep_distorted: bool = False,
    ) -> None:
        """
        Args:
            cameras: in metres, in the order of `sources`.
            frames: of the dataset.
            names: of the dataset's cameras, by the sources'.
            keep_distorted: images stay as they were taken, and cameras keep their lenses.
        """
        self.sources = {names[name]: source for name, source in sources.items()}
        self.frames = tuple(frames)
        self.cameras = {names[camera.name]: camera for camera in cameras}
        self._undistortions = {
            name: Undistortion(camera, self.sources[name].size, keep_lens=keep_distorted)
            for name, camera in self.cameras.items()
        }
        self._keys = [
            (FrameIndex(k), name)
            for name, source in self.sources.items()
            for k, frame in enumerate(frames)
            if frame in set(source.numbers) and self._has_pose(name, frame)
        ]
        self._name, self._reading, self._next = "", iter(()), 0

    @property
    def dataset_cameras(self) -> dict[str, Camera]:
        """The dataset's cameras; paths of those that move are at its frames."""
        cameras = {name: replace(u.camera, name=name) for name, u in self._undistortions.items()}
        return {name: self._on_path(camera) for name, camera in cameras.items()}

    def _has_pose(self, name: str, frame: FrameId) -> bool:
        path = self.cameras[name].path
        return path is None or frame in path.frames

    def _on_path(self, camera: Camera) -> Camera:
        if (path := camera.path) is None:
            return camera
        rows = [path.row(frame) for frame in self.frames if frame in path.frames]
        frames = tuple(path.frames[k] for k in rows)
        return (
            camera.moving(CameraPath(frames, path.R_cam_world[rows], path.t_cam_world[rows])) if rows else camera
        )

    def __len__(self) -> int:
        return len(self._keys)

    def __iter__(self) -> Iterator[ViewKey]:
        return iter(self._keys)

    def __getitem__(self, key: ViewKey) -> Rgb8:
        index, name = key
        return self._undistortions[name](self.original(name, self.frames[index]))

    def as_kept(self, name: str, uv_px: Float[np.ndarray, "*batch 2"]) -> Float[np.ndarray, "*batch 2"]:
        """Where the dataset's image of a camera shows what the image as it was taken shows at a position."""
        camera = replace(self._undistortions[name].camera, path=None)
        rays = torch.as_tensor(self.cameras[name].rays(uv_px))
        return camera.project(camera.from_camera(pad(rays, (0, 1), value=1.0))).numpy()

    def links(self) -> dict[ViewKey, Path]:
        """The files of those images that the dataset has as they are."""
        files = {
            key: file_of(self.sources[key[1]], self.frames[key[0]])
            for key in self._keys
            if not self._undistortions[key[1]].changes
        }
        return {key: path.resolve() for key, path in files.items() if path is not None and path.suffix in LINKED}

    def read_mask(self, masks: MaskFiles, key: ViewKey) -> Bool[np.ndarray, "height width"]:
        """A mask of one of the images, undistorted."""
        index, name = key
        mask = masks.read(self.frames[index]).astype(np.uint8) * 255
        return self._undistortions[name].mask(mask) > 127

    def original(self, name: str, frame: FrameId) -> Rgb8:
        """The image as it was taken. Quick where frames of one camera are asked for in ascending order."""
        if name != self._name or frame < self._next:
            wanted = [f for f in self.frames if f >= frame]
            self._name, self._reading = name, self.sources[name].images(wanted)
        for number, image in self._reading:
            self._next = number + 1
            if number == frame:
                return image
        self._name = ""
        raise KeyError((frame, name))


class DatasetMasks(Mapping[ViewKey, Bool[np.ndarray, "height width"]]):
    """Masks by `ViewKey`, undistorted, read when they are asked for."""

    def __init__(self, images: DatasetImages, masks: Mapping[str, MaskFiles]) -> None:
        """masks: by the dataset's names of cameras."""
        self._images, self._masks = images, masks
        self._keys = [(k, name) for k, name in images if images.frames[k] in getattr(masks.get(name), "files", ())]

    def __len__(self) -> int:
        return len(self._keys)

    def __iter__(self) -> Iterator[ViewKey]:
        return iter(self._keys)

    def __getitem__(self, key: ViewKey) -> Bool[np.ndarray, "height width"]:
        return self._images.read_mask(self._masks[key[1]], key)


def write_check_picture(path: Path, images: DatasetImages, joints: JointsInSpace, rows: Sequence[int]) -> None:
    """Some frames in some cameras, the joints drawn onto the dataset's own images.

    Args:
        rows: positions of the dataset's frames among the joints.
    """
    places = np.unique(np.linspace(0, len(rows) - 1, min(_ROWS, len(rows))).round().astype(int)).tolist()
    cameras, views = images.dataset_cameras, {}
    names = list(cameras)[:_COLUMNS]
    for name in names:
        c = list(cameras).index(name)
        camera = cameras[name]
        for k in places:
            if (FrameIndex(k), name) not in set(images):
                continue
            detected = images.as_kept(name, joints.detections.uv_px[c, rows[k]])
            projected = camera.at(images.frames[k]).pixels(joints.joints_world[rows[k]])
            views[rows[k], name] = drawn_view(images[FrameIndex(k), name], projected, detected)
    write_image(path, sheet(views, [rows[k] for k in places], names))

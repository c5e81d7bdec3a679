"""Finding one's way in a finished run: frames by frame number, cameras by name, a state, the texture."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import imageio.v3 as iio
import numpy as np
from jaxtyping import Float

from handrefine.colour import srgb8_to_linear
from handrefine.errors import InputError
from handrefine.runs.annotation_file import HandState, RunAnnotation, read_annotation_npz
from handrefine.runs.both_hands import refuse_both_hands
from handrefine.sequence import Camera

Which = Literal["before", "after"]


@dataclass(frozen=True, eq=False)
class FinishedRun:
    """A run folder that can be looked at.

    Attributes:
        folder: the run folder.
        annotation: its hand before and after, cameras and views.
    """

    folder: Path
    annotation: RunAnnotation

    @staticmethod
    def open(folder: Path) -> "FinishedRun":
        """Read what is needed to find everything else.

        Raises:
            InputError: there is no finished run, or it is one of both hands.
        """
        if not folder.is_dir():
            raise InputError("the run folder does not exist", where=folder, fix="give the --out of a refine")
        refuse_both_hands(folder)
        return FinishedRun(folder, read_annotation_npz(folder / "annotation.npz"))

    def state(self, which: Which) -> HandState:
        return self.annotation.before if which == "before" else self.annotation.after

    def frames(self, frame: int | None) -> tuple[int, ...]:
        """Indices of the frames: that of one frame number, or all.

        Raises:
            InputError: the run has no such frame.
        """
        frames = self.annotation.frames
        if frame is None:
            return tuple(range(len(frames)))
        if frame not in frames:
            raise InputError(
                f"the run has no frame {frame}",
                where=self.folder,
                expected="one of " + ", ".join(map(str, frames)),
            )
        return (frames.index(frame),)

    def camera(self, name: str | None) -> Camera:
        """A camera by its name, or the first one.

        Raises:
            InputError: the run has no such camera.
        """
        cameras = {camera.name: camera for camera in self.annotation.cameras}
        if not cameras or (name is not None and name not in cameras):
            raise InputError(
                "the run has no camera" + ("" if name is None else f" {name!r}"),
                where=self.folder,
                expected="one of " + ", ".join(cameras) if cameras else None,
            )
        return next(iter(cameras.values())) if name is None else cameras[name]

    @property
    def texture_file(self) -> Path:
        """The reflectance, 8-bit sRGB.

        Raises:
            InputError: it is missing.
        """
        return self._file("texture.png")

    def texture(self) -> Float[np.ndarray, "height width 3"]:
        """The reflectance, linear RGB, row 0 at the top.

        Raises:
            InputError: the picture is missing or broken.
        """
        try:
            return srgb8_to_linear(np.asarray(iio.imread(self.texture_file))[..., :3])
        except (OSError, ValueError) as error:
            raise InputError("the run's texture cannot be read", where=self.texture_file, found=error) from error

    @property
    def environment_file(self) -> Path:
        """The light as a map of radiance, in the layout of `handrefine.spherical`.

        Raises:
            InputError: it is missing.
        """
        return self._file("environment.exr")

    def _file(self, name: str) -> Path:
        path = self.folder / name
        if not path.is_file():
            raise InputError(f"the run folder lacks {name}", where=self.folder, fix="run the refinement again")
        return path

"""Where images come from: a video file or a folder of image files, one a camera."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Protocol, runtime_checkable

import cv2
import numpy as np
from jaxtyping import UInt8

from handrefine.errors import InputError
from handrefine.io.image_files import image_header, read_pixels
from handrefine.sequence import FrameId

Rgb8 = UInt8[np.ndarray, "height width 3"]
#: Files whose names hold one of these are masks of images, not images.
MASK_WORDS = re.compile(r"(^|[_.\- ])(mask|masks|seg|segmentation|matte|alpha)([_.\- ]|\d|$)", re.IGNORECASE)
IMAGE_ENDINGS = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp")


@runtime_checkable
class FrameSource(Protocol):
    """The images of one camera.

    numbers: of its frames, ascending; frames of several cameras with the same number belong together.
    size: (width, height) in pixels.
    fps: frames a second, where known.
    """

    @property
    def where(self) -> Path: ...
    @property
    def numbers(self) -> tuple[FrameId, ...]: ...
    @property
    def size(self) -> tuple[int, int]: ...
    @property
    def fps(self) -> float | None: ...

    def images(self, numbers: Sequence[FrameId]) -> Iterator[tuple[FrameId, Rgb8]]:
        """sRGB bytes of the frames that are named, ascending; those that cannot be had are left out."""
        ...


@dataclass(frozen=True)
class VideoSource:
    """A video file, decoded by OpenCV; its frames are numbered from 0."""

    where: Path

    def __post_init__(self) -> None:
        if not self.where.is_file():
            raise InputError("a video does not exist", where=self.where)
        if not self.numbers or min(self.size) <= 0:
            raise InputError("a video cannot be decoded, or holds no frame", where=self.where)

    @cached_property
    def _properties(self) -> tuple[int, int, int, float]:
        """Count, width, height, frames a second. Headers promise more frames than there are: they are counted."""
        video = cv2.VideoCapture(str(self.where))
        width, height = (int(video.get(key)) for key in (cv2.CAP_PROP_FRAME_WIDTH, cv2.CAP_PROP_FRAME_HEIGHT))
        fps = float(video.get(cv2.CAP_PROP_FPS))
        count = 0
        while video.grab():
            count += 1
        video.release()
        return count, width, height, fps

    @property
    def numbers(self) -> tuple[FrameId, ...]:
        return tuple(FrameId(k) for k in range(self._properties[0]))

    @property
    def size(self) -> tuple[int, int]:
        return self._properties[1], self._properties[2]

    @property
    def fps(self) -> float | None:
        return self._properties[3] or None

    def images(self, numbers: Sequence[FrameId]) -> Iterator[tuple[FrameId, Rgb8]]:
        """Reads on from frame to frame: seeking in a compressed video does not always meet the right one."""
        wanted = set(numbers)
        video = cv2.VideoCapture(str(self.where))
        try:
            for number in range(max(wanted, default=-1) + 1):
                if not video.grab():
                    return
                if number in wanted:
                    found, bgr = video.retrieve()
                    if found:
                        yield FrameId(number), cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB)
        finally:
            video.release()


@dataclass(frozen=True)
class FolderSource:
    """A folder of image files; a frame's number is the last one in its file's name."""

    where: Path

    def __post_init__(self) -> None:
        if not self.where.is_dir():
            raise InputError("a folder of images does not exist", where=self.where)
        if not self._files:
            raise InputError("a folder holds no images", where=self.where, expected=", ".join(IMAGE_ENDINGS))

    @cached_property
    def _files(self) -> dict[FrameId, Path]:
        paths = sorted(
            path
            for path in self.where.iterdir()
            if path.suffix.lower() in IMAGE_ENDINGS and path.name[0] != "." and not MASK_WORDS.search(path.stem)
        )
        files: dict[FrameId, Path] = {}
        for path in paths:
            digits = re.findall(r"\d+", path.stem)
            if not digits:
                raise InputError("an image's name has no frame number", where=path, expected="e.g. frame_0012.jpg")
            number = FrameId(int(digits[-1]))
            if number in files:
                raise InputError(
                    "two images have the same frame number",
                    where=self.where,
                    found=f"{files[number].name}, {path.name}",
                    fix="let the last number in a file's name be the frame's",
                )
            files[number] = path
        return dict(sorted(files.items()))

    @property
    def numbers(self) -> tuple[FrameId, ...]:
        return tuple(self._files)

    @property
    def size(self) -> tuple[int, int]:
        return self._first_size

    @cached_property
    def _first_size(self) -> tuple[int, int]:
        header = image_header(next(iter(self._files.values())))
        return header.width, header.height

    @property
    def fps(self) -> float | None:
        return None

    def path(self, number: FrameId) -> Path | None:
        """The frame's own file."""
        return self._files.get(number)

    def images(self, numbers: Sequence[FrameId]) -> Iterator[tuple[FrameId, Rgb8]]:
        """Raises:
        InputError: a file is broken, or its size is not the others'.
        """
        for number in sorted(set(numbers) & set(self._files)):
            yield number, _decoded(self._files[number], self.size)


@dataclass(frozen=True)
class ShiftedSource:
    """The same images under frame numbers that are larger by `shift`."""

    source: FrameSource
    shift: int

    @property
    def where(self) -> Path:
        return self.source.where

    @property
    def numbers(self) -> tuple[FrameId, ...]:
        return tuple(FrameId(number + self.shift) for number in self.source.numbers)

    @property
    def size(self) -> tuple[int, int]:
        return self.source.size

    @property
    def fps(self) -> float | None:
        return self.source.fps

    def path(self, number: FrameId) -> Path | None:
        """The frame's own file, where it has one."""
        return file_of(self.source, FrameId(number - self.shift))

    def images(self, numbers: Sequence[FrameId]) -> Iterator[tuple[FrameId, Rgb8]]:
        for number, image in self.source.images([FrameId(n - self.shift) for n in numbers]):
            yield FrameId(number + self.shift), image


def file_of(source: FrameSource, number: FrameId) -> Path | None:
    """The file of a frame, where the source is made of image files."""
    return source.path(number) if isinstance(source, FolderSource | ShiftedSource) else None


def _decoded(path: Path, size: tuple[int, int]) -> Rgb8:
    """Three channels of 8 bits, turned as EXIF says."""
    pixels = read_pixels(path, *size).colour
    if pixels.dtype == np.uint16:
        pixels = (pixels / 257).round().astype(np.uint8)
    return np.repeat(pixels[:, :, :1], 3, axis=2) if pixels.shape[2] < 3 else np.ascontiguousarray(pixels)


def read_sources(videos: Sequence[str], folders: Sequence[str]) -> dict[str, FrameSource]:
    """The cameras' images, of arguments such as `cam0=a.mp4`.

    Raises:
        InputError: an argument has another form, a name comes twice, or what it names is not there.
    """
    sources: dict[str, FrameSource] = {}
    for arguments, kind in ((videos, VideoSource), (folders, FolderSource)):
        for argument in arguments:
            name, equals, path = argument.partition("=")
            if not equals or not name or not path:
                raise InputError("a camera's images are given as NAME=PATH", found=argument, expected="cam0=a.mp4")
            if name in sources:
                raise InputError("a camera's images are given twice", found=name)
            sources[name] = kind(Path(path))
    if len(sources) < 2:
        raise InputError(
            "a capture needs two cameras at least", found=", ".join(sources) or "none",
            fix="--video cam0=a.mp4 cam1=b.mp4, or --images cam0=DIR cam1=DIR",
        )  # fmt: skip
    return sources


def all_frames(sources: Sequence[FrameSource]) -> tuple[FrameId, ...]:
    """The numbers of all frames that any camera has, ascending."""
    return tuple(sorted({number for source in sources for number in source.numbers}))

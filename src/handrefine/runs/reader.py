"""The one reader of run folders: every piece is read when it is first asked for.

A piece that is missing or broken raises an `InputError` that names its file; whoever can do without it may go on.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from jaxtyping import Bool, Float

from handrefine.config import Config
from handrefine.config_files import config_from_mapping
from handrefine.errors import InputError
from handrefine.io.text_files import read_json, read_json_lines, read_yaml
from handrefine.person import read_person
from handrefine.progress import Record
from handrefine.runs import appearance_files
from handrefine.runs.annotation_file import read_annotation_npz
from handrefine.runs.layout import RunLayout
from handrefine.runs.result import CameraResult, HandResult, HandState, Metrics, RunAnnotation, RunResult
from handrefine.runs.verdict_file import read_verdicts
from handrefine.runs.view_files import ViewEntry, ViewImages, read_view, read_view_index, read_view_result
from handrefine.sequence import Camera, FrameId, FrameIndex, Side
from handrefine.spherical import radiance_map

Which = Literal["before", "after"]


def open_run(path: Path) -> "Run":
    """A finished run folder, of one hand or of several.

    Raises:
        InputError: there is no finished run.
    """
    layout = RunLayout(Path(path))
    hands = tuple(HandRun(of) for _, of in layout.hands()) or (HandRun(layout),)
    if not layout.root.is_dir():
        raise InputError("the run folder does not exist", where=path, fix="give the --out of a refine")
    if not any(piece.is_file() for piece in (layout.metrics, layout.annotation, hands[0].layout.annotation)):
        raise InputError(
            "this is not a finished run folder",
            where=path,
            expected=f"a folder with {layout.metrics.name}",
            fix="give the --out of a refine, or DEMO/run for a demo",
        )
    return Run(layout, hands)


@dataclass(frozen=True, eq=False)
class _Folder:
    """What a hand's folder and the folder of several hands both hold."""

    layout: RunLayout

    @cached_property
    def metrics(self) -> Metrics:
        """Figures before and after; runs of earlier versions called frames instants."""
        metrics = _mapping(self.layout.metrics, read_json(self.layout.metrics))
        return {{"per_instant": "per_frame"}.get(name, name): value for name, value in metrics.items()}

    @cached_property
    def configuration(self) -> Mapping[str, Any]:
        """`config.yaml` as it is."""
        return _mapping(self.layout.config, read_yaml(self.layout.config))

    @cached_property
    def config(self) -> Config:
        """All settings."""
        settings = self.configuration.get("config")
        return config_from_mapping(_mapping(self.layout.config, settings), where=self.layout.config)

    @cached_property
    def records(self) -> list[Record]:
        """The log, one entry an iteration; a run without iterations has none."""
        path = self.layout.log
        if not path.exists():
            return []
        return [_mapping(path, line) for line in read_json_lines(path)]

    @cached_property
    def warnings(self) -> Mapping[str, int]:
        return _mapping(self.layout.warnings, read_json(self.layout.warnings), int)

    @cached_property
    def held_out(self) -> Metrics:
        """What held-out cameras say, see `HeldOutReport`."""
        return _mapping(self.layout.held_out, read_json(self.layout.held_out))


@dataclass(frozen=True, eq=False)
class HandRun(_Folder):
    """The folder of one hand."""

    @cached_property
    def annotation(self) -> RunAnnotation:
        """The hand before and after, cameras and views."""
        return read_annotation_npz(self.layout.annotation)

    @property
    def side(self) -> Side:
        return self.annotation.side

    def state(self, which: Which) -> HandState:
        return self.annotation.before if which == "before" else self.annotation.after

    def frame_indices(self, frame: int | None) -> tuple[FrameIndex, ...]:
        """Positions of the frames: that of one of the dataset's frame numbers, or all.

        Raises:
            InputError: the run has no such frame.
        """
        frames = self.annotation.frames
        if frame is None:
            return tuple(map(FrameIndex, range(len(frames))))
        if frame not in frames:
            raise InputError(
                f"the run has no frame {frame}",
                where=self.layout.root,
                expected="one of " + ", ".join(map(str, frames)),
            )
        return (FrameIndex(frames.index(FrameId(frame))),)

    def camera(self, name: str | None) -> Camera:
        """A camera by its name, or the first one.

        Raises:
            InputError: the run has no such camera.
        """
        cameras = {camera.name: camera for camera in self.annotation.cameras}
        if not cameras or (name is not None and name not in cameras):
            raise InputError(
                "the run has no camera" + ("" if name is None else f" {name!r}"),
                where=self.layout.root,
                expected="one of " + ", ".join(cameras) if cameras else None,
            )
        return next(iter(cameras.values())) if name is None else cameras[name]

    @property
    def texture_file(self) -> Path:
        """The file of the reflectance, 8-bit sRGB, row 0 at the top.

        Raises:
            InputError: it is missing.
        """
        path = self.layout.texture
        if not path.is_file():
            raise InputError(f"the run folder lacks {path.name}", where=path, fix="run the refinement again")
        return path

    @cached_property
    def texture(self) -> Float[np.ndarray, "height width 3"]:
        """The reflectance, linear RGB; where frames are independent, that of the first."""
        return appearance_files.read_texture(self.layout.texture)

    @cached_property
    def texture_seen(self) -> Bool[np.ndarray, "seen_size seen_size"]:
        """Texels that at least one camera saw, on a coarser grid."""
        return appearance_files.read_seen_texels(self.layout.texture_seen)

    @cached_property
    def stage_textures(self) -> Mapping[str, Float[np.ndarray, "_ _ 3"]]:
        """The texture at the end of every stage, in the order of the stages where the log tells it."""
        try:
            order = list(dict.fromkeys(str(record.get("stage")) for record in self.records))
        except InputError:
            order = []
        paths = self.layout.stage_textures.glob("*.png")
        in_order = sorted(paths, key=lambda path: (order.index(path.stem) if path.stem in order else -1, path))
        return {path.stem: appearance_files.read_texture(path) for path in in_order}

    @cached_property
    def light(self) -> Float[np.ndarray, "coefficient 3"]:
        """The spherical harmonics of the light."""
        return appearance_files.read_light(self.layout.light)

    @cached_property
    def environment(self) -> Float[np.ndarray, "map_height map_width 3"]:
        """The light as a map, baked from its coefficients as `environment.exr` was."""
        return radiance_map(torch.as_tensor(self.light), self.config.light.map_height).numpy()

    @cached_property
    def colour_transforms(self) -> Mapping[str, Float[np.ndarray, "3 4"]]:
        """[M | b] of every camera by its name."""
        return appearance_files.read_colour_transforms(self.layout.colours)

    @cached_property
    def camera_weights(self) -> list[Mapping[str, Any]]:
        """How far every camera was believed."""
        return appearance_files.read_camera_weights(self.layout.cameras)

    @cached_property
    def views(self) -> tuple[ViewEntry, ...]:
        return read_view_index(self.layout)

    def view_images(self, entry: ViewEntry) -> ViewImages:
        """The images of one view as they are stored."""
        return read_view(self.layout, entry)


@dataclass(frozen=True, eq=False)
class Run(_Folder):
    """A finished run: what its hands have in common, and each hand's own folder (this one, where it is alone)."""

    hands: tuple[HandRun, ...]

    def only_hand(self) -> HandRun:
        """The hand of a run of one.

        Raises:
            InputError: there are several.
        """
        if len(self.hands) != 1:
            raise InputError(
                "this is a run of both hands, one is wanted",
                where=self.layout.root,
                expected="the run folder of one hand",
                fix="give " + " or ".join(str(hand.layout.root) for hand in self.hands),
            )
        return self.hands[0]

    @property
    def _seconds(self) -> float:
        """How long the run took; 0 where that is not known."""
        seconds = 0.0 if (known := self.metrics.get("seconds")) is None else known
        if not isinstance(seconds, int | float) or not 0 <= seconds < 1e12:
            raise InputError(
                "a figure of the run is broken", where=f"{self.layout.metrics}, seconds", found=seconds
            )
        return float(seconds)

    def result(self, *, images: bool = True) -> RunResult:
        """What was written, up to 8 bits in textures and images.

        images: with the views and the textures of the stages; without them a result can be judged, not shown.
        """
        return RunResult(
            sequence_name=str(self.configuration.get("sequence", "")),
            config=self.config,
            hands=tuple(_hand_result(hand, images=images) for hand in self.hands),
            cameras=tuple(_camera_results(self.hands[0])),
            environment=self.hands[0].environment,
            light_coefficients=self.hands[0].light,
            records=self.records,
            seconds=self._seconds,
            variant=str(self.metrics.get("variant", "")),
            version=str(self.metrics.get("version", "")),
            warnings=self.warnings,
        )


def _hand_result(hand: HandRun, *, images: bool) -> HandResult:
    annotation, textures, seen = hand.annotation, hand.texture[None], hand.texture_seen[None]
    if hand.layout.textures.is_dir():
        layout, read = hand.layout, appearance_files
        textures = np.stack([read.read_texture(layout.texture_of(frame)) for frame in annotation.frames])
        seen = np.stack([read.read_seen_texels(layout.texture_seen_of(frame)) for frame in annotation.frames])
    return HandResult(
        side=annotation.side,
        hand_model=annotation.hand_model,
        open_hand=annotation.open_hand,
        topology=annotation.topology,
        frames=annotation.frames,
        before=annotation.before,
        after=annotation.after,
        textures=textures,
        textures_seen=seen,
        stage_textures=hand.stage_textures if images else {},
        views=tuple(read_view_result(hand.layout, entry) for entry in hand.views) if images else (),
        other_joints_world=annotation.other_joints_world,
        pca_components=annotation.pca_components,
        joint_residual_mm=hand.metrics.get("joint_fit_residual_mm"),
        residual_by_joint_mm=hand.metrics.get("joint_fit_residual_by_joint_mm") or {},
        person=read_person(hand.layout.person) if hand.layout.person.is_file() else None,
        filled=tuple(frame for frame, of in read_verdicts(hand.layout).items() if of.get("filled")),
        evidence=annotation.evidence,
    )


def _camera_results(hand: HandRun) -> list[CameraResult]:
    weights, transforms = {str(of.get("camera")): of for of in hand.camera_weights}, hand.colour_transforms
    try:
        return [
            appearance_files.camera_result(camera, weights[camera.name], transforms[camera.name])
            for camera in hand.annotation.cameras
        ]
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise InputError(
            "a camera's weight or colours are missing", where=hand.layout.cameras, found=error
        ) from error


def _mapping(path: Path, value: Any, kind: type = object) -> Mapping[str, Any]:
    if not isinstance(value, Mapping) or not all(isinstance(item, kind) for item in value.values()):
        raise InputError("a file of a run holds no mapping, or of other things", where=path)
    return value

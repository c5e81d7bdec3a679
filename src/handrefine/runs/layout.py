"""Every name of the run folder, in one place."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import get_args, overload

from handrefine.io.safe_paths import as_file_name
from handrefine.sequence import FrameId, Side

#: Every run folder holds this file, and only a folder that holds it is ever overwritten.
MARKER = ".handrefine"
#: A demo's folder holds the video that was made and the run that refined it.
DEMO_DATA, DEMO_RUN = "data", "run"


class _Place:
    """A file, or a folder (its name ends in `/`), below the root of a layout."""

    def __init__(self, name: str) -> None:
        self.name = name

    @overload
    def __get__(self, layout: None, owner: type) -> "_Place": ...
    @overload
    def __get__(self, layout: "RunLayout", owner: type) -> Path: ...
    def __get__(self, layout: "RunLayout | None", owner: type) -> "_Place | Path":
        return self if layout is None else layout.root / self.name


def view_stem(frame: FrameId, camera: str) -> str:
    """How files of one view begin; a camera's name is data, and must not lead anywhere."""
    return f"frame{frame}_cam{as_file_name(camera)}"


@dataclass(frozen=True)
class RunLayout:
    """Where everything of a run lies: of one hand, or what several hands have in common.

    A run of several hands holds a complete folder for each, see `hand`, and beside them what they share.
    """

    root: Path

    task = _Place("task.json")
    provenance = _Place("provenance.json")
    checkpoints = _Place("checkpoint/")
    config = _Place("config.yaml")
    metrics = _Place("metrics.json")
    warnings = _Place("warnings.json")
    log = _Place("log.jsonl")
    live = _Place("live/")
    loss_curves = _Place("loss.png")
    annotation = _Place("annotation.npz")
    person = _Place("person.npz")
    dataset = _Place("dataset/")
    texture = _Place("texture.png")
    texture_seen = _Place("texture_seen.png")
    textures = _Place("textures/")
    stage_textures = _Place("texture_stages/")
    environment = _Place("environment.exr")
    light = _Place("environment.json")
    colours = _Place("colour.json")
    cameras = _Place("cameras.json")
    overlays = _Place("overlays/")
    overview = _Place("overview.png")
    views = _Place("views/")
    view_index = _Place("views/views.json")
    verdict = _Place("verdict.json")
    held_out = _Place("holdout.json")
    held_out_overlays = _Place("holdout/")
    report = _Place("report.html")

    @classmethod
    def names(cls) -> set[str]:
        """All names, those of folders with a `/` at their end."""
        return {place.name for place in vars(cls).values() if isinstance(place, _Place)}

    def hand(self, side: Side) -> "RunLayout":
        """The folder of one hand in a run of several."""
        return RunLayout(self.root / side)

    def hands(self) -> Iterator[tuple[Side, "RunLayout"]]:
        """The hands' folders of a run of several; none where this folder is one hand's own."""
        if not self.annotation.is_file():
            yield from ((side, self.hand(side)) for side in get_args(Side) if self.hand(side).annotation.is_file())

    def texture_of(self, frame: FrameId) -> Path:
        """The texture of one frame, where frames are independent."""
        return self.textures / f"{frame}.png"

    def texture_seen_of(self, frame: FrameId) -> Path:
        return self.textures / f"{frame}_seen.png"

    def stage_texture(self, stage: str) -> Path:
        return self.stage_textures / f"{as_file_name(stage)}.png"

    def overlay(self, frame: FrameId, camera: str) -> Path:
        return self.overlays / f"{view_stem(frame, camera)}.png"

    def held_out_overlay(self, frame: FrameId, camera: str) -> Path:
        return self.held_out_overlays / f"{view_stem(frame, camera)}.png"

    def view(self, frame: FrameId, camera: str, kind: str) -> Path:
        """One of a view's images; kind: image, label, before, after, own_before or own_after."""
        return self.views / f"{view_stem(frame, camera)}_{kind}.png"

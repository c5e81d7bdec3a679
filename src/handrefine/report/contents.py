"""What a report shows of a run; pieces that are missing or broken become notes: a report shows what there is."""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from jaxtyping import Bool, Float

from handrefine.errors import InputError
from handrefine.progress import Record
from handrefine.runs.reader import HandRun
from handrefine.runs.result import RunAnnotation
from handrefine.runs.verdict_file import read_verdicts
from handrefine.runs.view_files import ViewEntry
from handrefine.sequence import FrameId

log = logging.getLogger(__name__)
T = TypeVar("T")
#: Linear RGB, row 0 at the top.
Texture = Float[np.ndarray, "_ _ 3"]


@dataclass(frozen=True, eq=False)
class RunContents:
    """Everything a report shows; empty or None where the folder lacks it, and `notes` say so.

    light: spherical harmonics coefficients. colours: [M | b] of every camera, by its name.
    held_out: figures of cameras that the fit never saw, as in `holdout.json`; empty where none were held out.
    camera_weights: how much every camera counted, as in `cameras.json`; empty where all counted alike.
    verdicts: of every frame, as in `verdict.json`; empty where the run was not judged frame by frame.
    stages: the texture at the end of every stage, in the order of the stages.
    """

    run: HandRun
    metrics: Mapping[str, Any]
    configuration: Mapping[str, Any]
    records: list[Record]
    warnings: Mapping[str, int]
    annotation: RunAnnotation | None
    views: tuple[ViewEntry, ...]
    texture: Texture | None
    texture_seen: Bool[np.ndarray, "_ _"] | None
    stages: Mapping[str, Texture]
    light: Float[np.ndarray, "coefficient 3"] | None
    colours: Mapping[str, Float[np.ndarray, "3 4"]]
    held_out: Mapping[str, Any]
    camera_weights: list[Mapping[str, Any]]
    verdicts: Mapping[FrameId, Mapping[str, Any]]
    notes: list[str]

    @property
    def title(self) -> str:
        return str(self.configuration.get("sequence", self.run.layout.root.name))


def read_contents(run: HandRun) -> RunContents:
    """Read all that there is."""
    notes: list[str] = []
    layout = run.layout

    def piece(path: Path, read: Callable[[], T], missing: T, *, optional: bool = False) -> T:
        """What `read` gives, or `missing` and a note; an optional piece may be missing without one."""
        name = path.relative_to(layout.root).as_posix()
        if not path.exists():
            if not optional:
                notes.append(f"{name} is not in the run folder.")
            return missing
        try:
            return read()
        except InputError as error:
            log.warning("%s cannot be shown: %s", path, error)
            notes.append(f"{name} cannot be read.")
            return missing

    records = piece(layout.log, lambda: run.records, [])
    return RunContents(
        run=run,
        metrics=piece(layout.metrics, lambda: run.metrics, {}),
        configuration=piece(layout.config, lambda: run.configuration, {}),
        records=records,
        warnings=piece(layout.warnings, lambda: run.warnings, {}),
        annotation=piece(layout.annotation, lambda: run.annotation, None),
        views=piece(layout.view_index, lambda: run.views, ()),
        texture=piece(layout.texture, lambda: run.texture, None),
        texture_seen=piece(layout.texture_seen, lambda: run.texture_seen, None),
        stages=piece(layout.stage_textures, lambda: run.stage_textures, {}),
        light=piece(layout.light, lambda: run.light, None),
        colours=piece(layout.colours, lambda: run.colour_transforms, {}),
        held_out=piece(layout.held_out, lambda: run.held_out, {}, optional=True),
        camera_weights=piece(layout.cameras, lambda: run.camera_weights, [], optional=True),
        verdicts=piece(layout.verdict, lambda: read_verdicts(layout), {}, optional=True),
        notes=notes,
    )

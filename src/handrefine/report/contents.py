"""What a run folder holds; pieces that are missing or broken become notes: a report shows what there is."""

import json
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import cv2
import numpy as np
import yaml
from jaxtyping import Float, UInt8

from handrefine.errors import InputError
from handrefine.progress import Record
from handrefine.runs.annotation_file import RunAnnotation, read_annotation_npz
from handrefine.runs.view_images import ViewEntry, read_view_index
from handrefine.spherical import coefficient_count

log = logging.getLogger(__name__)
T = TypeVar("T")
#: Pictures of one run differ in size, so their axes have no names.
Picture = UInt8[np.ndarray, "_ _ 3"]


@dataclass(frozen=True, eq=False)
class RunContents:
    """Everything a report shows; empty or None where the folder lacks it, and `notes` say so.

    light: spherical harmonics coefficients. colours: [M | b] of every camera, by its name.
    held_out: figures of cameras that the fit never saw, as in `holdout.json`; empty where none were held out.
    camera_weights: how much every camera counted, as in `cameras.json`; empty where all counted alike.
    stages: the texture at the end of every stage, in the order of the stages.
    """

    run: Path
    metrics: Mapping[str, Any]
    configuration: Mapping[str, Any]
    records: list[Record]
    warnings: Mapping[str, int]
    annotation: RunAnnotation | None
    views: tuple[ViewEntry, ...]
    texture: Picture | None
    texture_seen: Picture | None
    stages: Mapping[str, Picture]
    light: Float[np.ndarray, "coefficient 3"] | None
    colours: Mapping[str, Float[np.ndarray, "3 4"]]
    held_out: Mapping[str, Any]
    camera_weights: list[Mapping[str, Any]]
    notes: list[str]


def read_contents(run: Path) -> RunContents:
    """Read a run folder.

    Raises:
        InputError: this is no run folder: it has no metrics.
    """
    if not (run / "metrics.json").is_file():
        raise InputError(
            "this is not a finished run folder",
            where=run,
            expected="a folder with metrics.json",
            fix="give the --out of a refine, or DEMO/run for a demo",
        )
    notes: list[str] = []

    def piece(name: str, read: Callable[[Path], T], missing: T, *, optional: bool = False) -> T:
        """The file as `read` makes it, or `missing` and a note; an optional file may be missing without one."""
        path = run / name
        if not path.exists():
            if not optional:
                notes.append(f"{name} is not in the run folder.")
            return missing
        try:
            return read(path)
        except (InputError, OSError, ValueError, KeyError, TypeError, AttributeError, yaml.YAMLError) as error:
            log.warning("%s cannot be shown: %s", path, error)
            notes.append(f"{name} cannot be read.")
            return missing

    records = piece("log.jsonl", _records, [])
    return RunContents(
        run=run,
        metrics=piece("metrics.json", _mapping, {}),
        configuration=piece("config.yaml", _mapping, {}),
        records=records,
        warnings=piece("warnings.json", _mapping, {}),
        annotation=piece("annotation.npz", read_annotation_npz, None),
        views=piece("views/views.json", lambda path: read_view_index(path.parent.parent), ()),
        texture=piece("texture.png", read_picture, None),
        texture_seen=piece("texture_seen.png", read_picture, None),
        stages=piece("texture_stages", lambda folder: _stages(folder, records), {}),
        light=piece("environment.json", _light, None),
        colours=piece("colour.json", _colours, {}),
        held_out=piece("holdout.json", _mapping, {}, optional=True),
        camera_weights=piece("cameras.json", _mappings, [], optional=True),
        notes=notes,
    )


def read_picture(path: Path) -> Picture:
    """A colour picture.

    Raises:
        InputError: it is missing or broken.
    """
    picture = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if picture is None:
        raise InputError("a picture of the run cannot be read", where=path)
    return cv2.cvtColor(picture, cv2.COLOR_BGR2RGB)


def _mapping(path: Path) -> Mapping[str, Any]:
    value = yaml.safe_load(path.read_text(encoding="utf-8")) if path.suffix == ".yaml" else _json(path)
    if not isinstance(value, Mapping):
        raise ValueError(f"{path.name} holds no mapping")
    return value


def _mappings(path: Path) -> list[Mapping[str, Any]]:
    value = _json(path)
    if not isinstance(value, list) or not all(isinstance(entry, Mapping) for entry in value):
        raise ValueError(f"{path.name} holds no list of mappings")
    return value


def _json(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def _records(path: Path) -> list[Record]:
    lines = path.read_text(encoding="utf-8").splitlines()
    return [record for line in lines if line.strip() and isinstance(record := json.loads(line), dict)]


def _stages(folder: Path, records: list[Record]) -> Mapping[str, Picture]:
    order = list(dict.fromkeys(str(record.get("stage")) for record in records))
    paths = sorted(folder.glob("*.png"), key=lambda path: order.index(path.stem) if path.stem in order else -1)
    return {path.stem: read_picture(path) for path in paths}


def _light(path: Path) -> Float[np.ndarray, "coefficient 3"]:
    stored = _json(path)
    coefficients = np.array(stored["coefficients"], dtype=np.float32)
    if coefficients.shape != (coefficient_count(int(stored["order"])), 3):
        raise ValueError(f"{coefficients.shape} coefficients do not belong to order {stored['order']}")
    return coefficients


def _colours(path: Path) -> Mapping[str, Float[np.ndarray, "3 4"]]:
    matrices = {str(name): np.array(matrix, dtype=float) for name, matrix in _json(path)["cameras"].items()}
    if any(matrix.shape != (3, 4) for matrix in matrices.values()):
        raise ValueError("a colour transform is not a 3 x 4 matrix")
    return matrices

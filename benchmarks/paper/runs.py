"""The refinements that an experiment consists of, and the configuration of each."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import yaml

from handrefine.config import Config
from handrefine.config_files import changed, load_config, merged
from handrefine.errors import InputError
from handrefine.refinement.schedule import StageConfig, running
from handrefine.synthetic.mismatch import MismatchSettings
from handrefine.synthetic.truth import TruthKind

Experiment = Literal["fig4", "table1", "texture"]
CONFIGS = Path(__file__).parents[2] / "configs"

#: Seeds of the videos that are reported, and of those on which settings are tuned, start here.
REPORTED, TUNING = 0, 1000

#: The four rows of the paper's Table 1, and what of the method it does not judge.
ABLATIONS: dict[str, Callable[[Config], Mapping[str, Any]]] = {
    "all": lambda _: {},
    "no temporal prior": lambda config: _without(config, "temporal"),
    "no edges": lambda config: _without(config, "edge"),
    "neither": lambda config: _without(config, "temporal", "edge"),
    "no colour transforms": lambda config: _every_stage(
        config, lambda stage: {"variables": [name for name in stage.variables if name != "colour"]}
    ),
    "all levels from the start": lambda config: _every_stage(
        config, lambda _: {"texture_levels": config.stages["joint"].texture_levels}
    ),
}


@dataclass(frozen=True, kw_only=True)
class Scale:
    """How large an experiment is.

    Attributes:
        methods: names of `configs/NAME.yaml`.
        cameras: numbers of cameras to choose among a video's `video_cameras`.
        changes: differences from every method's configuration.
        mismatch: how far mismatched videos leave the model.
        masks: matched videos have their exact masks, too.
    """

    videos: int = 5
    first_seed: int = REPORTED
    frames: int = 10
    size: int = 128
    error_mm: float = 10.0
    video_cameras: int = 16
    cameras: tuple[int, ...] = (2, 4, 8, 16)
    methods: tuple[str, ...] = ("dmvr", "smvr", "paper")
    kinds: tuple[TruthKind, ...] = ("matched", "mismatched")
    changes: Mapping[str, Any]
    mismatch: MismatchSettings = field(default_factory=MismatchSettings)
    masks: bool = False


FULL = Scale(changes={})
#: A look at everything in minutes, for use while settings are tuned: never on the reported videos.
QUICK = Scale(
    videos=1,
    first_seed=TUNING,
    frames=3,
    size=64,
    video_cameras=4,
    cameras=(2, 4),
    methods=("dmvr", "smvr"),
    changes={"texture": {"size": 256}},
)


@dataclass(frozen=True, kw_only=True)
class Run:
    """One refinement of one video.

    Attributes:
        ablation: a row of `ABLATIONS`; None for the method as it is.
        video: the video's seed.
        mismatch, masks: as in `Scale`; None where they are as usual.
    """

    kind: TruthKind
    method: str
    cameras: int
    video: int
    frames: int
    size: int
    video_cameras: int
    error_mm: float
    ablation: str | None = None
    mismatch: MismatchSettings | None = None
    masks: bool | None = None

    def __str__(self) -> str:
        method = self.method if self.ablation is None else f"{self.method} ({self.ablation})"
        return f"{self.kind} video {self.video}, {self.cameras} cameras, {method}"


def runs_of(experiment: Experiment, scale: Scale) -> list[Run]:
    """Every run of an experiment, video by video, so that each is photographed once."""
    most = max(scale.cameras)
    plan: dict[Experiment, list[tuple[str, int, str | None]]] = {
        "fig4": [(method, c, None) for c in scale.cameras for method in scale.methods],
        "table1": [("dmvr", most, row) for row in ABLATIONS],
        "texture": [(method, most, None) for method in scale.methods if method != "paper"],
    }
    return [
        Run(
            kind=kind,
            method=method,
            cameras=cameras,
            video=scale.first_seed + video,
            frames=scale.frames,
            size=scale.size,
            video_cameras=scale.video_cameras,
            error_mm=scale.error_mm,
            ablation=ablation,
            mismatch=scale.mismatch if kind == "mismatched" and scale.mismatch != MismatchSettings() else None,
            masks=True if kind == "matched" and scale.masks else None,
        )
        for video in range(scale.videos)
        for kind in scale.kinds
        for method, cameras, ablation in plan[experiment]
    ]


def selected(runs: Sequence[Run], conditions: Sequence[str]) -> list[Run]:
    """The runs for which all of the conditions `field=value[,value...]` hold; `C` stands for `cameras`.

    Raises:
        InputError: a condition has another form or names no field.
    """
    wanted: dict[str, set[str]] = {}
    for condition in conditions:
        name, equals, values = condition.partition("=")
        field = {"C": "cameras"}.get(name, name)
        if not equals or field not in Run.__dataclass_fields__:
            known = ", ".join(["C", *Run.__dataclass_fields__])
            raise InputError("no such selection of runs", found=condition, expected=f"field=value, of {known}")
        wanted[field] = set(values.split(","))
    return [run for run in runs if all(str(getattr(run, field)) in values for field, values in wanted.items())]


def configuration(run: Run, changes: Mapping[str, Any]) -> Config:
    """The method's file, what the video is known to be, the ablation, the caller's changes."""
    path = CONFIGS / f"{run.method}.yaml"
    config = load_config(path)
    # The synthetic hand ends at the wrist, in matched videos over black; mismatched ones have masks instead.
    differences: list[Mapping[str, Any]] = [{"seed": run.video, "labels": {"forearm": False}}]
    if run.kind == "matched":
        differences.append({"labels": {"background": "black"}})
    if run.ablation is not None:
        differences.append(ABLATIONS[run.ablation](config))
    for difference in [*differences, changes]:
        config = changed(config, difference, where=path)
    return config


def _every_stage(config: Config, change: Callable[[StageConfig], Mapping[str, Any]]) -> Mapping[str, Any]:
    return {"stages": {name: change(stage) for name, stage in running(config.stages).items()}}


def _without(config: Config, *terms: str) -> Mapping[str, Any]:
    return {"losses": {"terms": [name for name in config.losses.terms if name not in terms]}}


def with_changes(scale: Scale, settings: Sequence[str]) -> Scale:
    """The scale with settings `render.spp=2` on top of every method's configuration."""
    changes: Mapping[str, Any] = scale.changes
    for setting in settings:
        names, equals, value = setting.partition("=")
        if not equals:
            raise InputError("no setting", found=setting, expected="name.name=value")
        nested: Any = yaml.safe_load(value)
        for name in reversed(names.split(".")):
            nested = {name: nested}
        changes = merged(changes, nested)
    return replace(scale, changes=changes)

"""One job, whole, as plain data."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, get_args

from handrefine.config import Config
from handrefine.config_files import config_from_mapping, config_to_mapping
from handrefine.datasets.registry import AUTO
from handrefine.errors import InputError
from handrefine.sequence import Side

#: Seconds between checkpoints that come never: a century.
_LONGEST_S = 3e9


@dataclass(frozen=True, kw_only=True)
class Task:
    """One job, whole: what `handrefine refine` is asked for. It can be stored and sent as JSON.

    Attributes:
        data: the dataset's folder.
        out: the run folder to create.
        format, sequence: layout of the dataset and name of the sequence, see `read_dataset`.
        hands: which hands are refined, in one optimisation.
        cameras: names, or `auto:N` alone for the N that see most of the hands; all where there are none.
        held_out: names of cameras that are kept from the fit and judge it.
        frames: which of the sequence's frames, see `frames_named`; all where nothing is said.
        overwrite: replace what an earlier run wrote to `out`.
        follow_links: read through symbolic links that lead out of `data`.
        checkpoint_every_s: seconds between two checkpoints, from which a run can be gone on with.
        accept_worse: write hands back in the dataset's format that are worse than the annotation.
        config: all settings.
    """

    data: Path
    out: Path
    format: str = AUTO
    sequence: str | None = None
    hands: tuple[Side, ...] = ("right",)
    cameras: tuple[str, ...] = ()
    held_out: tuple[str, ...] = ()
    frames: str | None = None
    overwrite: bool = False
    follow_links: bool = False
    checkpoint_every_s: float = 30.0
    accept_worse: bool = False
    config: Config = field(default_factory=Config)

    def to_mapping(self) -> dict[str, Any]:
        """The task in mappings, lists, strings, numbers and None only."""
        values = {f.name: getattr(self, f.name) for f in fields(self)}
        values |= {name: str(values[name]) for name in ("data", "out")}
        values |= {name: list(values[name]) for name in ("hands", "cameras", "held_out")}
        return {**values, "config": config_to_mapping(self.config)}

    @classmethod
    def from_mapping(cls, values: Mapping[str, Any], where: object = None) -> "Task":
        """Inverse of `to_mapping`; what is missing is as by default, and so is what `config` does not name.

        Raises:
            InputError: a name is unknown, missing, or has a value of the wrong kind.
        """
        known = {f.name for f in fields(cls)}
        unknown, missing = set(values) - known, {"data", "out"} - set(values)
        if unknown or missing:
            raise InputError(
                "a task has unknown names" if unknown else "a task lacks names",
                where=where,
                expected=", ".join(sorted(known)),
                found=", ".join(sorted(unknown)) or "no " + ", ".join(sorted(missing)),
            )
        given: dict[str, Any] = dict(values)
        for name in ("hands", "cameras", "held_out"):
            if name in given:
                given[name] = _names(name, given[name], where)
        if not given.get("hands", ("right",)) or set(given.get("hands", ())) - set(get_args(Side)):
            raise InputError("no such hands", where=where, expected="a list of right, left", found=given["hands"])
        given["config"] = given.get("config", {})
        kinds: dict[str, type | tuple[type, ...]] = {
            **dict.fromkeys(("data", "out"), (str, Path)),
            "format": str,
            **dict.fromkeys(("sequence", "frames"), (str, type(None))),
            **dict.fromkeys(("overwrite", "follow_links", "accept_worse"), bool),
            "checkpoint_every_s": (int, float),
            "config": Mapping,
        }
        for name, kind in kinds.items():
            if name in given and not isinstance(given[name], kind):
                raise InputError(f"{name} of a task has the wrong kind of value", where=where, found=given[name])
        if not 0 <= given.get("checkpoint_every_s", 0) <= _LONGEST_S:
            raise InputError(
                "checkpoint_every_s of a task is no time", where=where, found=given["checkpoint_every_s"]
            )
        given |= {name: Path(given[name]) for name in ("data", "out")}
        return cls(**{**given, "config": config_from_mapping(given["config"], where=where)})


def _names(name: str, value: object, where: object) -> tuple[str, ...]:
    if not isinstance(value, list | tuple) or not all(isinstance(of, str) for of in value):
        raise InputError(f"{name} of a task is no list of names", where=where, found=value)
    return tuple(value)

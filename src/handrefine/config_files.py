"""Configurations from YAML and back: files hold differences from the defaults, and what is misspelt is told."""

import dataclasses
import difflib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from handrefine.config import Config
from handrefine.deprecated_keys import with_new_names
from handrefine.errors import InputError
from handrefine.io.text_files import read_yaml
from handrefine.preset import configuration_file
from handrefine.refinement.schedule import StageConfig, default_stages

#: A stage of which nothing is said but its name.
_STAGES = "stages"


def load_config(name_or_path: str | Path) -> Config:
    """Read a YAML file of differences from the defaults, an installed one by name (`real`, `quick`), or a run's.

    Raises:
        InputError: the file is missing or is not YAML, or a key or value is wrong; all faults are told at once.
    """
    path = configuration_file(name_or_path)
    differences = read_yaml(path) or {}
    if not isinstance(differences, Mapping):
        raise InputError(
            "the configuration is not a mapping", where=path, expected="key: value lines", found=differences
        )
    of_run = differences.get("config")  # a run folder's own file holds its settings there
    return config_from_mapping(of_run if isinstance(of_run, Mapping) else differences, where=path)


def config_from_mapping(differences: Mapping[str, Any], where: object = None) -> Config:
    """The defaults with these differences, see `changed`.

    Raises:
        InputError: as `changed`.
    """
    return changed(Config(), differences, where)


def changed(config: Config, differences: Mapping[str, Any], where: object = None) -> Config:
    """A configuration with these differences; nested mappings reach nested settings.

    `stages` as a mapping changes stages by name; as a list of mappings, each with a `name`, it says which stages
    there are and in which order, where what is not said of a default stage stays as it is.

    Raises:
        InputError: keys that do not exist, or values that are not allowed; all of them at once.
    """
    differences = with_new_names(differences)
    listed = differences.get(_STAGES)
    if isinstance(listed, list):
        differences[_STAGES] = _stages_of_list(listed, where)
    unknown = list(_unknown_keys(differences, Config, ""))
    if unknown:
        raise InputError(
            "unknown configuration " + ("keys" if len(unknown) > 1 else "key"),
            where=where,
            found="; ".join(unknown),
        )
    whole = merged(_mapping(config), differences)
    if isinstance(listed, list):
        whole[_STAGES] = differences[_STAGES]
    try:
        return TypeAdapter(Config).validate_python(whole)
    except InputError as error:
        raise InputError(error.what, where=where, found=error.found) from None
    except ValidationError as error:
        faults = [f"{'.'.join(map(str, e['loc']))}: {e['msg']} (found {e['input']!r})" for e in error.errors()]
        raise InputError("the configuration has invalid values", where=where, found="; ".join(faults)) from error


def config_to_mapping(config: Config) -> dict[str, Any]:
    """The configuration as plain YAML types; `config_from_mapping` gives it back."""
    mapping = _mapping(config)
    mapping[_STAGES] = [{"name": name, **stage} for name, stage in mapping[_STAGES].items()]
    return mapping


def _mapping(config: Config) -> dict[str, Any]:
    """The same with the stages by name."""
    return TypeAdapter(Config).dump_python(config, mode="json")


def merged(base: Mapping[str, Any], differences: Mapping[str, Any]) -> dict[str, Any]:
    """Nested mappings, the second over the first."""
    result = dict(base)
    for key, value in differences.items():
        both = isinstance(value, Mapping) and isinstance(result.get(key), Mapping)
        result[key] = merged(result[key], value) if both else value
    return result


def _stages_of_list(listed: list[Any], where: object) -> dict[str, Any]:
    """The stages by name, each over the default stage of its name."""
    defaults = TypeAdapter(dict[str, StageConfig]).dump_python(default_stages(), mode="json")
    stages: dict[str, Any] = {}
    for entry in listed:
        if not isinstance(entry, Mapping) or not isinstance(entry.get("name"), str):
            raise InputError(
                "a stage of a list of stages needs a name",
                where=f"{where or 'configuration'}, {_STAGES}",
                expected="- name: NAME, and what differs from the default stage of that name",
                found=entry,
            )
        settings = {key: value for key, value in entry.items() if key != "name"}
        stages[entry["name"]] = merged(defaults.get(entry["name"], {}), settings)
    return stages


def _unknown_keys(differences: Mapping[str, Any], cls: type, prefix: str) -> Iterator[str]:
    types = {f.name: f.type for f in dataclasses.fields(cls)}
    for key, value in differences.items():
        if key not in types:
            close = difflib.get_close_matches(str(key), types, n=1)
            hint = f"did you mean {prefix}{close[0]}?" if close else f"known here: {', '.join(types)}"
            yield f"{prefix}{key} ({hint})"
        elif prefix + key == _STAGES and isinstance(value, Mapping):
            for name, stage in value.items():
                if isinstance(stage, Mapping):
                    yield from _unknown_keys(stage, StageConfig, f"{_STAGES}.{name}.")
        elif isinstance(value, Mapping) and dataclasses.is_dataclass(types[key]):
            yield from _unknown_keys(value, types[key], f"{prefix}{key}.")  # pyright: ignore[reportArgumentType]

"""Configurations from YAML and back: files hold differences from the defaults, and what is misspelt is told."""

import dataclasses
import difflib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from pydantic import TypeAdapter, ValidationError

from handrefine.config import Config
from handrefine.errors import InputError


def load_config(path: Path) -> Config:
    """Read a YAML file of differences from the defaults.

    Raises:
        InputError: the file is missing or is not YAML, or a key or value is wrong; all faults are told at once.
    """
    try:
        text = path.read_text()
    except OSError as error:
        raise InputError("the configuration cannot be read", where=path, found=error.strerror) from error
    try:
        differences = yaml.safe_load(text) or {}
    except yaml.YAMLError as error:
        raise InputError("the configuration is not valid YAML", where=path, found=error) from error
    if not isinstance(differences, Mapping):
        raise InputError(
            "the configuration is not a mapping", where=path, expected="key: value lines", found=differences
        )
    return config_from_mapping(differences, where=path)


def config_from_mapping(differences: Mapping[str, Any], where: object = None) -> Config:
    """The defaults with these differences; nested mappings reach nested settings."""
    unknown = list(_unknown_keys(differences, Config, ""))
    if unknown:
        raise InputError(
            "unknown configuration " + ("keys" if len(unknown) > 1 else "key"),
            where=where,
            found="; ".join(unknown),
        )
    try:
        return TypeAdapter(Config).validate_python(merged(config_to_mapping(Config()), differences))
    except ValidationError as error:
        faults = [f"{'.'.join(map(str, e['loc']))}: {e['msg']} (found {e['input']!r})" for e in error.errors()]
        raise InputError("the configuration has invalid values", where=where, found="; ".join(faults)) from error


def config_to_mapping(config: Config) -> dict[str, Any]:
    """The configuration as plain YAML types."""
    return TypeAdapter(Config).dump_python(config, mode="json")


def merged(base: Mapping[str, Any], differences: Mapping[str, Any]) -> dict[str, Any]:
    """Nested mappings, the second over the first."""
    result = dict(base)
    for key, value in differences.items():
        both = isinstance(value, Mapping) and isinstance(result.get(key), Mapping)
        result[key] = merged(result[key], value) if both else value
    return result


def _unknown_keys(differences: Mapping[str, Any], cls: type, prefix: str):
    fields = {f.name: f.type for f in dataclasses.fields(cls)}
    for key, value in differences.items():
        if key not in fields:
            close = difflib.get_close_matches(str(key), fields, n=1)
            hint = f"did you mean {prefix}{close[0]}?" if close else f"known here: {', '.join(fields)}"
            yield f"{prefix}{key} ({hint})"
        elif isinstance(value, Mapping) and dataclasses.is_dataclass(fields[key]):
            yield from _unknown_keys(value, fields[key], f"{prefix}{key}.")  # pyright: ignore[reportArgumentType]

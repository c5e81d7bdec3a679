"""What a run was made of: what was read, by its digest, with which command and which versions.

`provenance.json` beside a run's task is enough to repeat it (`handrefine refine --rerun RUN`) and to tell whether
data or software have changed since.
"""

import dataclasses
import hashlib
import platform
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import version
from typing import Any, TypeVar

import numpy as np

from handrefine.sequence import HandSequence, ViewKey

PACKAGES = ("handrefine", "mitsuba", "drjit", "torch", "numpy")
T = TypeVar("T")


class ReadDigest:
    """A digest of a video as far as it was read: cameras, frames, annotations, and the pictures asked for."""

    def __init__(self) -> None:
        self._said = hashlib.sha256()
        self._images: dict[str, str] = {}

    def watched(self, sequence: HandSequence) -> HandSequence:
        """The same video; what is read of it from here on goes into the digest."""
        _feed(self._said, (sequence.name, sequence.frames, sequence.cameras, sequence.annotations))
        return dataclasses.replace(
            sequence, images=self._all("image", sequence.images), masks=self._all("mask", sequence.masks)
        )

    def hexdigest(self) -> str:
        """Of what has been read so far; the order of reading does not matter."""
        whole = self._said.copy()
        _feed(whole, sorted(self._images.items()))
        return whole.hexdigest()

    def _all(self, kind: str, readers: Mapping[ViewKey, Callable[[], T]]) -> dict[ViewKey, Callable[[], T]]:
        return {key: self._one(f"{kind} {key}", read) for key, read in readers.items()}

    def _one(self, name: str, read: Callable[[], T]) -> Callable[[], T]:
        def watched() -> T:
            value = read()
            if name not in self._images:
                digest = hashlib.sha256()
                _feed(digest, value)
                self._images[name] = digest.hexdigest()
            return value

        return watched


def versions() -> dict[str, str]:
    """Of Python, and of the packages on which figures depend."""
    return {"python": platform.python_version(), **{name: version(name) for name in PACKAGES}}


def provenance(digest: ReadDigest, command: Sequence[str]) -> dict[str, Any]:
    """The contents of `provenance.json`."""
    return {"command": list(command), "versions": versions(), "data_sha256": digest.hexdigest()}


def differences(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """What is no longer as it was, in words."""
    told = []
    if before.get("data_sha256") != now["data_sha256"]:
        told.append("the data that were read are not those of the run that is repeated")
    old = before.get("versions")
    for name, found in now["versions"].items():
        was = old.get(name) if isinstance(old, Mapping) else None
        if was != found:
            told.append(f"{name} is {found}, it was {was}")
    return told


def _feed(digest: Any, value: object) -> None:
    """Whatever a sequence holds, in a form that is the same on every machine."""
    if isinstance(value, np.ndarray):
        digest.update(f"{value.dtype.str}{value.shape}".encode() + np.ascontiguousarray(value).tobytes())
    elif dataclasses.is_dataclass(value):
        _feed(digest, [(field.name, getattr(value, field.name)) for field in dataclasses.fields(value)])
    elif isinstance(value, Mapping):
        _feed(digest, [(key, value[key]) for key in value])
    elif isinstance(value, Sequence) and not isinstance(value, str):
        digest.update(f"[{len(value)}".encode())
        for part in value:
            _feed(digest, part)
    else:
        digest.update(f"{value!r};".encode())

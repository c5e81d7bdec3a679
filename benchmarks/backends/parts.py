"""What an interrupted run has measured, so that the next one goes on from there."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.provenance import provenance


class Parts:
    """Samples by the name of the part, each with the commit that it was measured with, in a file."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._kept: dict[str, dict[str, Any]] = json.loads(path.read_text()) if path.exists() else {}

    def get(self, name: str, measure: Callable[[], Any]) -> Any:
        if name not in self._kept:
            commit = provenance()["commit"]  # before: what is edited meanwhile is not what runs
            self._kept[name] = {"commit": commit, "sample": measure()}
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._path.write_text(json.dumps(self._kept))
        return self._kept[name]["sample"]

    @property
    def commits(self) -> dict[str, str]:
        return {name: kept["commit"] for name, kept in self._kept.items()}

    def forget(self) -> None:
        self._path.unlink(missing_ok=True)

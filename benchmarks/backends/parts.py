"""What an interrupted run has measured, so that the next one goes on from there."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.provenance import provenance


class Parts:
    """Samples by the name of the part, in a file that is valid for one commit."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._commit = provenance()["commit"]
        kept = json.loads(path.read_text()) if path.exists() else {}
        self._samples: dict[str, Any] = kept["samples"] if kept.get("commit") == self._commit else {}

    def get(self, name: str, measure: Callable[[], Any]) -> Any:
        if name not in self._samples:
            self._samples[name] = measure()
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._path.write_text(json.dumps({"commit": self._commit, "samples": self._samples}))
        return self._samples[name]

    def forget(self) -> None:
        self._path.unlink(missing_ok=True)

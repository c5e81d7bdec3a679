"""Samples on disk, saved one by one: an interrupted experiment goes on where it stopped."""

import hashlib
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from filelock import FileLock

from benchmarks.paper.runs import Run
from handrefine.config import Config
from handrefine.config_files import config_to_mapping
from handrefine.io.files import write_json

Sample = dict[str, Any]


class SampleStore:
    """Samples by video, cameras and configuration, whatever an experiment calls that configuration: Table 1's
    first row is Fig. 4's DMVR. A changed configuration is another sample; with what a sample was measured (commit,
    machine) stands in it."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._samples: list[Sample] = json.loads(path.read_text()) if path.exists() else []

    def find(self, run: Run, config: Config) -> Sample | None:
        identity = _identity(run, config)
        found = next((s for s in self._samples if {k: s.get(k) for k in identity} == identity), None)
        return None if found is None else found | asdict(run)

    def add(self, run: Run, config: Config, measured: Sample) -> Sample:
        sample = {**asdict(run), **_identity(run, config), **measured}
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(self._path.with_name(f".{self._path.name}.lock")):
            # Another process may have added to the file meanwhile.
            if self._path.exists():
                self._samples = json.loads(self._path.read_text())
            self._samples.append(sample)
            write_json(self._path, self._samples)
        return sample


def _identity(run: Run, config: Config) -> dict[str, Any]:
    text = json.dumps(config_to_mapping(config), sort_keys=True)
    named = {name: value for name, value in asdict(run).items() if name not in ("method", "ablation")}
    return {**named, "config_sha256": hashlib.sha256(text.encode()).hexdigest()[:12]}

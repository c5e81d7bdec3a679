"""A server with several GPUs: every worker sees one of them, and more workers than GPUs share them in turn."""

import sys
from collections import Counter
from pathlib import Path

import pytest
from tiny_interhand26m import write_dataset

from handrefine.batch import local
from handrefine.batch.local import default_workers, gpus, run_locally
from handrefine.batch.plan import BatchSettings
from handrefine.batch.run import prepare_batch, run_batch

#: A worker that notes which GPUs it may use, and waits until so many others have begun as well.
NOTES = """
import json, os, pathlib, sys, time
root, name, together = pathlib.Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
(root / f"gpu_{name}").write_text(os.environ["CUDA_VISIBLE_DEVICES"])
while len(list(root.glob("gpu_*"))) < together:
    time.sleep(0.02)
state = root / "states" / f"{name}.json"
state.parent.mkdir(exist_ok=True)
state.write_text(json.dumps({"status": "done", "attempts": 1}))
"""


@pytest.mark.parametrize(("workers", "shared"), [(2, {"4": 1, "GPU-b": 1}), (3, {"4": 2, "GPU-b": 1})])
def test_every_worker_has_a_gpu(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, workers: int, shared: dict[str, int]
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "4,GPU-b")
    assert gpus() == ["4", "GPU-b"]
    assert default_workers() == 2
    folder = prepare_batch(
        BatchSettings(data=write_dataset(tmp_path / "data"), clip=1, overlap=0), tmp_path / "runs"
    )
    monkeypatch.setattr(
        local,
        "command",
        lambda folder, name, threads: [sys.executable, "-c", NOTES, str(folder.root), name, str(workers)],
    )
    states = run_batch(folder, lambda of, names, told: run_locally(of, names, workers, told), lambda *_: None)
    assert [of.status for of in states.values()] == ["done"] * 3
    seen = Counter((folder.root / f"gpu_{name}").read_text() for name in folder.names()[:workers])
    assert seen == shared


@pytest.mark.parametrize("nothing", ["", "-1"])
def test_without_gpus_there_is_a_worker_a_core(monkeypatch: pytest.MonkeyPatch, nothing: str) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", nothing)
    assert default_workers() == local.cores()

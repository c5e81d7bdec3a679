"""A short campaign of the fuzzer, and the files that once ended badly; `make fuzz` is the long one."""

from pathlib import Path

import pytest

from fuzz.campaign import Bench, run
from fuzz.targets import TARGETS
from handrefine.config_files import load_config
from handrefine.errors import InputError
from handrefine.io.array_files import read_npz
from handrefine.io.image_files import read_pixels
from handrefine.io.safe_pickle import read_pickle
from handrefine.io.text_files import read_json, read_yaml

CORPUS = sorted((Path(__file__).parent / "corpus").iterdir())
READERS = {".json": read_json, ".yaml": read_yaml, ".npz": read_npz, ".pkl": read_pickle, ".png": read_pixels}
FIRST_SEED = 20_000


@pytest.mark.parametrize("path", CORPUS, ids=lambda path: path.name)
def test_every_file_of_the_corpus_ends_in_a_message(path: Path) -> None:
    with pytest.raises(InputError) as caught:
        READERS[path.suffix](path)
    assert str(path) in str(caught.value)
    assert len(str(caught.value)) < 20_000
    if path.suffix == ".yaml":
        with pytest.raises(InputError):
            load_config(path)


SHORTLY = ("interhand26m", "dexycb", "hanco", "keypoints", "texts", "images", "checkpoints", "batch", "numbers")


@pytest.mark.parametrize("name", SHORTLY)
def test_changed_files_end_in_a_result_or_in_a_message(tmp_path: Path, name: str) -> None:
    bench = Bench(name, tmp_path / name)
    assert bench.outcome_of_files("the valid files") == "read"
    outcomes = [bench.outcome(FIRST_SEED + k) for k in range(12)]
    assert not [outcome for outcome in outcomes if outcome not in ("read", "refused")]


def test_a_campaign_finds_exceptions_crashes_hangs_and_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import os
    import time

    from fuzz import campaign, targets

    reads = iter(range(1000))

    def read(root: Path) -> None:
        match next(reads):
            case 1:
                raise KeyError("foreign")
            case 2:
                os.abort()

    def slow(root: Path) -> None:
        if next(reads) == 1:
            time.sleep(60)

    def busy(root: Path) -> None:
        if next(reads) == 1:
            while time.process_time() < 1e9:
                pass

    monkeypatch.setattr(campaign, "MOST_SECONDS", 0.5)
    for name, reader, waiting_s in (("bad", read, 60.0), ("slow", slow, 0.5), ("busy", busy, 60.0)):
        monkeypatch.setattr(campaign, "MOST_WAITING", waiting_s)
        reads = iter(range(1000))
        target = targets.Target(lambda root: (root / "a.txt").write_text("x"), reader)
        monkeypatch.setattr(campaign, "TARGETS", {**TARGETS, name: target})
        report = run([name], 3, 1, tmp_path)
        text = "\n".join(report.faults)
        assert ("KeyError" in text and "process died" in text) if name == "bad" else "hangs" in text

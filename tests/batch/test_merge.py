"""One annotation of all that a batch has refined: verdicts decide, and what is not used keeps its bytes."""

import csv
import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from made_run import hand_of, posed, result_of, write_result
from tiny_interhand26m import annotation_file, documents, write_dataset

from handrefine.batch.folder import BatchFolder
from handrefine.batch.merge import merge
from handrefine.batch.plan import BatchSettings
from handrefine.batch.run import prepare_batch
from handrefine.batch.state import TaskState
from handrefine.cli.main import main
from handrefine.datasets.interhand26m import read_interhand26m
from handrefine.errors import InputError
from handrefine.runs.judgement import Judgement
from handrefine.sequence import ManoParameters

#: Of every clip and frame: verdict, probability to be better, probability to be beyond repair.
SAID = {
    (3, 7): {3: ("worse", 0.1, 0.2), 7: ("improved", 0.95, 0.03)},
    (7, 12): {7: ("improved", 0.99, 0.01), 12: ("unchanged", 0.6, 0.1)},
}


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Frames 3, 7 and 12, annotated with the open hand."""
    root = write_dataset(tmp_path / "data")
    annotation_file(root, "camera").with_name("handrefine.json").write_text('{"hand_model": "open"}')
    return root


@pytest.fixture
def folder(data: Path, tmp_path: Path) -> BatchFolder:
    """Two clips of two frames, both done, of the right hand."""
    return prepare_batch(BatchSettings(data=data, hands=("right",), clip=2, overlap=1), tmp_path / "runs")


def finish(folder: BatchFolder, said: Mapping[tuple[int, ...], Mapping[int, tuple[str, float, float]]]) -> None:
    """Make the runs; the pose of a frame is a tenth of its number, plus 5 in the second clip."""
    for number, name in enumerate(folder.names()):
        frames = folder.task(name).frames
        if frames not in said:
            continue
        pose = np.array([np.full(48, frame / 10 + 5 * number) for frame in frames])
        state = posed("right", ManoParameters(pose, np.zeros((2, 10)), np.zeros((2, 3))))
        hand = hand_of("right", frames, state, state, np.full((1, 8, 8, 3), 0.5, np.float32))
        cameras = list(read_interhand26m(Path(folder.task(name).task["data"])).cameras.values())
        verdicts = [
            {
                "frame": f,
                "verdict": v,
                "confidence": 0.9,
                "better": b,
                "beyond": c,
                "evidence": {"n_views": 2},
            }
            for f, (v, b, c) in said[frames].items()
        ]
        judgement = Judgement({}, {"right": {}}, verdicts={"right": verdicts})
        write_result(folder.run(name), result_of([hand], cameras), judgement)
        folder.write_state(name, TaskState("done", attempts=1))


def poses(out: Path) -> dict[str, float]:
    """The first number of the right hand's pose, by frame."""
    written = json.loads(annotation_file(out, "MANO_NeuralAnnot").read_text())
    return {frame: hands["right"]["pose"][0] for frame, hands in written["5"].items()}


def rows(out: Path) -> list[dict[str, str]]:
    with (out / "verdict.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def test_the_better_clip_speaks_and_what_got_worse_stays(folder: BatchFolder, data: Path, tmp_path: Path) -> None:
    finish(folder, SAID)
    merged = merge(folder, tmp_path / "out")
    old = documents()["MANO_NeuralAnnot"]["5"]["3"]["right"]["pose"][0]
    assert poses(tmp_path / "out") == {"3": old, "7": pytest.approx(5.7), "12": pytest.approx(6.2)}
    assert dict(merged.counts) == {"improved": 1, "unchanged": 1, "worse": 1}
    table = rows(tmp_path / "out")
    assert [(row["frame"], row["verdict"], row["used"]) for row in table] == [
        ("3", "worse", "False"),
        ("7", "improved", "True"),
        ("12", "unchanged", "True"),
    ]
    assert table[1]["task"].endswith("_7-12")
    before, after = (annotation_file(of, "MANO_NeuralAnnot").read_text() for of in (data, tmp_path / "out"))
    entry = json.dumps(documents()["MANO_NeuralAnnot"]["5"]["3"])
    assert f'"3": {entry}' in before
    assert f'"3": {entry}' in after
    assert json.loads(after)["9"] == json.loads(before)["9"]
    again = read_interhand26m(data, refined=tmp_path / "out")
    assert again.annotation("left").mano is not None
    provenance = json.loads((tmp_path / "out/provenance.json").read_text())
    assert len(provenance["tasks"]) == 1
    assert provenance["settings"]["clip"] == 2
    summary = json.loads((tmp_path / "out/verdict.json").read_text())["summary"]
    assert summary == {"frames of hands": 3, "used": 2, "by verdict": dict(merged.counts)}


def test_what_got_worse_is_used_if_asked_for(folder: BatchFolder, tmp_path: Path) -> None:
    finish(folder, SAID)
    main(["batch", "merge", str(folder.root), "--out", str(tmp_path / "out"), "--use", "worse,improved"])
    found = poses(tmp_path / "out")
    assert found["3"] == pytest.approx(0.3)
    assert found["12"] == documents()["MANO_NeuralAnnot"]["5"]["12"]["right"]["pose"][0]


def test_frames_that_nobody_refined_are_in_the_table(folder: BatchFolder, tmp_path: Path) -> None:
    finish(folder, {(3, 7): SAID[3, 7]})
    merge(folder, tmp_path / "out")
    assert [row["verdict"] for row in rows(tmp_path / "out")] == ["worse", "improved", "not refined"]
    assert poses(tmp_path / "out")["7"] == pytest.approx(0.7)


def test_what_cannot_be_merged(folder: BatchFolder, data: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no frame of the batch"):
        merge(folder, tmp_path / "out")
    assert not (tmp_path / "out").exists()
    finish(folder, SAID)
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken/file").touch()
    with pytest.raises(InputError, match="exists already"):
        merge(folder, tmp_path / "taken")
    with pytest.raises(InputError, match="lie in one another"):
        merge(folder, data / "merged")
    annotation_file(data, "camera").with_name("handrefine.json").unlink()  # official parameters, then
    with pytest.raises(InputError, match="official MANO model"):
        merge(folder, tmp_path / "out")

"""Whose hand model the parameters in InterHand2.6M's layout are: the official one's, unless a file says so."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tiny_interhand26m import annotation_file, documents, write_dataset

from handrefine.datasets.interhand26m import read_interhand26m
from handrefine.datasets.interhand26m_video_writer import write_interhand26m_sequence
from handrefine.datasets.interhand26m_writer import write_interhand26m_annotation
from handrefine.errors import InputError
from handrefine.sequence import HandAnnotation, ManoParameters


def mark(root: Path) -> Path:
    return root / "annotations" / "test" / "handrefine.json"


def of_model(annotation: HandAnnotation, *, open_hand: bool) -> HandAnnotation:
    """The same numbers, said to be of another hand model."""
    assert annotation.mano is not None
    return replace(annotation, mano=replace(annotation.mano, open_hand=open_hand))


def test_parameters_without_a_mark_are_official(tmp_path: Path) -> None:
    sequence = read_interhand26m(write_dataset(tmp_path / "data"))
    assert sequence.official_mano
    assert not sequence.annotation("right").mano.open_hand
    sequence.write_back(sequence, sequence.annotations, tmp_path / "out")
    assert not mark(tmp_path / "out").exists()


def test_a_dataset_without_parameters_is_of_no_model(tmp_path: Path) -> None:
    root = write_dataset(tmp_path / "data")
    annotation_file(root, "MANO_NeuralAnnot").unlink()
    assert not read_interhand26m(root).official_mano


def test_marked_parameters_are_the_open_hands_and_stay_marked(tmp_path: Path) -> None:
    root = write_dataset(tmp_path / "data")
    mark(root).write_text('{"hand_model": "open"}')
    sequence = read_interhand26m(root)
    assert not sequence.official_mano
    assert sequence.annotation("left").mano.open_hand
    paths = sequence.write_back(sequence, sequence.annotations, tmp_path / "out")
    assert mark(tmp_path / "out") in paths
    assert json.loads(mark(tmp_path / "out").read_text()) == {"hand_model": "open"}
    written = annotation_file(tmp_path / "out", "MANO_NeuralAnnot")
    assert written.read_text() == annotation_file(root, "MANO_NeuralAnnot").read_text()


def test_the_mark_belongs_to_the_file_beside_it(tmp_path: Path) -> None:
    """Official parameters in the dataset, the open hand's refined ones in another folder."""
    root = write_dataset(tmp_path / "data")
    sequence = read_interhand26m(root)
    refined = {"right": of_model(sequence.annotation("right"), open_hand=True)}
    write_interhand26m_annotation(sequence, refined, tmp_path / "out")
    assert not read_interhand26m(root, refined=tmp_path / "out").official_mano
    annotation_file(tmp_path / "out", "MANO_NeuralAnnot").unlink()
    assert read_interhand26m(root, refined=tmp_path / "out").official_mano


@pytest.mark.parametrize("open_hand", [False, True])
def test_parameters_of_two_models_never_share_a_file(tmp_path: Path, open_hand: bool) -> None:
    root = write_dataset(tmp_path / "data")
    if not open_hand:
        mark(root).write_text('{"hand_model": "open"}')
    sequence = read_interhand26m(root)
    refined = of_model(sequence.annotation("right"), open_hand=open_hand)
    write_interhand26m_annotation(sequence, {"right": refined}, tmp_path / "out")
    written = json.loads(annotation_file(tmp_path / "out", "MANO_NeuralAnnot").read_text())
    original = documents()["MANO_NeuralAnnot"]["5"]
    assert written == {"5": {frame: {"right": hands["right"], "left": None} for frame, hands in original.items()}}
    assert mark(tmp_path / "out").exists() == open_hand
    both = {"right": refined, "left": sequence.annotation("left")}
    with pytest.raises(InputError, match="two hand models"):
        write_interhand26m_annotation(sequence, both, tmp_path / "both")
    assert not (tmp_path / "both").exists()


def test_a_mark_that_no_longer_holds_is_taken_back(tmp_path: Path) -> None:
    root = write_dataset(tmp_path / "data")
    sequence = read_interhand26m(root)
    for open_hand in (True, False):
        refined = {"right": of_model(sequence.annotation("right"), open_hand=open_hand)}
        write_interhand26m_annotation(sequence, refined, tmp_path / "out")
        assert read_interhand26m(root, refined=tmp_path / "out").official_mano != open_hand


@pytest.mark.parametrize("text", ['{"hand_model": "nimble"}', "{}", "[]", "{", '{"hand_model": ["open"]}'])
def test_a_broken_mark_is_told(tmp_path: Path, text: str) -> None:
    root = write_dataset(tmp_path)
    mark(root).write_text(text)
    with pytest.raises(InputError, match=r"handrefine\.json"):
        read_interhand26m(root)


@pytest.mark.parametrize("open_hand", [False, True])
def test_a_new_video_says_whose_hand_it_shows(tmp_path: Path, open_hand: bool) -> None:
    numbers = (np.zeros((1, n)) for n in (48, 10, 3))
    annotation = HandAnnotation("right", ManoParameters(*numbers, open_hand=open_hand), np.array([True]))
    write_interhand26m_sequence(tmp_path / "v", {}, (4,), {}, {"right": annotation})
    assert json.loads(mark(tmp_path / "v").read_text()) == {"hand_model": "open" if open_hand else "official"}


def test_a_video_that_an_earlier_version_made_is_told_to_say_so(tmp_path: Path) -> None:
    text = json.dumps(documents()).replace("Capture5/0000_fist", "Capture0/synthetic")
    made = json.loads(text.replace('"0000_fist"', '"synthetic"').replace('"capture": 5', '"capture": 0'))
    for kind in ("camera", "joint_3d", "MANO_NeuralAnnot"):
        made[kind]["0"] = made[kind].pop("5")
    root = write_dataset(tmp_path / "data", made)
    (root / "images/test/Capture5/0000_fist").rename(root / "images/test/Capture5/synthetic")
    (root / "images/test/Capture5").rename(root / "images/test/Capture0")
    with pytest.raises(InputError, match="an earlier version made it") as caught:
        read_interhand26m(root)
    told = str(caught.value)
    assert str(mark(root)) in told
    mark(root).write_text('{"hand_model": "open"}')
    assert read_interhand26m(root).annotation("right").mano.open_hand
    assert '{"hand_model": "open"}' in told

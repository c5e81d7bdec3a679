"""Where sequences stand in large JSON files is found once, and the same is read with that knowledge as without."""

import os
from pathlib import Path

import pytest
from tiny_interhand26m import SEQUENCE, annotation_file, documents, write_dataset

from handrefine.datasets import json_groups
from handrefine.datasets.interhand26m import read_interhand26m
from handrefine.datasets.interhand26m_index import listed_images
from handrefine.errors import InputError


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Images of two sequences take turns; every file is worth remembering."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(json_groups, "WORTH_KEEPING", 0)
    content = documents()
    images = content["data"]["images"]
    other = [{**e, "seq_name": "other", "file_name": e["file_name"].replace(SEQUENCE, "other")} for e in images]
    content["data"]["images"] = [entry for pair in zip(images, other, strict=True) for entry in pair]
    return write_dataset(tmp_path / "data", content)


def kept(root: Path) -> list[Path]:
    return sorted((root.parent / "cache/handrefine/json").glob("*.json"))


def test_what_was_found_is_kept_and_read_again(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = read_interhand26m(root)
    assert len(kept(root)) == 3  # data, joint_3d, MANO_NeuralAnnot

    def never(*_: object) -> None:
        raise AssertionError("the file is read from its beginning")

    monkeypatch.setattr("handrefine.datasets.interhand26m_index.spans", never)
    monkeypatch.setattr("handrefine.datasets.interhand26m_annotations.spans", never)
    again = read_interhand26m(root)
    assert set(again.images) == set(first.images)
    assert again.source.documents == first.source.documents
    assert len(first.images) == 6


def test_a_changed_file_is_read_anew(root: Path) -> None:
    read_interhand26m(root)
    path = annotation_file(root, "data")
    path.write_text(path.read_text().replace('"other"', '"third"'))
    os.utime(path, ns=(1, 1))
    listing = listed_images(path, root / "images/test", "5", SEQUENCE)
    assert len(listing.entries) == 6
    assert len(kept(root)) == 4


def test_a_broken_cache_costs_only_time(root: Path) -> None:
    read_interhand26m(root)
    for path in kept(root):
        path.write_text("[1, 2")
    assert len(read_interhand26m(root).images) == 6
    (group, *_) = json_groups.groups_of(annotation_file(root, "data"), lambda: iter(()))
    wrong = json_groups.Group(group.key, group.first, group.start + 1, group.end)
    with pytest.raises(InputError, match="not valid JSON"):
        wrong.read(annotation_file(root, "data"))

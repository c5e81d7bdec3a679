"""YAML files of datasets as PyYAML dumps them: tuples are lists, and no tag names code."""

from pathlib import Path

import numpy as np
import pytest
import yaml
from tiny_datasets import SERIALS, write_dexycb

from handrefine.datasets.dexycb import read_dexycb
from handrefine.datasets.parsing import read_yaml_object
from handrefine.errors import InputError

EXTRINSICS = "calibration/extrinsics_20200702_151821/extrinsics.yml"


def test_extrinsics_in_tuples_are_read_as_in_lists(tmp_path: Path) -> None:
    write_dexycb(tmp_path)
    plain, path = read_dexycb(tmp_path), tmp_path / EXTRINSICS
    content = yaml.safe_load(path.read_text())
    content["extrinsics"] = {camera: tuple(numbers) for camera, numbers in content["extrinsics"].items()}
    path.write_text(yaml.dump(content))
    assert path.read_text().count("!!python/tuple") == 3
    tagged = read_dexycb(tmp_path)
    for serial in SERIALS:
        expected, found = plain.cameras[serial], tagged.cameras[serial]
        np.testing.assert_array_equal(found.R_cam_world, expected.R_cam_world)
        np.testing.assert_array_equal(found.t_cam_world, expected.t_cam_world)


def test_tuples_within_tuples_become_lists(tmp_path: Path) -> None:
    (tmp_path / "a.yml").write_text(yaml.dump({"a": (1, (2.5, [("x",)]), None), "b": ()}))
    assert read_yaml_object(tmp_path / "a.yml") == {"a": [1, [2.5, [["x"]]], None], "b": []}


@pytest.mark.parametrize(
    "text",
    [
        "!!python/object/apply:os.system ['touch owned']",
        "!!python/tuple [!!python/object/apply:os.system ['touch owned']]",
        "!!python/object/new:tuple [[1, 2]]",
        "!!python/name:os.system ''",
        "!!python/module:os ''",
        "!!python/object:pathlib.Path {}",
        "!!python/tuple {a: 1}",
        "!!python/tuple 3",
        "{!!python/tuple [1, 2]: 3}",
        "&a !!python/tuple [*a]",
        "!!python/list [1]",
        "!<tag:yaml.org,2002:python/tuple:os.system> [1]",
    ],
)
def test_other_tags_are_refused_unread(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.yml").write_text(f"a: {text}\n")
    with pytest.raises(InputError, match=r"not data(.|\n)*a\.yml"):
        read_yaml_object(tmp_path / "a.yml")
    assert [path.name for path in tmp_path.iterdir()] == ["a.yml"]

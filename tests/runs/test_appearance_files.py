"""Texture, light and colours come back from their files as they went in."""

import json

import cv2
import numpy as np
import pytest

from handrefine.errors import InputError
from handrefine.io.exr import worker_thread
from handrefine.runs.appearance_files import (
    read_colour_transforms,
    read_light,
    read_texture,
    write_colour_transforms,
    write_environment,
    write_texture,
)
from handrefine.runs.layout import RunLayout


def test_texture_is_srgb_with_its_first_row_on_top(tmp_path):
    texture = np.zeros((4, 3, 3))
    texture[0, 0] = [1.0, 0.5, 0.0]
    texture[3, 2] = [np.nan, 0.0021, 7.0]
    write_texture(tmp_path / "texture.png", texture)
    stored = cv2.cvtColor(cv2.imread(str(tmp_path / "texture.png")), cv2.COLOR_BGR2RGB)
    # 0.5 -> 1.055 * 0.5^(1/2.4) - 0.055 = 0.7354; 0.0021 lies on the linear part, 12.92 x = 0.0271
    assert stored[0, 0].tolist() == [255, 188, 0]
    assert stored[3, 2].tolist() == [0, 7, 255]
    assert stored.shape == (4, 3, 3)
    again = read_texture(tmp_path / "texture.png")
    assert np.abs(again - np.clip(np.nan_to_num(texture), 0, 1)).max() < 0.005
    assert again[0, 0].tolist() == pytest.approx([1.0, 0.5028, 0.0], abs=1e-3)


def test_environment_round_trip_is_exact(tmp_path, runtime):
    import mitsuba as mi

    rng = np.random.default_rng(1)
    environment = rng.uniform(0, 20, size=(16, 32, 3)).astype(np.float32)
    coefficients = rng.normal(size=(9, 3)).astype(np.float32)
    write_environment(RunLayout(tmp_path), environment, coefficients)
    with worker_thread():
        stored = np.array(mi.Bitmap(str(tmp_path / "environment.exr")))
    np.testing.assert_array_equal(stored, environment)
    description = json.loads((tmp_path / "environment.json").read_text())
    assert description["order"] == 2
    np.testing.assert_array_equal(np.array(description["coefficients"], dtype=np.float32), coefficients)
    np.testing.assert_array_equal(read_light(tmp_path / "environment.json"), coefficients)
    assert {p.name for p in tmp_path.iterdir()} == {"environment.exr", "environment.json"}


def test_colour_transforms_are_stored_by_name(tmp_path):
    transforms = np.random.default_rng(2).normal(size=(2, 3, 4))
    write_colour_transforms(tmp_path / "colour.json", ["a", "b"], transforms)
    stored = json.loads((tmp_path / "colour.json").read_text())
    np.testing.assert_array_equal(stored["cameras"]["b"], transforms[1])
    np.testing.assert_array_equal(read_colour_transforms(tmp_path / "colour.json")["a"], transforms[0])
    with pytest.raises(ValueError, match="zip"):
        write_colour_transforms(tmp_path / "colour.json", ["a"], transforms)


@pytest.mark.parametrize("content", ["", "[]", '{"order": 1, "coefficients": [[1, 2, 3]], "cameras": {"a": [1]}}'])
def test_a_broken_file_is_told_by_name(tmp_path, content):
    path = tmp_path / "broken.json"
    path.write_text(content)
    for read in (read_light, read_colour_transforms):
        with pytest.raises(InputError) as caught:
            read(path)
        assert str(path) in str(caught.value)

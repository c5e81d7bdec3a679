"""Pictures and masks from disk: linear light, and no silent half of a truncated file."""

import re

import imageio.v3 as iio
import numpy as np
import pytest

from handrefine.colour import linear_to_srgb, linear_to_srgb8, srgb8_to_linear, srgb_to_linear
from handrefine.datasets.images import image_reader, mask_reader, read_image, read_mask
from handrefine.errors import InputError


@pytest.fixture
def picture() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (24, 32, 3), dtype=np.uint8)


def test_srgb_round_trip_and_known_values():
    values = np.linspace(0, 1, 1001)
    np.testing.assert_allclose(linear_to_srgb(srgb_to_linear(values)), values, atol=2e-7)
    np.testing.assert_allclose(srgb_to_linear(np.array([0.0, 0.5, 1.0])), [0, 0.2140411, 1], atol=1e-6)
    bytes_ = np.arange(256, dtype=np.uint8)
    np.testing.assert_array_equal(linear_to_srgb8(srgb8_to_linear(bytes_)), bytes_)
    np.testing.assert_array_equal(linear_to_srgb8(np.array([-1.0, 2.0])), [0, 255])


def test_a_picture_is_linear_rgb(tmp_path, picture):
    iio.imwrite(tmp_path / "a.png", picture)
    read = image_reader(tmp_path / "a.png", 32, 24)
    assert read().dtype == np.float32
    np.testing.assert_array_equal(linear_to_srgb8(read()), picture)


@pytest.mark.parametrize("channels", ["grey", "alpha", "16 bit"])
def test_other_pixel_formats(tmp_path, picture, channels):
    grey = picture[..., 0]
    stored = {
        "grey": grey,
        "alpha": np.concatenate([grey[..., None].repeat(3, 2), 255 - picture[..., :1]], axis=2),
        "16 bit": grey.astype(np.uint16) * 257,
    }[channels]
    iio.imwrite(tmp_path / "a.png", stored)
    expected = srgb8_to_linear(grey)[..., None].repeat(3, 2)
    np.testing.assert_allclose(read_image(tmp_path / "a.png", 32, 24), expected, atol=1e-6)


@pytest.mark.parametrize("share", [0.0, 0.3, 0.6, 0.9])
@pytest.mark.parametrize("suffix", [".jpg", ".png"])
def test_a_truncated_file_is_refused(tmp_path, picture, suffix, share):
    path = tmp_path / f"a{suffix}"
    iio.imwrite(path, picture)
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    with pytest.raises(InputError, match=re.escape(str(path))):
        read_image(path, 32, 24)


def test_wrong_size_and_missing_file_name_the_path(tmp_path, picture):
    iio.imwrite(tmp_path / "a.png", picture)
    with pytest.raises(InputError, match=r"wrong size(.|\n)*a\.png(.|\n)*24x32(.|\n)*32x24"):
        read_image(tmp_path / "a.png", 24, 32)
    with pytest.raises(InputError, match=r"does not exist(.|\n)*b\.png"):
        read_image(tmp_path / "b.png", 24, 32)


def test_a_mask_of_two_values_is_true_where_anything_is_not_zero(tmp_path):
    for value in (1, 7, 255):
        stored = np.zeros((24, 32), np.uint8)
        stored[3, 4] = stored[5, 6] = value
        iio.imwrite(tmp_path / "m.png", stored)
        np.testing.assert_array_equal(mask_reader(tmp_path / "m.png", 32, 24)(), stored > 0)
        iio.imwrite(tmp_path / "c.png", np.stack([stored, 0 * stored, 0 * stored], axis=2))
        np.testing.assert_array_equal(read_mask(tmp_path / "c.png", 32, 24), stored > 0)
    with pytest.raises(InputError, match="wrong size"):
        read_mask(tmp_path / "m.png", 32, 25)

"""Pixels are those that OpenCV reads, by which the datasets' tools read; masks are what was drawn."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from handrefine.datasets.images import read_mask
from handrefine.errors import InputError
from handrefine.io.image_files import image_header, read_pixels, read_rgba_image

ORIENTATION = 0x0112


@pytest.fixture(scope="module")
def picture() -> Image.Image:
    noise = np.random.default_rng(0).integers(0, 256, (24, 32, 3), dtype=np.uint8)
    return Image.fromarray(cv2.GaussianBlur(noise, (0, 0), 1.5))


def turned(orientation: int) -> Image.Exif:
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    return exif


def assert_as_opencv(path: Path) -> None:
    expected = cv2.imread(str(path))
    assert expected is not None
    header = image_header(path)
    assert (header.height, header.width) == expected.shape[:2]
    found = read_pixels(path, header.width, header.height).colour
    if found.dtype == np.uint16:
        found = np.round(found / 257).astype(np.uint8)
    found = np.broadcast_to(found, expected.shape)
    assert np.abs(found.astype(int) - expected[..., ::-1]).max() <= 1


@pytest.mark.parametrize("suffix", ["jpg", "png", "webp"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_orientation(tmp_path: Path, picture: Image.Image, suffix: str, orientation: int) -> None:
    picture.save(tmp_path / f"a.{suffix}", exif=turned(orientation))
    assert_as_opencv(tmp_path / f"a.{suffix}")


@pytest.mark.parametrize("orientation", range(1, 5))
def test_orientations_of_tiff(tmp_path: Path, picture: Image.Image, orientation: int) -> None:
    picture.save(tmp_path / "a.tif", exif=turned(orientation))
    assert_as_opencv(tmp_path / "a.tif")


KINDS = {
    "palette.png": lambda p: (p.quantize(16), {}),
    "transparent_palette.png": lambda p: (p.quantize(16), {"transparency": 3}),
    "palette.bmp": lambda p: (p.quantize(16), {}),
    "grey_alpha.png": lambda p: (p.convert("LA"), {}),
    "alpha.png": lambda p: (p.convert("RGBA"), {}),
    "one_bit.png": lambda p: (p.convert("1"), {}),
    "print.jpg": lambda p: (p.convert("CMYK"), {"quality": 95}),
    "progressive.jpg": lambda p: (p, {"progressive": True}),
    "whole_colour.jpg": lambda p: (p, {"subsampling": 0}),
    "grey.jpg": lambda p: (p.convert("L"), {}),
    "sixteen_bits.png": lambda p: (Image.fromarray(np.asarray(p.convert("L")).astype(np.uint16) * 257), {}),
}


@pytest.mark.parametrize("name", KINDS)
def test_every_kind_of_pixel(tmp_path: Path, picture: Image.Image, name: str) -> None:
    image, options = KINDS[name](picture)
    image.save(tmp_path / name, **options)
    assert_as_opencv(tmp_path / name)


def test_a_turned_picture_of_the_wrong_size_names_its_tag(tmp_path: Path, picture: Image.Image) -> None:
    picture.save(tmp_path / "a.jpg", exif=turned(6))
    with pytest.raises(
        InputError, match=r"24x32 px, turned by its EXIF orientation 6(.|\n)*remove the orientation"
    ):
        read_pixels(tmp_path / "a.jpg", 32, 24)


@pytest.mark.filterwarnings("error")
def test_a_huge_picture_is_refused_before_it_is_decoded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Image.new("1", (13000, 13000)).save(tmp_path / "a.png")
    Image.new("1", (8000, 6000)).save(tmp_path / "b.png")
    monkeypatch.setattr(Image.Image, "load", lambda self: pytest.fail("decoded"))
    for name in ("a.png", "b.png"):
        with pytest.raises(InputError, match="wrong size"):
            read_pixels(tmp_path / name, 64, 64)
    with pytest.raises(InputError, match="too large"):
        read_rgba_image(tmp_path / "a.png")


def test_formats_that_start_programs_are_not_tried(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 32 24\n")
    with pytest.raises(InputError, match="broken"):
        read_pixels(tmp_path / "a.jpg")


HAND = np.zeros((24, 32), bool)
HAND[6:20, 9:25] = True
NOISE = np.random.default_rng(1).integers(0, 6, HAND.shape).astype(np.uint8)
SOFT = cv2.GaussianBlur(HAND.astype(np.uint8) * 255, (0, 0), 1.0)
REGIONS = np.zeros_like(NOISE)
REGIONS[6:20, 9:17], REGIONS[6:20, 17:25] = 1, 2
WHITE = np.full((24, 32, 3), 255, np.uint8)
SHAPE = HAND.astype(np.uint8) * 255
PHOTO = np.random.default_rng(2).integers(0, 256, (24, 32, 3), dtype=np.uint8)
MASKS = {
    "two values": HAND.astype(np.uint8),
    "black and white": SHAPE,
    "any colour": np.stack([0 * SHAPE, SHAPE // 2, 0 * SHAPE], axis=2),
    "one bit": HAND,
    "numbers of regions": REGIONS,
    "noise of 0 to 5": np.where(HAND, 255 - NOISE, NOISE),
    "soft": SOFT,
    "16 bits": np.where(HAND, 65535 - NOISE.astype(np.uint16), NOISE.astype(np.uint16)).astype(np.uint16),
    "white with the shape in alpha": np.dstack([WHITE, SHAPE]),
    "black with a soft shape in alpha": np.dstack([0 * WHITE, SOFT]),
    "a cut-out photograph": np.dstack([PHOTO, SHAPE]),
    "opaque": np.dstack([SHAPE, SHAPE, SHAPE, WHITE[..., 0]]),
}


@pytest.mark.parametrize("kind", MASKS)
def test_masks_are_what_was_drawn(tmp_path: Path, kind: str) -> None:
    Image.fromarray(MASKS[kind]).save(tmp_path / "m.png")
    drawn = SOFT >= 128 if "soft" in kind else HAND
    np.testing.assert_array_equal(read_mask(tmp_path / "m.png", 32, 24), drawn)


def test_masks_that_are_everywhere_the_same(tmp_path: Path) -> None:
    for value in (0, 1, 255):
        Image.fromarray(np.full((24, 32), value, np.uint8)).save(tmp_path / "m.png")
        assert (read_mask(tmp_path / "m.png", 32, 24) == (value > 0)).all()

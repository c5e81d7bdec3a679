"""What a dataset holds and nobody reads is told: images, masks, keys, frames; and remedies are such as exist."""

import json
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from PIL import Image
from tiny_datasets import SERIALS, write_dexycb, write_hanco, write_ho3d
from tiny_interhand26m import CAMERAS, FRAMES, SEQUENCE, annotation_file, documents, image_file, write_dataset

from handrefine.datasets.interhand26m import read_interhand26m
from handrefine.datasets.registry import read_dataset
from handrefine.errors import InputError
from handrefine.sequence import HandSequence


def told(sequence: HandSequence) -> str:
    return "\n".join(f"{finding.level}: {finding}" for finding in sequence.findings)


def changed_json(path: Path, change: Any) -> None:
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))


def test_a_whole_dataset_is_read_without_a_finding(tmp_path: Path) -> None:
    write_dataset(tmp_path / "i")
    assert told(read_interhand26m(tmp_path / "i")) == (
        "note: not every image has a mask (masks for 1 of 6 images; in "
        f"{tmp_path}/i/masks/test/Capture5/{SEQUENCE})"
    )
    for name, write in (("d", write_dexycb), ("h", write_hanco)):
        write(tmp_path / name)
        assert "warning" not in told(read_dataset(tmp_path / name))


def test_images_of_another_suffix_are_counted_by_camera(tmp_path: Path) -> None:
    write_dataset(tmp_path)
    for frame in FRAMES:
        path = image_file(tmp_path, CAMERAS[0], frame)
        path.rename(path.with_suffix(".JPG"))
    sequence = read_interhand26m(tmp_path)
    assert list(sequence.cameras) == [CAMERAS[1]]
    assert "warning: images that data.json lists are not on disk (3 of 6 are there" in told(sequence)
    assert f"cameras without any: {CAMERAS[0]}; files of another suffix are not read: image12.JPG" in told(
        sequence
    )
    for frame in FRAMES:
        image_file(tmp_path, CAMERAS[1], frame).rename(image_file(tmp_path, CAMERAS[1], frame, suffix=".jpeg"))
    with pytest.raises(
        InputError, match=r"none of the sequence's images(.|\n)*another suffix, e\.g\. image12\.JPG"
    ):
        read_interhand26m(tmp_path)


def test_a_single_missing_image_is_a_note(tmp_path: Path) -> None:
    write_dataset(tmp_path)
    image_file(tmp_path, CAMERAS[0], FRAMES[0]).unlink()
    assert "note: images that data.json lists are not on disk (5 of 6 are there" in told(
        read_interhand26m(tmp_path)
    )


def test_images_that_nothing_lists_are_told(tmp_path: Path) -> None:
    write_dataset(tmp_path)
    image = image_file(tmp_path, CAMERAS[0], FRAMES[0])
    image.with_name("image99.jpg").write_bytes(image.read_bytes())
    beside = image.parent.with_name("cam400263")
    beside.mkdir()
    (beside / image.name).write_bytes(image.read_bytes())
    assert "files on disk that data.json does not list are not read (image99.jpg" in told(
        read_interhand26m(tmp_path)
    )
    assert "folders of cameras that data.json does not list are not read (cam400263" in told(
        read_interhand26m(tmp_path)
    )


def test_masks_of_another_suffix_are_told(tmp_path: Path) -> None:
    write_dataset(tmp_path)
    mask = image_file(tmp_path, CAMERAS[0], FRAMES[0], "masks", ".png")
    mask.rename(mask.with_suffix(".PNG"))
    found = told(read_interhand26m(tmp_path))
    assert "warning: not every image has a mask (masks for 0 of 6 images; files ending in .PNG" in found


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("distortion", {CAMERAS[0]: [0.1, -0.2, 0, 0, 0]}),
        ("dist_coeffs", {CAMERAS[1]: [[0.0, 1e-3]]}),
        ("skew", {CAMERAS[0]: 0.7}),
        ("k1", 0.01),
        ("camera_model", "fisheye"),
    ],
)
def test_keys_of_a_calibration_that_are_not_used_are_told(tmp_path: Path, key: str, value: object) -> None:
    write_dataset(tmp_path)
    changed_json(annotation_file(tmp_path, "camera"), lambda c: c["5"].update({key: value}))
    found = told(read_interhand26m(tmp_path))
    assert f"'{key}'" in found
    assert "not used" in found
    assert ("undistort the images first" in found) == (key != "camera_model")


def test_zeros_need_no_word(tmp_path: Path) -> None:
    write_dataset(tmp_path)
    changed_json(
        annotation_file(tmp_path, "camera"), lambda c: c["5"].update(distortion={CAMERAS[0]: [0, 0.0, [0]]})
    )
    assert "distortion" not in told(read_interhand26m(tmp_path))


def test_distortion_in_the_intrinsics_of_dexycb_is_told(tmp_path: Path) -> None:
    write_dexycb(tmp_path)
    path = next((tmp_path / "calibration/intrinsics").glob(f"{SERIALS[0]}_*.yml"))
    content = yaml.safe_load(path.read_text())
    content["color"]["coeffs"] = [0.1, 0.0, 0.0, 0.0, 0.0]
    path.write_text(yaml.safe_dump(content))
    assert "'coeffs'" in told(read_dataset(tmp_path))


def test_skew_is_refused_with_file_key_and_camera(tmp_path: Path) -> None:
    write_hanco(tmp_path)
    for path in (tmp_path / "calib/0012").iterdir():
        changed_json(path, lambda c: c["K"][1][0].__setitem__(1, 1.5))
    with pytest.raises(InputError, match=r"skew(.|\n)*calib/0012/\d+\.json, K, cam1(.|\n)*K\[0, 1\] = 1\.5"):
        read_dataset(tmp_path)


def test_a_mirrored_rotation_names_file_and_camera(tmp_path: Path) -> None:
    write_dexycb(tmp_path)
    path = tmp_path / "calibration/extrinsics_20200702_151821/extrinsics.yml"
    content = yaml.safe_load(path.read_text())
    numbers = content["extrinsics"][SERIALS[0]]
    numbers[0:12:4] = [-n for n in numbers[0:12:4]]
    path.write_text(yaml.safe_dump(content))
    with pytest.raises(InputError) as caught:
        read_dataset(tmp_path)
    assert f"extrinsics.yml, {SERIALS[0]}" in str(caught.value)
    assert "determinant -1" in str(caught.value)


def test_a_rounded_rotation_says_how_far_it_is_off(tmp_path: Path) -> None:
    content = documents()
    content["camera"]["5"]["camrot"][CAMERAS[1]] = [[0.8, 0.0, -0.61], [0.0, 1.0, 0.0], [0.6, 0.0, 0.8]]
    write_dataset(tmp_path, content)
    with pytest.raises(InputError, match=r"camera\.json, capture 5, camera 410001(.|\n)*from orthonormal"):
        read_interhand26m(tmp_path)


def test_frames_and_images_beyond_the_number_of_frames_are_told(tmp_path: Path) -> None:
    write_dexycb(tmp_path)
    folder = next(tmp_path.glob("*/*/meta.yml")).parent / SERIALS[0]
    image = next(folder.glob("color_*.jpg"))
    (folder / "color_000099.jpg").write_bytes(image.read_bytes())
    image.with_suffix(".JPG").write_bytes(image.read_bytes())
    found = told(read_dataset(tmp_path))
    assert "1 beyond num_frames" in found
    assert f"images are not read ({image.stem}.JPG" in found


def test_a_trailing_slash_and_the_option_that_is_named_work(tmp_path: Path) -> None:
    write_dataset(tmp_path)
    assert read_dataset(tmp_path, sequence=f"Capture5/{SEQUENCE}/").name == f"test/Capture5/{SEQUENCE}"
    write_ho3d(tmp_path / "h")
    with pytest.raises(InputError, match=r"--sequence train/ABF1"):
        read_dataset(tmp_path / "h")
    assert read_dataset(tmp_path / "h", sequence="train/ABF1/").name == "train/ABF1"


def test_names_stay_inside_the_dataset(tmp_path: Path) -> None:
    secret = tmp_path / "secret.jpg"
    Image.new("RGB", (40, 30)).save(secret)
    for name in (str(secret), "/etc/passwd", "../../../secret.jpg", "Capture5/../../../../secret.jpg", "", "a\0b"):
        content = documents()
        content["data"]["images"][0]["file_name"] = name
        root = tmp_path / f"d{len(list(tmp_path.iterdir()))}"
        write_dataset(root, content)
        with pytest.raises(InputError, match="leads out of the dataset's folder"):
            read_interhand26m(root)


def test_links_that_lead_out_are_followed_by_option_only(tmp_path: Path) -> None:
    write_dataset(tmp_path / "data")
    image = image_file(tmp_path / "data", CAMERAS[0], FRAMES[0])
    image.rename(tmp_path / "elsewhere.jpg")
    image.symlink_to(tmp_path / "elsewhere.jpg")
    with pytest.raises(InputError, match=r"symbolic link(.|\n)*--follow-links"):
        read_dataset(tmp_path / "data")
    assert len(read_dataset(tmp_path / "data", follow_links=True).images) == 6
    image.unlink()
    (image.parent / "kept.jpg").write_bytes((tmp_path / "elsewhere.jpg").read_bytes())
    image.symlink_to("kept.jpg")  # within the dataset
    assert len(read_dataset(tmp_path / "data").images) == 6
    folder = image.parent
    folder.rename(tmp_path / "camera")
    folder.symlink_to(tmp_path / "camera")
    with pytest.raises(InputError, match=r"symbolic link(.|\n)*--follow-links"):
        read_dataset(tmp_path / "data")


def test_a_camera_of_dexycb_cannot_lead_out(tmp_path: Path) -> None:
    write_dexycb(tmp_path)
    path = next(tmp_path.glob("*/*/meta.yml"))
    content = yaml.safe_load(path.read_text())
    content["serials"][0] = "../../../../../etc"
    path.write_text(yaml.safe_dump(content))
    with pytest.raises(InputError):
        read_dataset(tmp_path)


@pytest.mark.slow
def test_memory_is_that_of_the_sequence_not_of_the_file(tmp_path: Path) -> None:
    content = documents()
    images = content["data"]["images"]
    other = [
        dict(images[0], id=k, seq_name="elsewhere", file_name=f"Capture5/elsewhere/cam0/{k}.jpg")
        for k in range(6000)
    ]
    content["data"]["images"] = images + other
    content["data"]["annotations"] = [{"id": k, "bbox": [1.0] * 4, "joint_valid": [[1]] * 42} for k in range(6000)]
    frames = content["joint_3d"]["5"]
    content["joint_3d"]["6"] = {str(k): frames[str(FRAMES[0])] for k in range(1500)}
    write_dataset(tmp_path, content)
    size = sum(annotation_file(tmp_path, kind).stat().st_size for kind in ("data", "joint_3d"))
    tracemalloc.start()
    sequence = read_interhand26m(tmp_path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(sequence.images) == 6
    assert peak < 8e6 < size * 1.5


def test_what_is_written_back_holds_all_the_rest(tmp_path: Path) -> None:
    content = documents()
    content["joint_3d"]["9"] = {"4": content["joint_3d"]["5"]["3"]}
    content["joint_3d"]["empty"] = {}
    write_dataset(tmp_path / "data", content)
    sequence = read_interhand26m(tmp_path / "data")
    assert sequence.write_back is not None
    sequence.write_back(sequence, sequence.annotations, tmp_path / "out")
    for kind in ("joint_3d", "MANO_NeuralAnnot"):
        assert json.loads(annotation_file(tmp_path / "out", kind).read_text()) == content[kind]


@pytest.mark.parametrize("mark", [b"\xef\xbb\xbf"])
def test_a_byte_order_mark_is_no_obstacle(tmp_path: Path, mark: bytes) -> None:
    write_dataset(tmp_path)
    for path in (tmp_path / "annotations/test").iterdir():
        path.write_bytes(mark + path.read_bytes())
    assert len(read_interhand26m(tmp_path).images) == 6


def test_flags_in_a_plain_list_are_read_as_in_lists_of_one(tmp_path: Path) -> None:
    content = documents()
    for entry in content["joint_3d"]["5"].values():
        entry["joint_valid"] = [flag for (flag,) in entry["joint_valid"]]
    write_dataset(tmp_path, content)
    valid = read_interhand26m(tmp_path).annotation("right").joint_valid
    assert valid is not None
    assert np.count_nonzero(~valid) == len(FRAMES)

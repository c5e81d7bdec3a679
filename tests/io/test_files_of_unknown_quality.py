"""What the readers of structured files take, and the names that data give to files."""

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from handrefine.config_files import config_from_mapping, load_config
from handrefine.errors import InputError
from handrefine.io.array_files import read_npy, read_npz
from handrefine.io.image_files import read_pixels
from handrefine.io.json_stream import walk
from handrefine.io.safe_paths import as_file_name, within
from handrefine.io.safe_pickle import read_pickle
from handrefine.io.text_files import read_json, read_yaml
from handrefine.runs.layout import RunLayout
from handrefine.sequence import FrameId


def walked(path: Path) -> object:
    return list(walk(path, 1))


def test_text_may_begin_with_a_byte_order_mark(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_bytes(b"\xef\xbb\xbf" + '{"a": "ä"}'.encode())
    (tmp_path / "a.yaml").write_bytes(b"\xef\xbb\xbf" + "a: ä".encode())
    assert read_json(tmp_path / "a.json") == read_yaml(tmp_path / "a.yaml") == {"a": "ä"}
    assert list(walk(tmp_path / "a.json", 1)) == [(("a",), "ä")]


def test_other_encodings_are_named(tmp_path: Path) -> None:
    for encoding, word in (("utf-16", "UTF-16"), ("utf-32", "UTF-32"), ("latin-1", "decode")):
        (tmp_path / "c.yaml").write_bytes("# café\nseed: 1\n".encode(encoding))
        with pytest.raises(InputError, match=rf"not text in UTF-8(.|\n)*c\.yaml(.|\n)*{word}"):
            load_config(tmp_path / "c.yaml")


def test_aliases_and_merged_keys_are_read(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("a: &a {x: [1, 2]}\nb: *a\nc: {<<: *a, y: 3}\n")
    shared = {"x": [1, 2]}
    assert read_yaml(tmp_path / "a.yaml") == {"a": shared, "b": shared, "c": {**shared, "y": 3}}


def test_a_document_in_pieces_is_the_document(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text('{"a": {"b": [1, -2.5e3], "c": {}}, "d": [], "e": {"f": "}]\\""}, "g": 12}')
    found = dict(walk(tmp_path / "a.json", 2))
    assert found == {("a", "b"): [1, -2500.0], ("a", "c"): {}, ("d",): [], ("e", "f"): '}]"', ("g",): 12}


@pytest.mark.parametrize(
    "text", ["", "{", '{"a": 1', '{"a" 1}', '{"a": 1} x}', "[1, 2", '{"a": 01}', "{a: 1}", "[1 2]"]
)
def test_a_broken_document_is_told(tmp_path: Path, text: str) -> None:
    (tmp_path / "a.json").write_text(text)
    with pytest.raises(InputError, match=r"not valid JSON(.|\n)*a\.json"):
        list(walk(tmp_path / "a.json", 2))


def test_arrays_come_back_as_they_were(tmp_path: Path) -> None:
    arrays = {
        "numbers": np.arange(6.0).reshape(2, 3),
        "turned": np.asfortranarray(np.arange(6, dtype=">i4").reshape(2, 3)),
        "names": np.array(["a", "longer", ""]),
        "one": np.float32(2.5),
        "flags": np.array([True, False]),
        "none": np.zeros((0, 4)),
    }
    for save in (np.savez, np.savez_compressed):
        save(tmp_path / "a.npz", **arrays)
        found = read_npz(tmp_path / "a.npz")
        assert set(found) == set(arrays)
        for name, value in arrays.items():
            np.testing.assert_array_equal(found[name], value)
    assert set(read_npz(tmp_path / "a.npz", ["one", "absent"])) == {"one"}


def test_one_array_in_a_file_comes_back_or_is_told(tmp_path: Path) -> None:
    path = tmp_path / "a.npy"
    for array in (np.arange(6.0).reshape(2, 3), np.asfortranarray(np.ones((2, 3), ">f4")), np.array(3)):
        np.save(path, array)
        np.testing.assert_array_equal(read_npy(path), array)
    np.save(path, np.zeros(3))
    content = path.read_bytes()
    for header in (b"(100000000000000000000,)", b"(True,)", b"(-1,)", b"(4,)", b"(" * 9):
        path.write_bytes(content.replace(b"(3,)", header))
        with pytest.raises(InputError, match="no array of plain numbers"):
            read_npy(path)
    with pytest.raises(InputError, match="is missing"):
        read_npy(tmp_path / "b.npy")
    path.write_bytes(content)
    with pytest.raises(InputError, match="more than 9 bytes"):
        read_npy(path, max_bytes=9)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="pipes with names are POSIX's")
@pytest.mark.parametrize("read", [read_json, read_yaml, read_npz, read_npy, read_pixels, read_pickle, walked])
def test_pipes_and_devices_are_no_files(tmp_path: Path, read: Callable[[Path], object]) -> None:
    """A pipe would block for ever, and a device never end."""
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", Path("/dev/zero")):
        with pytest.raises(InputError, match="a pipe or a device is no file"):
            read(path)


def test_names_of_data_are_names_of_files() -> None:
    names = ["03", "/../../../ESCAPED", "..", "", "a/b", "a%2Fb", "a\0b", "ä", "x" * 300, "x" * 301, "[final]"]
    files = [as_file_name(name) for name in names]
    assert len(set(files)) == len(names)
    assert files[0] == "03"
    assert all(Path(file).name == file and file not in ("", ".", "..") and len(file) <= 100 for file in files)
    layout = RunLayout(Path("run"))
    for name in names:
        assert layout.view(FrameId(1), name, "image").parent == Path("run/views")
        assert layout.overlay(FrameId(1), name).parent == Path("run/overlays")
        assert layout.stage_texture(name).parent == Path("run/texture_stages")


def test_paths_stay_below_their_root(tmp_path: Path) -> None:
    assert within(tmp_path, "a/b.jpg", "here") == tmp_path / "a/b.jpg"
    for name in ("/etc/passwd", "../x", "a/../../x", "a\\..\\x", "C:\\x", "", "a\0", 3, "a" * 300, "a/" * 1500):
        with pytest.raises(InputError, match="leads out"):
            within(tmp_path, name, "here")


@pytest.mark.parametrize(
    ("settings", "name"),
    [
        ({"seed": -1}, "seed = -1"),
        ({"seed": 10**400}, "seed = 10000"),
        ({"texture": {"size": 10**9}}, "texture.size"),
        ({"render": {"spp": 2**40}}, "render.spp"),
        ({"losses": {"edge": {"weight": float("inf")}}}, "losses.edge.weight = inf"),
        ({"crop": {"margin": float("nan")}}, "crop.margin"),
        ({"stages": {"joint": {"iterations": 10**18}}}, "stages.joint.iterations"),
    ],
)
def test_settings_that_cannot_be_meant_are_told(settings: dict[str, object], name: str) -> None:
    with pytest.raises(InputError, match=name):
        config_from_mapping(settings, where="x.yaml")


def test_what_is_told_does_not_steer_the_terminal() -> None:
    error = InputError("a name", found="\x1b[31mred\u202e \ud800", where="x" * 9000)
    assert str(error).encode().isascii()
    assert len(str(error)) < 5000

"""Exported meshes open in an independent reader, with the right vertices, normals, texture and gesture."""

import json
import struct
from typing import get_args

import numpy as np
import pytest
import trimesh
from made_run import FRAMES, make_run

import handrefine as hr
from handrefine.cli.main import main
from handrefine.errors import InputError
from handrefine.export import Format
from handrefine.export.formats import (
    OF_ONE_HAND,
    OF_SEVERAL_HANDS,
    Selection,
    export_glb,
    export_interhand26m,
)
from handrefine.export.formats import export as export_run
from handrefine.export.meshes import TexturedMesh
from handrefine.io.image_files import write_image
from handrefine.runs.reader import Run, open_run
from handrefine.sequence import FrameIndex


def export(folder, kind, out, **choice):
    export_run(open_run(folder), kind, out, **choice)


def test_every_format_has_its_function():
    assert {*OF_ONE_HAND, *OF_SEVERAL_HANDS} == set(get_args(Format))


@pytest.fixture(scope="module")
def folder(runtime, tmp_path_factory):
    path = tmp_path_factory.mktemp("meshes") / "run"
    make_run(path, "left")
    return path


@pytest.fixture(scope="module")
def run(folder):
    from handrefine.runs.annotation_file import read_annotation_npz

    return read_annotation_npz(folder / "annotation.npz")


def corners_of(mesh: trimesh.Trimesh) -> np.ndarray:
    """Position, and texture coordinate with v = 0 at the bottom, of every corner of every triangle."""
    return np.concatenate([mesh.vertices[mesh.faces], mesh.visual.uv[mesh.faces]], axis=-1)


def true_corners(run, verts: np.ndarray) -> np.ndarray:
    return np.concatenate([verts[run.topology.faces], run.topology.uv[run.topology.uv_faces]], axis=-1)


def gltf(path) -> tuple[dict, bytes]:
    data = path.read_bytes()
    magic, version, length = struct.unpack_from("<4sII", data)
    assert (magic, version, length) == (b"glTF", 2, len(data))
    size, kind = struct.unpack_from("<I4s", data, 12)
    assert kind == b"JSON"
    return json.loads(data[20 : 20 + size]), data[28 + size :]


def accessor(document: dict, binary: bytes, index: int) -> np.ndarray:
    entry = document["accessors"][index]
    view = document["bufferViews"][entry["bufferView"]]
    width = {"SCALAR": 1, "VEC2": 2, "VEC3": 3}[entry["type"]]
    dtype = {5126: "<f4", 5125: "<u4"}[entry["componentType"]]
    values = np.frombuffer(binary, dtype, entry["count"] * width, view["byteOffset"])
    assert values.nbytes == view["byteLength"]
    return values.reshape(-1, width)


@pytest.mark.parametrize("kind", ["glb", "obj", "ply"])
def test_a_mesh_opens_elsewhere_with_its_texture_coordinates(folder, run, kind, tmp_path):
    out = tmp_path / ("hand.glb" if kind == "glb" else "hand")
    export(folder, kind, out, frame=19)
    file = out if kind == "glb" else out / f"frame19.{kind}"
    loaded = trimesh.load(file, process=False, force="mesh")
    assert isinstance(loaded, trimesh.Trimesh)
    np.testing.assert_allclose(corners_of(loaded), true_corners(run, run.after.verts_world[1]), atol=1e-6)
    if kind == "glb":
        assert np.asarray(loaded.visual.material.baseColorTexture).shape == (256, 256, 3)
    else:
        assert (out / "texture.png").read_bytes() == (folder / "texture.png").read_bytes()


def test_the_gesture_is_an_animation_of_morph_targets(folder, run, tmp_path):
    export(folder, "glb", tmp_path / "hand.glb", which="before")
    document, binary = gltf(tmp_path / "hand.glb")
    primitive = document["meshes"][0]["primitives"][0]
    base = accessor(document, binary, primitive["attributes"]["POSITION"])
    corners = run.topology.split_to_vertex
    np.testing.assert_array_equal(base, run.before.verts_world[0][corners])
    assert len(primitive["targets"]) == len(FRAMES) - 1
    for k, target in enumerate(primitive["targets"], start=1):
        moved = base + accessor(document, binary, target["POSITION"])
        np.testing.assert_allclose(moved, run.before.verts_world[k][corners], atol=1e-6)
    sampler = document["animations"][0]["samplers"][0]
    times, weights = accessor(document, binary, sampler["input"]), accessor(document, binary, sampler["output"])
    assert (np.diff(times[:, 0]) > 0).all()
    np.testing.assert_array_equal(weights.reshape(len(FRAMES), -1), np.eye(len(FRAMES))[:, 1:])
    assert sum(view["byteLength"] for view in document["bufferViews"]) <= document["buffers"][0]["byteLength"]


def test_a_whole_gesture_opens_elsewhere_at_its_first_frame(folder, run, tmp_path):
    export(folder, "glb", tmp_path / "hand.glb")
    loaded = trimesh.load(tmp_path / "hand.glb", process=False, force="mesh")
    assert isinstance(loaded, trimesh.Trimesh)
    np.testing.assert_allclose(corners_of(loaded), true_corners(run, run.after.verts_world[0]), atol=1e-6)
    assert np.asarray(loaded.visual.material.baseColorTexture).shape == (256, 256, 3)


def test_normals_point_outwards_and_run_across_seams(run):
    mesh = TexturedMesh.of(run.after.verts_world, run.topology)
    np.testing.assert_allclose(np.linalg.norm(mesh.normals_world, axis=-1), 1, atol=1e-5)
    corners = run.topology.split_to_vertex
    one_each = np.full((run.topology.n_vertices, 3), np.nan)
    one_each[corners] = mesh.normals_world[0]
    np.testing.assert_array_equal(one_each[corners], mesh.normals_world[0])
    away = mesh.positions_world[0] - mesh.positions_world[0].mean(axis=0)
    assert ((away * mesh.normals_world[0]).sum(-1) > 0).mean() > 0.6


def test_arrays_hold_the_chosen_state(folder, run, tmp_path):
    export(folder, "npz", tmp_path / "hand.npz", which="before", frame=20)
    with np.load(tmp_path / "hand.npz") as arrays:
        assert arrays["frames"].tolist() == [20]
        np.testing.assert_array_equal(arrays["verts_world"], run.before.verts_world[2:])
        np.testing.assert_array_equal(arrays["pose_aa"], run.before.mano.pose_aa[2:])
        assert str(arrays["side"]) == "left"


def test_interhand_files_hold_parameters_and_cameras(folder, run, tmp_path):
    export(folder, "interhand26m", tmp_path / "annotated", frame=19)
    found = tmp_path.rglob("InterHand*.json")
    files = {path.stem.split("test_")[1]: json.loads(path.read_text()) for path in found}
    (mark,) = tmp_path.rglob("handrefine.json")
    assert json.loads(mark.read_text()) == {"hand_model": "open"}
    hands = files["MANO_NeuralAnnot"]["0"]
    assert list(hands) == ["19"]
    np.testing.assert_array_equal(hands["19"]["left"]["trans"], run.after.mano.trans_m[1])
    assert hands["19"]["right"] is None
    assert set(files["camera"]["0"]["campos"]) == {camera.name for camera in run.cameras}
    listed = {(image["frame_idx"], image["camera"]) for image in files["data"]["images"]}
    assert listed == {(19, camera.name) for camera in run.cameras}
    assert len(files["data"]["annotations"]) == len(listed)


def test_several_hands_stand_in_one_file(folder, run, tmp_path):
    """The other hand lacks the first frame: it moves from the second on, and is invalid at the first."""
    make_run(tmp_path / "right", "right")
    hands = (*open_run(folder).hands, *open_run(tmp_path / "right").hands)
    at = [(FrameIndex(0), FrameIndex(1), FrameIndex(2)), (FrameIndex(1), FrameIndex(2))]
    chosen = [Selection(hand, frames, "after", None) for hand, frames in zip(hands, at, strict=True)]
    export_glb(chosen, tmp_path / "hands.glb")
    document, binary = gltf(tmp_path / "hands.glb")
    assert [node["name"] for node in document["nodes"]] == ["left hand", "right hand"]
    assert len(document["images"]) == len(document["materials"]) == 2
    (animation,) = document["animations"]
    times = [accessor(document, binary, sampler["input"]).ravel().tolist() for sampler in animation["samplers"]]
    np.testing.assert_allclose(times[0], [0, 0.2, 0.4], atol=1e-6)
    np.testing.assert_allclose(times[1], [0.2, 0.4], atol=1e-6)
    export_interhand26m(chosen, tmp_path / "annotated")
    (data,) = tmp_path.rglob("InterHand2.6M_test_data.json")
    for image in json.loads(data.read_text())["images"]:  # whoever has the images puts them where data.json says
        file = tmp_path / "annotated/images/test" / image["file_name"]
        file.parent.mkdir(parents=True, exist_ok=True)
        write_image(file, np.zeros((image["height"], image["width"], 3), np.uint8))
    read = hr.read_dataset(tmp_path / "annotated")
    assert read.frames == run.frames
    assert read.annotation("right").joint_valid[:, 0].tolist() == [False, True, True]
    with pytest.raises(InputError, match="a run of both hands, one is wanted"):
        export_run(Run(hands[0].layout, hands), "obj", tmp_path / "hands")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"frame": 8}, "no frame 8"),
        ({"camera": "side"}, "no camera 'side'"),
        ({"folder": "nowhere"}, "does not exist"),
        ({"out": "taken"}, "exists already"),
        ({"kind": "glb", "camera": "front"}, "no single camera"),
        ({"kind": "glb", "out": "empty"}, "is a folder"),
        ({"kind": "glb", "out": "taken/file/hand.glb"}, "cannot be written"),
        ({"kind": "ply", "out": "taken/file/hand"}, "cannot be written"),
    ],
)
def test_bad_requests_are_told_and_leave_nothing(folder, tmp_path, options, message):
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken" / "file").touch()
    (tmp_path / "empty").mkdir()
    wanted = {"folder": folder, "kind": "xml", "out": "out"} | options
    source, out = tmp_path / wanted.pop("folder"), tmp_path / wanted.pop("out")
    with pytest.raises(InputError, match=message):
        export(source, wanted.pop("kind"), out, **wanted)
    assert {path.name for path in tmp_path.iterdir()} == {"taken", "empty"}


def test_the_command_line_exports(folder, tmp_path, capsys):
    main(["export", str(folder), "--format", "obj", "--out", str(tmp_path / "hand"), "--frame", "7"])
    assert {path.name for path in (tmp_path / "hand").iterdir()} == {"frame7.obj", "hand.mtl", "texture.png"}
    with pytest.raises(SystemExit) as stopped:
        main(["export", str(folder), "--format", "obj", "--out", str(tmp_path / "hand")])
    assert stopped.value.code == 2
    assert "exists already" in capsys.readouterr().err


def test_a_mesh_with_vertices_that_are_not_finite_is_refused(folder):
    annotation = open_run(folder).hands[0].annotation
    verts_world = annotation.after.verts_world.copy()
    verts_world[1, 3, 0] = np.nan
    with pytest.raises(InputError, match=r"not finite\n.*1 of"):
        TexturedMesh.of(verts_world, annotation.topology)

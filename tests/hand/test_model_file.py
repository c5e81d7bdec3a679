"""Model files: the official pickle without chumpy, hostile and damaged files, the atlas of a model without one."""

import pickle
import sys
import types

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csc_matrix

from handrefine.errors import InputError
from handrefine.hand.atlas import grid_atlas
from handrefine.hand.model import OPEN_HAND, load_hand_model
from handrefine.hand.model_file import load_model_arrays, mirrored

KEYS = [
    *("v_template", "shapedirs", "posedirs", "J_regressor", "weights", "f"),
    *("kintree_table", "hands_components", "hands_mean"),
]


@pytest.fixture(scope="module")
def open_arrays():
    return load_model_arrays(OPEN_HAND / "model.npz")


@pytest.fixture
def chumpy(monkeypatch):
    """Stand-ins for chumpy's classes, there while a file is written and gone while it is read."""
    modules = {name: types.ModuleType(name) for name in ("chumpy", "chumpy.ch", "chumpy.reordering")}
    classes = {}
    for name, module in (("Ch", "chumpy.ch"), ("Other", "chumpy.ch"), ("Select", "chumpy.reordering")):
        classes[name] = type(name, (), {"__module__": module})
        setattr(modules[module], name, classes[name])
    for name, module in modules.items():
        monkeypatch.setitem(sys.modules, name, module)

    def make(name: str, **state):
        made = classes[name]()
        made.__dict__.update(state)
        return made

    return make, lambda: [monkeypatch.delitem(sys.modules, name) for name in modules]


def official_arrays(arrays, side: str = "right") -> dict:
    """The arrays under their official keys, with the official mesh's count of vertices and no atlas or tips."""
    arrays = arrays if side == "right" else mirrored(arrays)
    keep = np.arange(778)
    faces = arrays.f[(arrays.f < 778).all(axis=1)]
    out = {key: getattr(arrays, key) for key in KEYS}
    per_vertex = {key: out[key][keep] for key in ("v_template", "shapedirs", "posedirs", "weights")}
    return {**out, **per_vertex, "J_regressor": _regressor(arrays), "f": faces.astype(np.uint32)}


def _regressor(arrays) -> np.ndarray:
    """16 joints of the open hand, each at the one kept vertex next to it."""
    joints = arrays.J_regressor @ arrays.v_template
    distance = np.linalg.norm(joints[:, None] - arrays.v_template[None, :778], axis=2)
    return np.eye(778)[distance.argmin(axis=1)]


@pytest.mark.parametrize("protocol", range(6))
def test_the_official_pickle_is_read_without_chumpy(open_arrays, chumpy, tmp_path, protocol):
    make, forget = chumpy
    plain = official_arrays(open_arrays)
    flat = plain["shapedirs"].ravel()
    order = np.random.default_rng(0).permutation(flat.size)
    shuffled = np.empty_like(flat)
    shuffled[order] = flat
    content = {
        **plain,
        "shapedirs": make("Select", a=make("Ch", x=shuffled), idxs=order, preferred_shape=(778, 3, 10)),
        "v_template": make("Ch", x=plain["v_template"], _dirty_vars={"x"}, _other=make("Other", anything=1)),
        "J_regressor": csc_matrix(plain["J_regressor"]),
        "bs_style": "lbs",
    }
    path = tmp_path / "MANO_RIGHT.pkl"
    path.write_bytes(pickle.dumps(content, protocol=protocol))
    forget()
    assert "chumpy" not in sys.modules
    read = load_model_arrays(path)
    for key in KEYS[:6]:
        np.testing.assert_array_equal(getattr(read, key), plain[key], err_msg=key)
    assert tuple(read.tips) == (744, 320, 443, 554, 671)
    model = load_hand_model("right", path)
    assert model.name == "MANO_RIGHT.pkl"
    assert not model.open_hand
    assert model(torch.zeros(2, 48), torch.zeros(2, 10), torch.zeros(2, 3)).joints_world.shape == (2, 21, 3)
    assert (model.default_skin() == np.float32(0.6)).all()


class _Call:
    def __init__(self, function, *arguments):
        self.reduced = function, arguments

    def __reduce__(self):
        return self.reduced


@pytest.mark.parametrize("function", [eval, exec, getattr, __import__])
def test_a_pickle_that_wants_to_run_code_is_refused(tmp_path, function):
    trace = tmp_path / "ran"
    path = tmp_path / "MANO_RIGHT.pkl"
    path.write_bytes(pickle.dumps({"f": _Call(function, f"open({str(trace)!r}, 'w')")}))
    with pytest.raises(InputError, match=rf"builtins\.{function.__name__}"):
        load_model_arrays(path)
    assert not trace.exists()


@pytest.mark.parametrize(
    "stolen",
    [b"cos\nsystem\n(S'true'\ntR.", b"cnumpy\nload\n(S'x'\ntR.", b"cnumpy.core.multiarray\nfromfile\n(S'x'\ntR."],
)
def test_only_listed_globals_are_reached(tmp_path, stolen):
    path = tmp_path / "MANO_RIGHT.pkl"
    path.write_bytes(stolen)
    with pytest.raises(InputError, match="which is not data"):
        load_model_arrays(path)


def test_an_object_array_of_calls_is_refused(tmp_path):
    path = tmp_path / "MANO_RIGHT.pkl"
    path.write_bytes(pickle.dumps({"v_template": np.array([_Call(print, "ran")], dtype=object)}))
    with pytest.raises(InputError, match="array's type is not one of"):
        load_model_arrays(path)


def test_a_sparse_matrix_that_points_outside_itself_is_refused(open_arrays, tmp_path):
    matrix = csc_matrix(official_arrays(open_arrays)["J_regressor"])
    matrix.indices = matrix.indices + 1000
    path = tmp_path / "MANO_RIGHT.pkl"
    path.write_bytes(pickle.dumps({**official_arrays(open_arrays), "J_regressor": matrix}))
    with pytest.raises(InputError, match="damaged"):
        load_model_arrays(path)


@settings(max_examples=25, deadline=None)
@given(share=st.floats(0.0, 0.999))
def test_a_truncated_file_is_damaged(share, tmp_path_factory):
    folder = tmp_path_factory.mktemp("truncated")
    pickled = pickle.dumps({"v_template": np.zeros((20, 3)), "f": np.zeros((4, 3))})
    for name, whole in (("a.pkl", pickled), ("a.npz", (OPEN_HAND / "model.npz").read_bytes())):
        path = folder / name
        path.write_bytes(whole[: int(share * len(whole))])
        with pytest.raises(InputError, match="damaged"):
            load_model_arrays(path)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(InputError, match=r"MANO_LEFT\.pkl"):
        load_hand_model("left", tmp_path)


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"weights": None}, "lacks an array"),
        ({"v_template": np.full((1609, 3), np.nan)}, "not finite"),
        ({"posedirs": np.zeros((1609, 3, 134))}, "wrong shape"),
        ({"f": np.full((10, 3), 5000)}, "out of range"),
        ({"f": np.full((10, 3), -1)}, "out of range"),
        ({"hands_mean": np.array(["a"] * 45)}, "does not hold numbers"),
        ({"kintree_table": np.full((2, 16), 3)}, "form a tree"),
        ({"tips": None}, "name its finger tips"),
    ],
)
def test_wrong_arrays_are_named(tmp_path, change, complaint):
    with np.load(OPEN_HAND / "model.npz") as file:
        content = {**file, **change}
    vertices = len(content["v_template"])
    content = {key: value for key, value in content.items() if value is not None}
    if "v_template" in change:
        content["v_template"] = np.full((vertices, 3), np.nan)
    if "f" in change:
        content = {key: value for key, value in content.items() if key not in ("vt", "ft")}
    path = tmp_path / "model.npz"
    np.savez(path, **content)
    with pytest.raises(InputError, match=complaint):
        load_model_arrays(path)


def test_an_npz_with_objects_is_refused(tmp_path):
    path = tmp_path / "model.npz"
    np.savez(path, v_template=np.array([{}], dtype=object))
    with pytest.raises(InputError, match="damaged"):
        load_model_arrays(path)


def test_the_other_hands_file_is_refused(open_arrays, tmp_path):
    path = tmp_path / "MANO_RIGHT.pkl"
    path.write_bytes(pickle.dumps(official_arrays(open_arrays)))
    with pytest.raises(InputError, match="the other hand"):
        load_hand_model("left", path)


@pytest.mark.parametrize("already_fixed", [False, True])
@pytest.mark.parametrize("with_right", [False, True])
def test_the_left_shape_is_turned_once(open_arrays, tmp_path, already_fixed, with_right):
    right, left = official_arrays(open_arrays), official_arrays(open_arrays, "left")
    correct = left["shapedirs"].copy()
    if not already_fixed:  # as distributed: the x components are the right hand's
        left["shapedirs"] = right["shapedirs"].copy()
    (tmp_path / "MANO_LEFT.pkl").write_bytes(pickle.dumps(left))
    if with_right:
        (tmp_path / "MANO_RIGHT.pkl").write_bytes(pickle.dumps(right))
    if already_fixed and not with_right:
        return  # nothing can tell: the caller's flag is obeyed
    shape, zero = torch.ones(1, 10), torch.zeros(1, 48)
    fixed = load_hand_model("left", tmp_path, fix_left_shape=True)(zero, shape, zero[:, :3]).verts_world
    left["shapedirs"] = correct
    (tmp_path / "expected.pkl").write_bytes(pickle.dumps(left))
    expected = load_hand_model("left", tmp_path / "expected.pkl")(zero, shape, zero[:, :3]).verts_world
    torch.testing.assert_close(fixed, expected, atol=1e-6, rtol=0)


def test_mirroring_twice_is_nothing(open_arrays):
    twice = mirrored(mirrored(open_arrays))
    for key in (*KEYS, "vt", "ft", "tips", "joint_limits"):
        np.testing.assert_array_equal(getattr(twice, key), getattr(open_arrays, key), err_msg=key)


@settings(max_examples=20, deadline=None)
@given(count=st.integers(3, 300), seed=st.integers(0, 1000))
def test_no_two_triangles_of_the_grid_atlas_overlap(count, seed):
    rng = np.random.default_rng(seed)
    vertices, faces = rng.standard_normal((count, 3)), rng.integers(0, count, (2 * count - 5, 3))
    uv, uv_faces = grid_atlas(vertices, faces)
    assert uv.min() > 0
    assert uv.max() < 1
    corners = uv[uv_faces]
    a, b = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    assert (a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0] > 0).all()
    size = 600  # every texel centre lies in at most one triangle
    owners = np.zeros((size, size), dtype=int)
    for corner in corners:
        low, high = np.floor(corner.min(0) * size).astype(int), np.ceil(corner.max(0) * size).astype(int)
        x, y = np.meshgrid(*(np.arange(i, j) for i, j in zip(low, high, strict=True)))
        owners[y, x] += _inside((np.stack([x, y], axis=-1) + 0.5) / size, corner)
    assert owners.max() == 1


def _inside(points: np.ndarray, corner: np.ndarray) -> np.ndarray:
    edges = np.roll(corner, -1, axis=0) - corner
    to = points[..., None, :] - corner
    return (edges[:, 0] * to[..., 1] - edges[:, 1] * to[..., 0] >= 0).all(axis=-1)


def test_neighbours_on_the_hand_are_mostly_neighbours_in_the_grid_atlas(open_arrays):
    uv, uv_faces = grid_atlas(open_arrays.v_template, open_arrays.f)
    center = uv[uv_faces].mean(axis=1)
    edges: dict[tuple[int, int], int] = {}
    pairs = []
    for face, (i, j, k) in enumerate(open_arrays.f):
        for edge in ((i, j), (j, k), (k, i)):
            key = (min(edge), max(edge))
            if key in edges:
                pairs.append((edges[key], face))
            edges[key] = face
    first, second = np.array(pairs).T
    distance = np.linalg.norm(center[first] - center[second], axis=1)
    assert np.median(distance) < 0.1

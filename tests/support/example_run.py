"""A run folder made up for tests of what reads one: the open hand, moved a little, before a noisy background."""

import json
from pathlib import Path

import cv2
import numpy as np
import torch
from scipy.spatial.transform import Rotation

from handrefine.files import write_json, write_yaml
from handrefine.hand.model import load_hand_model
from handrefine.image_files import write_picture
from handrefine.mesh import vertex_normals
from handrefine.report.normals import normal_picture
from handrefine.runs.annotation_file import HandState, RunAnnotation, write_annotation_npz
from handrefine.runs.artifacts import write_colour_transforms, write_texture
from handrefine.runs.view_images import HAND, NOT_HAND, UNKNOWN, ViewEntry, write_view, write_view_index
from handrefine.sequence import Camera, ManoParameters

MOVED_M = 0.008


def write_example_run(
    run: Path, *, frames: int = 2, cameras: int = 2, size: int = 64, iterations: int = 12, texture: int = 64
) -> RunAnnotation:
    """Fill a folder as `handrefine refine` and `handrefine evaluate` would; nothing is rendered or optimised."""
    rng = np.random.default_rng(0)
    run.mkdir(parents=True, exist_ok=True)
    annotation = _annotation(frames, cameras, size)
    write_annotation_npz(run / "annotation.npz", annotation)
    names = [camera.name for camera in annotation.cameras]
    write_yaml(
        run / "config.yaml",
        {"version": "0", "sequence": "made <up>", "hand": "right", "cameras": names}
        | {"frames": annotation.frames, "config": {"seed": 0, "light": {"order": 1}}},
    )
    write_json(run / "metrics.json", _metrics(annotation, iterations))
    (run / "log.jsonl").write_text("".join(json.dumps(_record(k, iterations)) + "\n" for k in range(iterations)))
    write_json(run / "warnings.json", {"a gradient was not finite": 2})
    picture = rng.random((texture, texture, 3), dtype=np.float32)
    (run / "texture_stages").mkdir(exist_ok=True)
    for path in ("texture.png", "texture_stages/environment.png", "texture_stages/joint.png"):
        write_texture(run / path, picture)
    seen = np.zeros((texture, texture, 3), np.uint8)
    seen[texture // 3 :] = 255
    write_picture(run / "texture_seen.png", seen)
    light = np.array([[3.0, 3, 3], [0.5, 0, 0], [0, 0.5, 0], [0, 0, 0.5]])
    write_json(run / "environment.json", {"order": 1, "coefficients": light})
    matrices = np.eye(3, 4) + 0.1 * rng.normal(size=(cameras, 3, 4))
    write_colour_transforms(run / "colour.json", names, matrices)
    _write_views(run, annotation, size, rng)
    return annotation


def _annotation(frames: int, cameras: int, size: int) -> RunAnnotation:
    hand = load_hand_model("right")
    zero = ManoParameters(np.zeros((frames, 48)), np.zeros((frames, 10)), np.zeros((frames, 3)))
    with torch.no_grad():
        at_rest = hand(*(torch.as_tensor(v).float() for v in (zero.pose_aa, zero.shape, zero.trans_m)))
    verts, joints = at_rest.verts_world.numpy(), at_rest.joints_world.numpy()
    offset = np.array([MOVED_M, 0, 0], dtype=np.float32)
    middle, views = verts.mean(axis=(0, 1)), []
    for k in range(cameras):
        R = Rotation.from_euler("y", 360 * k / cameras, degrees=True).as_matrix() @ np.diag([1.0, -1, -1])
        t = np.array([0, 0, 0.5]) - R @ middle
        views.append(Camera(f"cam {k:02d}", size, size, 2.0 * size, 2.0 * size, size / 2, size / 2, R, t))
    return RunAnnotation(
        side="right",
        frames=tuple(100 + 3 * k for k in range(frames)),
        before=HandState(zero, verts + offset, joints + offset),
        after=HandState(zero, verts, joints),
        topology=hand.topology,
        cameras=tuple(views),
        views=tuple((k, camera.name) for k in range(frames) for camera in views),
    )


def _metrics(annotation: RunAnnotation, iterations: int) -> dict[str, object]:
    figures = {"mask_precision": {"before": 0.8, "after": 0.9}, "mask_recall": {"before": 0.95, "after": 0.9}}
    errors = {"vertex_error_mm": {"before": 10.0, "after": 0.7}, "joint_error_mm": {"before": 9.0, "after": 0.6}}
    return {
        **errors,
        **figures,
        "texture_psnr_db": {"before": None, "after": None},
        "seconds": 12.3,
        "iterations": iterations,
        "seed": 0,
        "version": "0.1.0",
        "variant": "llvm_ad_rgb",
        "per_frame": [{"frame": frame, **errors} for frame in annotation.frames],
        "per_view": [
            {"frame": annotation.frames[frame], "camera": camera, **figures} for frame, camera in annotation.views
        ],
    }


def _record(k: int, iterations: int) -> dict[str, object]:
    stage, loss = ("environment" if k < iterations // 3 else "joint"), float(np.exp(-3 * k / iterations))
    terms = {"data": 0.7 * loss, "silhouette": 0.3 * loss, "prior": 0.0}
    return {"iteration": k, "stage": stage, "loss": loss, "terms": terms, "vertex_error_mm": 10 * loss}


def _write_views(run: Path, annotation: RunAnnotation, size: int, rng: np.random.Generator) -> None:
    cameras = {camera.name: camera for camera in annotation.cameras}
    entries = []
    for frame, name in annotation.views:
        pictures = []
        for state in (annotation.before, annotation.after):
            verts = torch.as_tensor(state.verts_world[frame])
            normals_world = vertex_normals(verts, annotation.topology).numpy()
            normals, covered = normal_picture(
                verts.numpy(), normals_world, np.asarray(annotation.topology.faces), cameras[name]
            )
            pictures.append((covered.astype(np.float32), normals.astype(np.float32) / 255))
        truth = cv2.GaussianBlur(pictures[1][1], (0, 0), 1)
        background = cv2.GaussianBlur(rng.random((size, size, 3), dtype=np.float32), (0, 0), 1.5)
        image = np.where(pictures[1][0][..., None] > 0, truth, background)
        image = np.clip(image + 0.03 * rng.normal(size=image.shape), 0, 1).astype(np.float32)
        label = np.where(pictures[1][0] > 0, HAND, NOT_HAND).astype(np.uint8)
        label[: size // 4] = UNKNOWN
        entry = ViewEntry(annotation.frames[frame], name, (0, 0, size, size), (size, size))
        write_view(run, entry, image, label, *pictures)
        entries.append(entry)
    write_view_index(run, entries)

"""A result made up for tests of what reads one: the open hand, moved a little, before a noisy background."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from made_run import hand_of, posed, result_of, write_result
from scipy.spatial.transform import Rotation

from handrefine.mesh import vertex_normals
from handrefine.report.normals import normal_image
from handrefine.runs.judgement import Judgement
from handrefine.runs.result import (
    HAND,
    NOT_HAND,
    UNKNOWN,
    HandResult,
    HandState,
    RunAnnotation,
    RunResult,
    ViewRender,
    ViewResult,
)
from handrefine.sequence import Camera, FrameId, ManoParameters, Side

MOVED_M = 0.008


def write_example_run(run: Path, *, iterations: int = 12, **shape: int) -> RunAnnotation:
    """Write a folder as `handrefine refine` and `handrefine evaluate` would; nothing is rendered or optimised."""
    result = example_result(iterations=iterations, **shape)
    metrics = example_metrics(result.hands[0], iterations)
    write_result(run, result, Judgement(metrics, {"right": metrics}))
    return result.annotation("right")


def example_result(
    sides: tuple[Side, ...] = ("right",),
    *,
    frames: int = 2,
    cameras: int = 2,
    size: int = 64,
    texture: int = 64,
    iterations: int = 12,
) -> RunResult:
    """Hands at rest that stood `MOVED_M` beside before; of two hands each covers half of what both cover."""
    rng = np.random.default_rng(0)
    numbers = tuple(FrameId(100 + 3 * k) for k in range(frames))
    zero = ManoParameters(np.zeros((frames, 48)), np.zeros((frames, 10)), np.zeros((frames, 3)))
    states = {side: posed(side, zero) for side in sides}
    middle = states[sides[0]].verts_world.mean(axis=(0, 1))
    rig = [_camera(k, cameras, size, middle) for k in range(cameras)]
    image = rng.random((1, texture, texture, 3), dtype=np.float32)
    hands = []
    for side, after in states.items():
        before = _moved(after)
        stages = {"environment": image[0], "joint": image[0]}
        hand = hand_of(side, numbers, before, after, image, stage_textures=stages)
        views = [_view(hand, k, camera, size, rng, alone=len(sides) == 1) for k in range(frames) for camera in rig]
        hands.append(replace(hand, views=tuple(views)))
    records = [_record(k, iterations, sides) for k in range(iterations)]
    return result_of(hands, rig, records=records, warnings={"a gradient was not finite": 2}, name="made <up>")


def example_metrics(hand: HandResult, iterations: int) -> dict[str, Any]:
    figures = {"mask_precision": {"before": 0.8, "after": 0.9}, "mask_recall": {"before": 0.95, "after": 0.9}}
    errors = {"vertex_error_mm": {"before": 10.0, "after": 0.7}, "joint_error_mm": {"before": 9.0, "after": 0.6}}
    return {
        **errors,
        **figures,
        "texture_psnr_db": {"before": None, "after": None},
        "joint_fit_residual_mm": hand.joint_residual_mm,
        "joint_fit_residual_by_joint_mm": dict(hand.residual_by_joint_mm) or None,
        "seconds": 12.3,
        "iterations": iterations,
        "seed": 0,
        "version": "0.1.0",
        "variant": "llvm_ad_rgb",
        "per_frame": [{"frame": frame, **errors} for frame in hand.frames],
        "per_view": [{"frame": view.frame, "camera": view.camera, **figures} for view in hand.views],
    }


def _camera(k: int, count: int, size: int, middle: np.ndarray) -> Camera:
    R = Rotation.from_euler("y", 360 * k / count, degrees=True).as_matrix() @ np.diag([1.0, -1, -1])
    t = np.array([0, 0, 0.5]) - R @ middle
    return Camera(f"cam {k:02d}", size, size, 2.0 * size, 2.0 * size, size / 2, size / 2, R, t)


def _moved(state: HandState) -> HandState:
    offset = np.array([MOVED_M, 0, 0], dtype=np.float32)
    return HandState(state.mano, state.verts_world + offset, state.joints_world + offset)


def _record(k: int, iterations: int, sides: tuple[Side, ...]) -> dict[str, object]:
    stage, loss = ("environment" if k < iterations // 3 else "joint"), float(np.exp(-3 * k / iterations))
    terms = {"data": 0.7 * loss, "silhouette": 0.3 * loss, "prior": 0.0}
    hands = {side: {"vertex_error_mm": (10 + k) * loss} for k, side in enumerate(sides)}
    return {
        "iteration": k,
        "stage": stage,
        "loss": loss,
        "terms": terms,
        "vertex_error_mm": 10 * loss,
        **({"hands": hands} if len(sides) > 1 else {}),
    }


def _view(
    hand: HandResult, row: int, camera: Camera, size: int, rng: np.random.Generator, *, alone: bool
) -> ViewResult:
    renders = []
    for state in (hand.before, hand.after):
        verts = torch.as_tensor(state.verts_world[row])
        normals_world = vertex_normals(verts, hand.topology).numpy()
        normals, covered = normal_image(verts.numpy(), normals_world, np.asarray(hand.topology.faces), camera)
        coverage = covered.astype(np.float32)
        own = coverage if alone else coverage * (np.arange(size) < size // 2)
        renders.append(ViewRender(normals.astype(np.float32) / 255, coverage, own.astype(np.float32)))
    truth = cv2.GaussianBlur(renders[1].rgb, (0, 0), 1)
    background = cv2.GaussianBlur(rng.random((size, size, 3), dtype=np.float32), (0, 0), 1.5)
    image = np.where(renders[1].coverage[..., None] > 0, truth, background)
    label = np.where(renders[1].coverage > 0, HAND, NOT_HAND).astype(np.uint8)
    label[: size // 4] = UNKNOWN
    return ViewResult(
        frame=hand.frames[row],
        camera=camera.name,
        window_px=(0, 0, size, size),
        size_px=(size, size),
        image=np.clip(image + 0.03 * rng.normal(size=image.shape), 0, 1).astype(np.float32),
        label=label,
        before=renders[0],
        after=renders[1],
    )

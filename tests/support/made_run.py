"""Results made without a refinement, and their run folders, with what exports, viewers and reports read."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from handrefine.config import Config
from handrefine.config_files import config_from_mapping
from handrefine.hand.model import load_hand_model
from handrefine.progress import Record
from handrefine.render.mitsuba.runtime import start_mitsuba
from handrefine.runs.folder import RunFolder
from handrefine.runs.judgement import Judgement
from handrefine.runs.result import CameraResult, HandResult, HandState, RunAnnotation, RunResult
from handrefine.runs.writer import RunWriter, write_configuration
from handrefine.sequence import Camera, FrameId, HandSequence, ManoParameters, Side
from handrefine.spherical import radiance_map

FRAMES = tuple(map(FrameId, (7, 19, 20)))
MAP_HEIGHT = 16


def make_run(
    folder: Path, side: Side = "right", *, texture: np.ndarray | None = None, size: int = 40
) -> RunAnnotation:
    """Write a run of one hand: three frames, two cameras, order-1 light, no views."""
    result = made_result(side, texture=texture, size=size)
    write_result(folder, result)
    return result.annotation(side)


def made_result(side: Side = "right", *, texture: np.ndarray | None = None, size: int = 40) -> RunResult:
    """Cameras have fx != fy and an off-centre principal point; poses and shape are random."""
    hand = load_hand_model(side)
    rng = np.random.default_rng(1)
    pose, shape = rng.normal(0, 0.15, (3, 48)), np.tile(rng.normal(0, 0.5, 10), (3, 1))
    trans = rng.normal(0, 0.01, (3, 3))
    before, after = (posed(side, ManoParameters(p, shape, trans)) for p in (pose + 0.02, pose))
    centre = after.verts_world.reshape(-1, 3).mean(axis=0)
    cameras = [
        _camera(name, centre, np.array(direction), size)
        for name, direction in (("front", [0.2, 1.0, 0.3]), ("odd-- name", [-0.3, -1.0, 0.4]))
    ]
    skin = hand.default_skin()[::8, ::8] if texture is None else texture
    return result_of([hand_of(side, FRAMES, before, after, np.ascontiguousarray(skin[None]))], cameras)


def posed(side: Side, mano: ManoParameters) -> HandState:
    with torch.no_grad():
        parameters = (torch.as_tensor(of).float() for of in (mano.pose_aa, mano.shape, mano.trans_m))
        out = load_hand_model(side)(*parameters, flat_hand_mean=mano.flat_hand_mean)
    return HandState(mano, out.verts_world.numpy(), out.joints_world.numpy())


def hand_of(
    side: Side,
    frames: tuple[FrameId, ...],
    before: HandState,
    after: HandState,
    textures: np.ndarray,
    **more: Any,
) -> HandResult:
    """A hand whose texture was seen in its lower two thirds."""
    hand, seen = load_hand_model(side), np.ones((len(textures), *textures.shape[1:3]), bool)
    seen[:, : seen.shape[1] // 3] = False
    return HandResult(
        side=side,
        hand_model=hand.name,
        open_hand=hand.open_hand,
        topology=hand.topology,
        frames=frames,
        before=before,
        after=after,
        textures=textures,
        textures_seen=seen,
        **{"stage_textures": {}, "views": (), **more},
    )


def result_of(
    hands: list[HandResult],
    cameras: list[Camera],
    *,
    records: list[Record] | None = None,
    warnings: Mapping[str, int] | None = None,
    name: str = "made",
) -> RunResult:
    """Hands before cameras whose colours differ a little, in a light from one side, bluish from below."""
    colours = np.eye(3, 4) + 0.1 * np.random.default_rng(5).normal(size=(len(cameras), 3, 4))
    return RunResult(
        sequence_name=name,
        config=config_from_mapping({"light": {"map_height": MAP_HEIGHT, "order": 1}}),
        hands=tuple(hands),
        cameras=tuple(
            CameraResult(camera, 1.0 - 0.25 * k, 1.0, 0.5, None if k == 0 else "colour disagrees", colours[k])
            for k, camera in enumerate(cameras)
        ),
        environment=environment(),
        light_coefficients=coefficients(),
        records=[] if records is None else records,
        seconds=12.3,
        variant="llvm_ad_rgb",
        version="0.1.0",
        warnings={} if warnings is None else warnings,
    )


def write_result(folder: Path, result: RunResult, judgement: Judgement | None = None) -> HandSequence:
    """Write a run folder as the pipeline does, but its report; returns the sequence that was not refined."""
    start_mitsuba(Config().render.variant)
    frames = sorted({frame for hand in result.hands for frame in hand.frames})
    cameras = {of.camera.name: of.camera for of in result.cameras}
    sequence = HandSequence(result.sequence_name, cameras, tuple(frames), {}, {})
    if judgement is None:
        figures = {"seconds": result.seconds, "version": result.version, "variant": result.variant}
        judgement = Judgement(figures, dict.fromkeys(result.sides, figures))
    with RunFolder.create(folder) as target:
        write_configuration(target, sequence, result.sides, result.config)
        for record in result.records:
            target.append_log(record)
        writer = RunWriter(target, result, sequence)
        writer.write_annotations()
        writer.write_dataset(result.sides)
        writer.write_findings(judgement)
        writer.write_warnings(result.warnings)
    return sequence


def coefficients() -> np.ndarray:
    """Light from one side, bluish from below."""
    return np.array([[3.0, 3.0, 3.2], [0.9, 0.8, 0.4], [-0.5, -0.6, 0.3], [0.6, 0.5, 0.5]], np.float32)


def environment() -> np.ndarray:
    return radiance_map(torch.from_numpy(coefficients()), MAP_HEIGHT).numpy()


def _camera(name: str, target: np.ndarray, direction: np.ndarray, size: int) -> Camera:
    """A camera 0.6 m from the target in that direction, its pixels 5 % wider than high."""
    z = -direction / np.linalg.norm(direction)
    x = np.cross(z, [0.0, 0.0, 1.0])
    x /= np.linalg.norm(x)
    R = np.stack([x, np.cross(z, x), z])
    cx, cy, focal = 0.46 * size, 0.55 * size, 2.2 * size
    # The target is seen in the middle although the principal point is not there.
    seen = np.array([(size / 2 - cx) / (1.05 * focal), (size / 2 - cy) / focal, 1.0]) * 0.6
    return Camera(name, size, size, 1.05 * focal, focal, cx, cy, R, seen - R @ target)

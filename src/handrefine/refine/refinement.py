"""Refining one hand of a sequence, from the dataset's annotation to the result."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import wraps
from typing import ParamSpec

import numpy as np
import torch
from jaxtyping import Bool, Float

from handrefine.config import Config, StageConfig
from handrefine.evaluate.camera_trust import CameraTrust
from handrefine.hand.model import HandGeometry
from handrefine.output.run_warnings import collected_warnings
from handrefine.progress import Progress, Record, SilentProgress
from handrefine.refine.job import Job, prepare
from handrefine.refine.loop import Monitor, optimise
from handrefine.refine.model import Prediction
from handrefine.refine.variables import PoseVariables
from handrefine.render.base import HandSurface
from handrefine.sequence import HandAnnotation, HandSequence, ManoParameters, Side

P = ParamSpec("P")
#: Side of the coarse texture on which "seen by at least one camera" is told.
SEEN_SIZE = 256
#: Samples a pixel of the final pictures, which people look at.
FINAL_SPP = 32
#: Random numbers of the final pictures: never those of an iteration.
FINAL_SEED = 2**31 - 1


@dataclass(frozen=True, eq=False)
class State:
    """The hand at one end of the refinement, and the pictures that it predicts in the final light and texture."""

    parameters: ManoParameters
    prediction: Prediction

    @property
    def geometry(self) -> HandGeometry:
        return self.prediction.geometry


@dataclass(frozen=True, eq=False)
class Refinement:
    """The result of `refine`.

    Attributes:
        job: what was refined; `job.model` holds the final values.
        textures: linear RGB reflectance, row 0 at the top; one, or one an instant where instants are independent.
        textures_seen: texels of each that at least one camera saw, on a coarser grid.
        environment: the light as a map; light_coefficients: the spherical harmonics that it was baked from.
        colour_transforms: one [M | b] for every camera of `job.observations.camera_names`.
        stage_textures: the (first) texture as it was at the end of every stage, by the stage's name.
        records: the log, one entry an iteration.
        warnings: every warning that came while refining, and how often.
        camera_trusts: how far each camera of the sequence was believed in the end.
    """

    job: Job
    before: State
    after: State
    textures: Float[np.ndarray, "texture_frame height width 3"]
    textures_seen: Bool[np.ndarray, "texture_frame seen_size seen_size"]
    environment: Float[np.ndarray, "map_height map_width 3"]
    light_coefficients: Float[np.ndarray, "coefficient 3"]
    colour_transforms: Float[np.ndarray, "camera 3 4"]
    records: list[Record]
    seconds: float
    stage_textures: dict[str, Float[np.ndarray, "height width 3"]]
    camera_trusts: list[CameraTrust]
    warnings: dict[str, int] = field(default_factory=dict)

    def annotation(self) -> HandAnnotation:
        """The sequence's annotation of this hand with the refined instants replaced."""
        job = self.job
        count, indices = len(job.sequence.frames), job.start.frame_indices
        old, refined = job.sequence.annotation(job.hand.side), self.after.parameters

        def filled(values: np.ndarray, before: np.ndarray | None) -> np.ndarray:
            full = np.zeros((count, *values.shape[1:])) if before is None else before.copy()
            full[indices] = values
            return full

        kept = None if old.mano is None else old.mano
        valid = np.zeros(count, bool) if old.mano is None or old.mano_valid is None else old.mano_valid.copy()
        valid[indices] = True
        joints = self.after.geometry.joints_world.cpu().numpy().astype(np.float64)
        return HandAnnotation(
            side=old.side,
            mano=ManoParameters(
                filled(refined.pose_aa, kept.pose_aa if kept else None),
                filled(refined.shape, kept.shape if kept else None),
                filled(refined.trans_m, kept.trans_m if kept else None),
                flat_hand_mean=refined.flat_hand_mean,
            ),
            mano_valid=valid,
            joints_world=filled(joints, old.joints_world),
            joint_valid=None
            if old.joint_valid is None
            else filled(np.ones_like(joints[..., 0], bool), old.joint_valid),
        )


def _keeping_warnings(function: Callable[P, Refinement]) -> Callable[P, Refinement]:
    """Note what the function warned of in its result."""

    @wraps(function)
    def keeping(*args: P.args, **kwargs: P.kwargs) -> Refinement:
        with collected_warnings() as warnings:
            result = function(*args, **kwargs)
        return replace(result, warnings=warnings)

    return keeping


@_keeping_warnings
def refine(
    sequence: HandSequence,
    side: Side = "right",
    config: Config | None = None,
    *,
    progress: Progress | None = None,
    record: Callable[[Record], None] | None = None,
    monitor: Monitor | None = None,
) -> Refinement:
    """Refine one hand's annotation until ray-traced pictures of it match the images.

    Args:
        side: which hand.
        config: all settings; the defaults are the paper's.
        progress: told of stages and iterations.
        record: gets every iteration's record, e.g. to write it to a file.
        monitor: extra figures of a geometry for the records.

    Raises:
        InputError: the hand is not annotated, no camera sees it, an image is broken, or no renderer can be set up.
    """
    started = time.perf_counter()
    job = prepare(sequence, side, Config() if config is None else config)
    records: list[Record] = []

    def keep(entry: Record) -> None:
        records.append(entry)
        if record is not None:
            record(entry)

    stage_textures: dict[str, np.ndarray] = {}

    def keep_texture(stage: str, settings: StageConfig) -> None:
        with torch.no_grad():
            levels = min(settings.texture_levels, job.model.texture.n_levels)
            stage_textures[stage] = job.model.texture(levels)[0].cpu().numpy()

    trusts = optimise(
        job,
        progress=SilentProgress() if progress is None else progress,
        record=keep,
        monitor=monitor,
        on_stage_end=keep_texture,
    )
    return _result(job, records, stage_textures, trusts, started)


@torch.no_grad()
def _result(
    job: Job,
    records: list[Record],
    stage_textures: dict[str, np.ndarray],
    trusts: list[CameraTrust],
    started: float,
) -> Refinement:
    model = job.model
    after_state = _state(job, model.pose)
    return Refinement(
        job=job,
        before=_state(job, _start(job)),
        after=after_state,
        textures=model.texture().cpu().numpy(),
        textures_seen=seen_texels(job, after_state.geometry),
        environment=model.light.bake(job.config.light.map_height).cpu().numpy(),
        light_coefficients=model.light.coefficients.detach().cpu().numpy(),
        colour_transforms=model.colour.matrices().cpu().numpy(),
        records=records,
        seconds=time.perf_counter() - started,
        stage_textures=stage_textures,
        camera_trusts=trusts,
    )


def _start(job: Job) -> PoseVariables:
    """The annotation as it was, with the shape of every instant."""
    return PoseVariables(job.start.parameters, shape_per_instant=True).to(job.runtime.device)


def _state(job: Job, pose: PoseVariables) -> State:
    settings = replace(job.renderer_settings, spp=max(FINAL_SPP, job.config.render.spp))
    prediction = job.model.predict(
        job.new_renderer(settings),
        job.observations,
        texture_levels=job.model.texture.n_levels,
        seed=FINAL_SEED,
        pose=pose,
    )
    return State(pose.parameters_now(), prediction)


def seen_texels(job: Job, geometry: HandGeometry) -> Bool[np.ndarray, "texture_frame seen_size seen_size"]:
    """Texels of every texture that some view samples: those whose change would change a picture in albedo."""
    renderer = job.new_renderer(replace(job.renderer_settings, shading="albedo"))
    shape = job.model.texture.n_textures, SEEN_SIZE, SEEN_SIZE, 3
    texture = torch.full(shape, 0.5, device=job.runtime.device, requires_grad=True)
    dark = torch.zeros(2, 4, 3, device=job.runtime.device)
    with torch.enable_grad():
        picture = renderer.render([HandSurface(geometry.verts_world.detach(), texture)], dark, seed=FINAL_SEED).rgb
        (gradient,) = torch.autograd.grad(picture.sum(), texture)
    return (gradient.abs().sum(dim=-1) > 0).cpu().numpy()

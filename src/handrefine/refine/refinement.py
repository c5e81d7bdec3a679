"""Refining one hand of a sequence or both, from the dataset's annotation to the result."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from handrefine.config import Config, StageConfig
from handrefine.errors import InputError
from handrefine.evaluate.camera_trust import CameraTrust
from handrefine.hand.model import HandGeometry, HandModel
from handrefine.output.run_warnings import collected_warnings
from handrefine.progress import Progress, Record, SilentProgress
from handrefine.refine.annotation import of_another_model
from handrefine.refine.batches import with_views
from handrefine.refine.job import Job, prepare
from handrefine.refine.loop import Monitor, optimise
from handrefine.refine.model import Prediction
from handrefine.refine.observations import Observations
from handrefine.refine.seen import seen_texels
from handrefine.refine.start import Start
from handrefine.refine.variables import PoseVariables
from handrefine.render.base import RenderSettings
from handrefine.sequence import HandAnnotation, HandSequence, ManoParameters, Side

#: Samples a pixel of the final pictures, which people look at.
FINAL_SPP = 32
#: Random numbers of the final pictures: never those of an iteration.
FINAL_SEED = 2**31 - 1


@dataclass(frozen=True, eq=False)
class State:
    """A hand at one end of the refinement, and what is predicted for the views around it.

    prediction: in the final light and texture; it shows both hands where both are refined.
    """

    parameters: ManoParameters
    geometry: HandGeometry
    prediction: Prediction
    covered: Float[Tensor, " pixel"]
    """Share of every pixel that this hand covers."""


@dataclass(frozen=True, eq=False)
class Refinement:
    """The result of `refine`: one hand. Where both were refined together, each has a `Refinement` of its own.

    Attributes:
        job: what was refined; `job.model` holds the final values.
        index: which of the job's hands this is.
        observations: the views around this hand; their instants count those at which it is annotated.
        before, after: this hand as it was annotated and as it was refined.
        textures: linear RGB reflectance, row 0 at the top; one, or one an instant where instants are independent.
        textures_seen: texels of each that at least one camera saw, on a coarser grid.
        environment: the light as a map; light_coefficients: the spherical harmonics that it was baked from.
        colour_transforms: one [M | b] for every camera of `observations.camera_names`.
        stage_textures: the (first) texture as it was at the end of every stage, by the stage's name.
        records: the log, one entry an iteration.
        warnings: every warning that came while refining, and how often.
        camera_trusts: how far each camera of the sequence was believed in the end.
    """

    job: Job
    index: int
    observations: Observations
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

    @property
    def start(self) -> Start:
        return self.job.starts[self.index]

    @property
    def hand(self) -> HandModel:
        return self.start.hand

    @property
    def frames(self) -> tuple[int, ...]:
        """The dataset's frame numbers of the instants at which this hand was refined."""
        return self.job.frames[self.index]

    @property
    def other_joints_world(self) -> Float[Tensor, "frame 21 3"] | None:
        """The annotated joints of the hand that is not this one, at this hand's instants; NaN where unknown."""
        joints = self.job.other_joints_world[self.index]
        if joints is None:
            return None
        return joints[[self.job.frame_indices.index(k) for k in self.start.frame_indices]]

    def annotation(self) -> HandAnnotation:
        """The sequence's annotation of this hand with the refined instants replaced."""
        sequence = self.job.sequence
        count, indices = len(sequence.frames), self.start.frame_indices
        old, refined = sequence.annotation(self.hand.side), self.after.parameters

        def filled(values: np.ndarray, before: np.ndarray | None) -> np.ndarray:
            full = np.zeros((count, *values.shape[1:])) if before is None else before.copy()
            full[indices] = values
            return full

        kept = None if of_another_model(self.hand, sequence) else old.mano
        valid = np.zeros(count, bool) if kept is None or old.mano_valid is None else old.mano_valid.copy()
        valid[indices] = True
        joints = self.after.geometry.joints_world.cpu().numpy().astype(np.float64)
        return HandAnnotation(
            side=old.side,
            mano=ManoParameters(
                filled(refined.pose_aa, kept.pose_aa if kept else None),
                filled(refined.shape, kept.shape if kept else None),
                filled(refined.trans_m, kept.trans_m if kept else None),
                flat_hand_mean=refined.flat_hand_mean,
                open_hand=self.hand.open_hand,
            ),
            mano_valid=valid,
            joints_world=filled(joints, old.joints_world),
            joint_valid=None
            if old.joint_valid is None
            else filled(np.ones_like(joints[..., 0], bool), old.joint_valid),
        )


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
        side: which hand. Another one is left alone, as is what it hides.
        config: all settings; by default handrefine's own preset (`configs/paper.yaml` is the paper's).
        progress: told of stages and iterations.
        record: gets every iteration's record, e.g. to write it to a file.
        monitor: extra figures of a geometry for the records.

    Raises:
        InputError: the hand is not annotated, no camera sees it, an image is broken, or no renderer can be set up.
    """
    monitors: dict[Side, Monitor] = {} if monitor is None else {side: monitor}
    return refine_hands(sequence, [side], config, progress=progress, record=record, monitors=monitors)[side]


def refine_hands(
    sequence: HandSequence,
    sides: Sequence[Side] = ("right", "left"),
    config: Config | None = None,
    *,
    progress: Progress | None = None,
    record: Callable[[Record], None] | None = None,
    monitors: Mapping[Side, Monitor] | None = None,
) -> dict[Side, Refinement]:
    """Refine both hands' annotations in one optimisation, or one hand's; arguments as of `refine`.

    Both stand in one scene, in one light, and hide and shadow each other. At instants at which the dataset has one
    of them only, that one is refined alone.

    Raises:
        InputError: as `refine`, or the hands cannot share what `config.hands` says.
    """
    with collected_warnings() as warnings:
        refinements = _refine_hands(sequence, sides, config or Config(), progress, record, monitors or {})
    return {side: replace(refinement, warnings=warnings) for side, refinement in refinements.items()}


def _refine_hands(
    sequence: HandSequence,
    sides: Sequence[Side],
    config: Config,
    progress: Progress | None,
    record: Callable[[Record], None] | None,
    monitors: Mapping[Side, Monitor],
) -> dict[Side, Refinement]:
    started = time.perf_counter()
    job = prepare(sequence, sides, config)
    records: list[Record] = []

    def keep(entry: Record) -> None:
        records.append(entry)
        if record is not None:
            record(entry)

    stage_textures: list[dict[str, np.ndarray]] = [{} for _ in sides]

    def keep_textures(stage: str, settings: StageConfig) -> None:
        with torch.no_grad():
            for hand, kept in zip(job.model.hands, stage_textures, strict=True):
                kept[stage] = hand.textures(settings.texture_levels)[0].cpu().numpy()

    trusts = optimise(
        job,
        progress=SilentProgress() if progress is None else progress,
        record=keep,
        monitors=[monitors.get(side) for side in sides],
        on_stage_end=keep_textures,
    )
    with torch.no_grad():
        return {side: _result(job, k, records, stage_textures[k], trusts, started) for k, side in enumerate(sides)}


def _result(
    job: Job,
    index: int,
    records: list[Record],
    stage_textures: dict[str, np.ndarray],
    trusts: list[CameraTrust],
    started: float,
) -> Refinement:
    model = job.model
    around = views_around(job, job.observations, index)
    final = _state(job, index, around, [hand.pose for hand in model.hands])
    return Refinement(
        job=job,
        index=index,
        observations=_at_own_instants(job, index, around),
        before=_state(job, index, around, job.starting_poses()),
        after=final,
        textures=model.hands[index].texture().cpu().numpy(),
        textures_seen=seen_texels(job, index, around, final.prediction.geometries, FINAL_SEED),
        environment=model.light.bake(job.config.light.map_height).cpu().numpy(),
        light_coefficients=model.light.coefficients.detach().cpu().numpy(),
        colour_transforms=model.colour.matrices().cpu().numpy(),
        records=records,
        seconds=time.perf_counter() - started,
        stage_textures=stage_textures,
        camera_trusts=trusts,
    )


def views_around(job: Job, observations: Observations, index: int) -> Observations:
    """The views around one of the hands.

    Raises:
        InputError: no camera sees it.
    """
    if observations.hand_of_view is None:
        return observations
    chosen = [k for k, hand in enumerate(observations.hand_of_view) if hand == index]
    if not chosen:
        raise InputError(f"no camera sees the annotated {job.hands[index].side} hand", where=job.sequence.name)
    return with_views(observations, chosen)


def _at_own_instants(job: Job, index: int, around: Observations) -> Observations:
    rows = job.model.hands[index].rows.tolist()
    return replace(around, keys=tuple((rows[k], name) for k, name in around.keys))


def final_settings(job: Job) -> RenderSettings:
    """For pictures that are looked at and measured."""
    return replace(job.renderer_settings, spp=max(FINAL_SPP, job.config.render.spp))


def _state(job: Job, index: int, around: Observations, poses: Sequence[PoseVariables]) -> State:
    prediction = job.model.predict(
        job.new_renderer(final_settings(job), around.views),
        around,
        texture_levels=job.model.n_levels,
        seed=FINAL_SEED,
        poses=poses,
    )
    return State(
        poses[index].parameters_now(), prediction.geometries[index], prediction, prediction.by_hand[:, index]
    )

"""From the refined tensors to the plain arrays of a `RunResult`."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from torch import Tensor

import handrefine
from handrefine.errors import InputError
from handrefine.hand.model import HandGeometry
from handrefine.losses.base import CameraWeighting
from handrefine.observations import Observations
from handrefine.progress import Record
from handrefine.refinement.camera_evidence import CameraTrust
from handrefine.refinement.camera_mending import MendedCamera
from handrefine.refinement.joint_evidence import joint_evidence
from handrefine.refinement.problem import Problem
from handrefine.refinement.seen_texels import seen_texels
from handrefine.render.base import FINAL_SEED, final
from handrefine.runs.result import (
    CameraResult,
    HandResult,
    HandState,
    JointEvidence,
    RunResult,
    ViewRender,
    ViewResult,
    label_shades,
)
from handrefine.scene.known_person import person_of
from handrefine.scene.pose import PoseVariables
from handrefine.scene.video_model import Prediction, VideoHand

log = logging.getLogger(__name__)
#: Metres by which a surface may differ from that of its parameters by rounding alone.
SAME_M = 1e-6


@dataclass(frozen=True, eq=False)
class Found:
    """What came up on the way: how far each camera was believed, the log, every hand's textures by stage, and
    the cameras that were mended.

    seen: the cameras' weights and what is occluded, as in the last iteration.
    """

    trusts: Sequence[CameraTrust]
    records: list[Record]
    stage_textures: Sequence[Mapping[str, np.ndarray]]
    mended: Mapping[str, MendedCamera]
    seen: tuple[CameraWeighting, Sequence]


def run_result(problem: Problem, found: Found) -> RunResult:
    """One result of all hands; renders them as they were annotated and as they are now.

    Raises:
        InputError: no camera sees one of the hands.
    """
    model = problem.model
    return RunResult(
        sequence_name=problem.sequence.name,
        config=problem.config,
        hands=tuple(_hand(problem, index, found) for index in range(len(problem.hands))),
        cameras=tuple(_cameras(problem, found)),
        environment=model.light.bake(model.light_map_height).cpu().numpy(),
        light_coefficients=model.light.coefficients.detach().cpu().numpy(),
        records=found.records,
        seconds=0.0,
        variant=problem.runtime.variant,
        version=handrefine.__version__,
    )


def _hand(problem: Problem, index: int, found: Found) -> HandResult:
    hand, start = problem.model.hands[index], problem.starts[index]
    around = _views_around(problem, index)
    after = _predict(problem, around)
    before_poses = problem.starting_poses()
    before = _predict(problem, around, before_poses)
    other = problem.other_joints_world[index]
    seen = seen_texels(problem, index, around, after.geometries, FINAL_SEED)
    return HandResult(
        side=start.hand.side,
        hand_model=start.hand.name,
        open_hand=start.hand.open_hand,
        topology=problem.renderer.topologies[index],
        frames=problem.frames[index],
        before=_state(hand, before_poses[index], before.geometries[index]),
        after=_state(hand, hand.pose, after.geometries[index]),
        textures=hand.texture().cpu().numpy(),
        textures_seen=seen,
        stage_textures=found.stage_textures[index],
        views=tuple(_views(problem, around, index, before, after)),
        other_joints_world=None if other is None else other[start.frame_indices].cpu().numpy(),
        joint_residual_mm=start.joint_residual_mm,
        residual_by_joint_mm=start.residual_by_joint_mm,
        person=person_of(hand, seen[0]),
        other_model=start.other_model,
        filled=tuple(problem.sequence.frames[k] for k in start.filled),
        evidence=_evidence(problem, index, around, after, found),
        pca_components=_components(problem, index),
    )


def _evidence(
    problem: Problem, index: int, around: Observations, after: Prediction, found: Found
) -> JointEvidence | None:
    """How sure the joints are; None where a term of others cannot be linearised: it costs no result."""
    try:
        return joint_evidence(problem, index, around, after, found.seen)
    except (ValueError, RuntimeError) as error:
        log.warning("how sure the joints are is not known: %s", error)
        return None


def _components(problem: Problem, index: int) -> np.ndarray | None:
    """The hand model's principal components, if the dataset counts in them."""
    hand = problem.starts[index].hand
    return None if problem.sequence.annotation(hand.side).mano_pca is None else np.asarray(hand.pca_components)


def _views_around(problem: Problem, index: int) -> Observations:
    """The views around one of the hands."""
    observations = problem.observations
    if observations.hand_of_view is None:
        return observations
    chosen = [k for k, hand in enumerate(observations.hand_of_view) if hand == index]
    if not chosen:
        side = problem.hands[index].side
        raise InputError(f"no camera sees the annotated {side} hand", where=problem.sequence.name)
    return observations.select(chosen)


def _predict(problem: Problem, around: Observations, poses: Sequence[PoseVariables] | None = None) -> Prediction:
    """In the final light and texture; it shows all hands, as they are now or in other poses."""
    return problem.model.predict(
        problem.new_renderer(final(problem.config.render), around.views),
        around,
        texture_levels=problem.model.n_levels,
        seed=FINAL_SEED,
        poses=poses,
    )


def _state(hand: VideoHand, pose: PoseVariables, geometry: HandGeometry) -> HandState:
    verts_world, parametric = (of.verts_world.cpu().numpy() for of in (geometry, hand.geometry(pose)))
    displaced = np.abs(verts_world - parametric).max() > SAME_M
    joints_world = geometry.joints_world.cpu().numpy()
    return HandState(pose.parameters_now(), verts_world, joints_world, parametric if displaced else None)


def _views(
    problem: Problem, around: Observations, index: int, before: Prediction, after: Prediction
) -> list[ViewResult]:
    def split(values: Tensor) -> list[np.ndarray]:
        return [part.cpu().numpy() for part in around.views.split(values)]

    def renders(of: Prediction) -> list[ViewRender]:
        channels = split(of.hand_rgb), split(of.coverage), split(of.by_hand[:, index])
        return [ViewRender(*view) for view in zip(*channels, strict=True)]

    known, hand = split(around.silhouette_weight > 0), split(around.hand_share > 0.5)
    labels = [label_shades(*of) for of in zip(known, hand, strict=True)]
    arrays = split(around.image), labels, renders(before), renders(after)
    return [
        ViewResult(
            frame=problem.sequence.frames[frame],
            camera=camera,
            window_px=(window.x0_px, window.y0_px, window.x1_px, window.y1_px),
            size_px=(window.camera.width, window.camera.height),
            image=image,
            label=label,
            before=rendered_before,
            after=rendered_after,
        )
        for (frame, camera), window, image, label, rendered_before, rendered_after in zip(
            around.keys, around.windows, *arrays, strict=True
        )
    ]


def _cameras(problem: Problem, found: Found) -> list[CameraResult]:
    rotations, matrices = problem.model.rotations, problem.model.colour.matrices().detach().cpu().numpy()
    turned = None if rotations is None else 1e3 * rotations.rotations_cam().detach().cpu().numpy()
    scales = None if rotations is None else rotations.scales().tolist()
    return [
        CameraResult(
            camera=problem.sequence.cameras[trust.camera],
            weight=trust.weight,
            agreement=trust.agreement,
            visible_share=trust.visible_share,
            reason=trust.reason,
            colour_transform=matrices[k],
            rotation_cam_mrad=None if turned is None else turned[k],
            picture_scale=None if scales is None else scales[k],
            mended=found.mended.get(trust.camera),
        )
        for k, trust in enumerate(found.trusts)
    ]

"""From the refined tensors to the plain arrays of a `RunResult`."""

import numpy as np
import torch
from torch import Tensor

import handrefine
from handrefine.observations import Observations
from handrefine.refinement.refine import Refinement, State
from handrefine.runs.result import (
    HAND,
    NOT_HAND,
    UNKNOWN,
    CameraResult,
    HandResult,
    HandState,
    RunResult,
    ViewRender,
    ViewResult,
)
from handrefine.sequence import FrameId


def run_result(refinements: list[Refinement]) -> RunResult:
    """One result of all hands that were refined together."""
    first = refinements[0]
    job = first.job
    return RunResult(
        sequence_name=job.sequence.name,
        config=job.config,
        hands=tuple(map(_hand, refinements)),
        cameras=tuple(_cameras(first)),
        environment=first.environment,
        light_coefficients=first.light_coefficients,
        records=first.records,
        seconds=first.seconds,
        variant=job.runtime.variant,
        version=handrefine.__version__,
        warnings=first.warnings,
    )


def _hand(refinement: Refinement) -> HandResult:
    other = refinement.other_joints_world
    return HandResult(
        side=refinement.hand.side,
        hand_model=refinement.hand.name,
        open_hand=refinement.hand.open_hand,
        topology=refinement.hand.topology,
        frames=tuple(FrameId(frame) for frame in refinement.frames),
        before=_state(refinement.before),
        after=_state(refinement.after),
        textures=refinement.textures,
        textures_seen=refinement.textures_seen,
        stage_textures=refinement.stage_textures,
        views=tuple(_views(refinement)),
        other_joints_world=None if other is None else other.cpu().numpy(),
        joint_residual_mm=refinement.start.joint_residual_mm,
    )


def _state(state: State) -> HandState:
    geometry = state.geometry
    return HandState(state.parameters, geometry.verts_world.cpu().numpy(), geometry.joints_world.cpu().numpy())


def _views(refinement: Refinement) -> list[ViewResult]:
    observations = refinement.observations

    def split(values: Tensor) -> list[np.ndarray]:
        return [part.cpu().numpy() for part in observations.views.split(values)]

    def renders(state: State) -> list[ViewRender]:
        channels = split(state.prediction.hand_rgb), split(state.prediction.coverage), split(state.covered)
        return [ViewRender(*of) for of in zip(*channels, strict=True)]

    return [
        ViewResult(
            frame=FrameId(refinement.frames[row]),
            camera=camera,
            window_px=(window.x0_px, window.y0_px, window.x1_px, window.y1_px),
            size_px=(window.camera.width, window.camera.height),
            image=image,
            label=label,
            before=before,
            after=after,
        )
        for (row, camera), window, image, label, before, after in zip(
            observations.keys,
            observations.windows,
            split(observations.image),
            split(_label_shades(observations)),
            renders(refinement.before),
            renders(refinement.after),
            strict=True,
        )
    ]


def _label_shades(observations: Observations) -> Tensor:
    known, hand = observations.silhouette_weight > 0, observations.hand_share > 0.5
    return torch.where(known, torch.where(hand, HAND, NOT_HAND), UNKNOWN).to(torch.uint8)


def _cameras(refinement: Refinement) -> list[CameraResult]:
    rotations = refinement.job.model.rotations
    turned = None if rotations is None else 1e3 * rotations.rotations_cam().detach().cpu().numpy()
    cameras = refinement.job.sequence.cameras
    return [
        CameraResult(
            camera=cameras[trust.camera],
            weight=trust.weight,
            agreement=trust.agreement,
            visible_share=trust.visible_share,
            reason=trust.reason,
            colour_transform=refinement.colour_transforms[k],
            rotation_cam_mrad=None if turned is None else turned[k],
        )
        for k, trust in enumerate(refinement.camera_trusts)
    ]

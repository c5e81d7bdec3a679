"""Setting up a refinement: everything that stays the same while the optimiser runs, and the model it moves."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from handrefine.config import Config, RenderConfig, stages_of
from handrefine.errors import InputError
from handrefine.hand.model import HandGeometry, HandModel, mirrors
from handrefine.observations import Observations
from handrefine.preprocess.initialization import Initialization, initialize, other_joints
from handrefine.preprocess.observations import observe
from handrefine.render.backends import create_renderer
from handrefine.render.base import Renderer, RenderSettings, ViewSet
from handrefine.render.mitsuba.runtime import Runtime, start_mitsuba
from handrefine.scene.camera_rotations import CameraRotations
from handrefine.scene.colour_transforms import ColourTransforms
from handrefine.scene.light import SphericalLight
from handrefine.scene.pose import PoseVariables
from handrefine.scene.texture import TexturePyramid
from handrefine.scene.video_model import HandVideoModel, VideoHand
from handrefine.sequence import FrameIndex, HandSequence, Side

log = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class Job:
    """One hand of one sequence or both, ready to be refined.

    Attributes:
        starts: every hand's frames and parameters as annotated.
        frame_indices: the frames of the video: those at which one of the hands is annotated.
        other_joints_world: for every hand the joints of the one that is not this one, at the video's frames;
            NaN where nothing is known, None without another hand.
        unmodelled_joints_world: joints of a hand that is there, but is not refined; NaN or None where none
            is.
        model: the unknowns, at their start.
    """

    sequence: HandSequence
    config: Config
    runtime: Runtime
    starts: tuple[Initialization, ...]
    frame_indices: list[FrameIndex]
    other_joints_world: tuple[Float[Tensor, "frame 21 3"] | None, ...]
    unmodelled_joints_world: Float[Tensor, "frame 21 3"] | None
    observations: Observations
    renderer: Renderer
    model: HandVideoModel

    @property
    def hands(self) -> tuple[HandModel, ...]:
        return tuple(start.hand for start in self.starts)

    @property
    def frames(self) -> tuple[tuple[int, ...], ...]:
        """The dataset's frame numbers of every hand's refined frames."""
        return tuple(tuple(self.sequence.frames[k] for k in start.frame_indices) for start in self.starts)

    @property
    def renderer_settings(self) -> RenderSettings:
        return render_settings(self.config.render)

    def new_renderer(self, settings: RenderSettings, views: ViewSet | None = None) -> Renderer:
        """A renderer of the same hands that traces in another way, or other views than the observed ones."""
        chosen = self.observations.views if views is None else views
        topologies = [hand.topology for hand in self.hands]
        backend = self.config.render.backend
        return create_renderer(backend, topologies, chosen, settings, beside=self.renderer)

    def starting_poses(self) -> list[PoseVariables]:
        """The annotations as they were, with the shape of every frame."""
        device = self.runtime.device
        return [PoseVariables(start.parameters, shape_per_frame=True).to(device) for start in self.starts]

    def observe(self, sequence: HandSequence) -> Observations:
        """What other cameras, those of `sequence`, see of the hands as they were annotated."""
        with torch.no_grad():
            annotated = self.model.geometries(self.starting_poses())
            posed = [
                HandGeometry(of.verts_world.cpu(), of.joints_world.cpu())
                for of in self.model.over_video(annotated)
            ]
        return observe(
            sequence.with_frames(self.frame_indices),
            posed,
            self.unmodelled_joints_world,
            self.config.labels,
            self.config.crop,
            self.runtime.device,
        )


def prepare(sequence: HandSequence, sides: Sequence[Side], config: Config) -> Job:
    """Start Mitsuba, pose the annotated hands, crop and label the images, and set up the renderer.

    Raises:
        InputError: a hand is not annotated, no camera sees it, an image is broken, no renderer can be set up, or
            the configuration asks for what excludes each other.
    """
    _check(config)
    runtime = start_mitsuba(config.render.variant)
    starts = tuple(initialize(sequence, side, config.hand) for side in sides)
    frame_indices = sorted({k for start in starts for k in start.frame_indices})
    hands = [_video_hand(start, frame_indices, config) for start in starts]
    _share(hands, config)
    model = HandVideoModel(
        hands,
        SphericalLight(config.light.order),
        ColourTransforms(len(sequence.cameras)),
        config.light.map_height,
        _camera_rotations(sequence, starts, config),
    )
    _tell_missing(sequence, starts, frame_indices)
    others = _other_joints(sequence, model, starts, frame_indices, config)
    unmodelled = _unmodelled(model, others)
    with torch.no_grad():
        posed = model.over_video(model.geometries())
    video = sequence.with_frames(frame_indices)
    observations = observe(video, posed, unmodelled, config.labels, config.crop, runtime.device)
    topologies = [start.hand.topology for start in starts]
    renderer = create_renderer(
        config.render.backend, topologies, observations.views, render_settings(config.render)
    )
    model = model.to(runtime.device)
    return Job(sequence, config, runtime, starts, frame_indices, others, unmodelled, observations, renderer, model)


def _video_hand(start: Initialization, frame_indices: list[FrameIndex], config: Config) -> VideoHand:
    alone = config.frame_coupling == "independent"
    return VideoHand(
        start.hand,
        PoseVariables(start.parameters, shape_per_frame=alone),
        TexturePyramid(config.texture.size, n_textures=len(start.frame_indices) if alone else 1),
        [start.frame_indices.index(k) if k in start.frame_indices else -1 for k in frame_indices],
    )


def _share(hands: list[VideoHand], config: Config) -> None:
    """Let two hands have one shape, which starts at the mean of both, and one texture."""
    if len(hands) == 1:
        return
    right, left = hands
    if config.hands.shared_shape:
        if not mirrors(left.hand, right.hand):
            raise InputError(
                "the left hand model is not the mirror image of the right one, so that they cannot share a shape",
                where="hands.shared_shape",
                found=f"{left.hand.name} beside {right.hand.name}",
                fix="add --hand.fix-left-shape, or switch hands.shared_shape off",
            )
        with torch.no_grad():
            right.pose.shape.copy_((right.pose.shape + left.pose.shape) / 2)
        left.pose.shape = right.pose.shape
    if config.hands.shared_texture:
        left.texture = right.texture


def _tell_missing(
    sequence: HandSequence, starts: Sequence[Initialization], frame_indices: list[FrameIndex]
) -> None:
    for start in starts:
        missing = [sequence.frames[k] for k in frame_indices if k not in start.frame_indices]
        if missing:
            listed = ", ".join(map(str, missing))
            log.info("the %s hand is not annotated in frames %s and is left out there", start.hand.side, listed)


def _other_joints(
    sequence: HandSequence,
    model: HandVideoModel,
    starts: Sequence[Initialization],
    frame_indices: list[FrameIndex],
    config: Config,
) -> tuple[Float[Tensor, "frame 21 3"] | None, ...]:
    """The dataset's joints of the other hand; where it has none, those of its parameters."""
    video = sequence.with_frames(frame_indices)
    annotated = [other_joints(video, start.hand.side, config.hand) for start in starts]
    if len(starts) == 1:
        return (annotated[0],)
    with torch.no_grad():
        posed = [hand.over_video(hand.geometry()).joints_world for hand in model.hands][::-1]
    return tuple(
        ours if joints is None else torch.where(torch.isfinite(joints), joints, ours)
        for joints, ours in zip(annotated, posed, strict=True)
    )


def _unmodelled(
    model: HandVideoModel, others: Sequence[Float[Tensor, "frame 21 3"] | None]
) -> Float[Tensor, "frame 21 3"] | None:
    """Joints of the hand that is there without being refined; NaN where both are, or nothing is known."""
    if len(model.hands) == 1:
        return others[0]
    unmodelled = None
    for hand, other, joints in zip(model.hands, model.hands[::-1], others, strict=True):
        if joints is not None and not other.always_present:
            alone = (hand.present & ~other.present)[:, None, None]
            unmodelled = torch.where(alone, joints, torch.nan if unmodelled is None else unmodelled)
    return unmodelled


def _camera_rotations(
    sequence: HandSequence, starts: Sequence[Initialization], config: Config
) -> CameraRotations | None:
    """None unless some stage refines the calibration."""
    if not any("calibration" in stage.variables for _, stage in stages_of(config.schedule)):
        return None
    centres = []
    for start in starts:
        mano = start.parameters
        tensors = (torch.as_tensor(v, dtype=torch.float32) for v in (mano.pose_aa, mano.shape, mano.trans_m))
        with torch.no_grad():
            centres.append(start.hand.joints(*tensors).mean(dim=(0, 1)))
    centre_world = torch.stack(centres).mean(dim=0)
    return CameraRotations(list(sequence.cameras.values()), centre_world.double().numpy())


def _check(config: Config) -> None:
    for name in ("shared_shape", "shared_texture"):
        if config.frame_coupling == "independent" and getattr(config.hands, name):
            raise InputError(
                "independent frames have a shape and a texture of their own, which hands cannot share",
                where=f"hands.{name}",
                fix=f"switch hands.{name} off",
            )
    if config.frame_coupling == "independent" and config.objective.lambda_prior > 0:
        raise InputError(
            "independent frames cannot be tied by the temporal prior",
            where="frame_coupling: independent",
            found=f"objective.lambda_prior {config.objective.lambda_prior:g}",
            fix="set objective.lambda_prior to 0, as configs/smvr.yaml does",
        )


def render_settings(config: RenderConfig) -> RenderSettings:
    return RenderSettings(
        shading=config.shading,
        spp=config.spp,
        depth=config.depth,
        edge_samples_per_px=config.edge_samples_per_px,
        memory_gib=config.memory_gib,
        redner=config.redner,
    )

"""Setting up a refinement: everything that stays the same while the optimiser runs, and the model it moves."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from handrefine.appearance.colour import ColourTransforms
from handrefine.appearance.light import SphericalLight
from handrefine.appearance.registration import CameraRotations
from handrefine.appearance.texture import TexturePyramid
from handrefine.config import Config, RenderConfig, stages_of
from handrefine.errors import InputError
from handrefine.hand.model import HandModel
from handrefine.refine.model import HandVideoModel
from handrefine.refine.observations import Observations, observe
from handrefine.refine.start import Start, find_start, other_joints
from handrefine.refine.variables import PoseVariables
from handrefine.render.backends import create_renderer
from handrefine.render.base import Renderer, RenderSettings, ViewSet
from handrefine.render.mitsuba.runtime import Runtime, start_mitsuba
from handrefine.sequence import HandSequence, Side


@dataclass(frozen=True, eq=False)
class Job:
    """One hand of one sequence, ready to be refined.

    Attributes:
        start: the annotation's instants and parameters.
        other_joints_world: the other hand's joints at those instants; None without another hand.
        model: the unknowns, at their start.
    """

    sequence: HandSequence
    config: Config
    runtime: Runtime
    start: Start
    other_joints_world: Float[Tensor, "frame 21 3"] | None
    observations: Observations
    renderer: Renderer
    model: HandVideoModel

    @property
    def hand(self) -> HandModel:
        return self.start.hand

    @property
    def frames(self) -> tuple[int, ...]:
        """The dataset's frame numbers of the refined instants."""
        return tuple(self.sequence.frames[k] for k in self.start.frame_indices)

    @property
    def renderer_settings(self) -> RenderSettings:
        return render_settings(self.config.render)

    def new_renderer(self, settings: RenderSettings, views: ViewSet | None = None) -> Renderer:
        """A renderer of the same hand that traces in another way, or other views than the observed ones."""
        chosen = self.observations.views if views is None else views
        backend, topologies = self.config.render.backend, [self.hand.topology]
        return create_renderer(backend, topologies, chosen, settings, beside=self.renderer)


def prepare(sequence: HandSequence, side: Side, config: Config) -> Job:
    """Start Mitsuba, pose the annotated hand, crop and label the images, and set up the renderer.

    Raises:
        InputError: the hand is not annotated, no camera sees it, an image is broken, no renderer can be set up, or
            instants are both independent and tied by the temporal prior.
    """
    _check(config)
    runtime = start_mitsuba(config.render.variant)
    start = find_start(sequence, side, config.hand)
    alone = config.instants == "independent"
    model = HandVideoModel(
        start.hand,
        PoseVariables(start.parameters, shape_per_instant=alone),
        TexturePyramid(config.texture.size, n_textures=len(start.frame_indices) if alone else 1),
        SphericalLight(config.light.order),
        ColourTransforms(len(sequence.cameras)),
        config.light.map_height,
        _camera_rotations(sequence, start, config),
    )
    with torch.no_grad():
        geometry = model.geometry()
    other = other_joints(sequence, side, start.frame_indices, config.hand)
    observations = observe(sequence, start.frame_indices, geometry, other, config, runtime.device)
    renderer = create_renderer(
        config.render.backend, [start.hand.topology], observations.views, render_settings(config.render)
    )
    return Job(sequence, config, runtime, start, other, observations, renderer, model.to(runtime.device))


def _camera_rotations(sequence: HandSequence, start: Start, config: Config) -> CameraRotations | None:
    """None unless some stage refines the calibration."""
    if not any("calibration" in stage.variables for _, stage in stages_of(config.schedule)):
        return None
    mano = start.parameters
    tensors = (torch.as_tensor(v, dtype=torch.float32) for v in (mano.pose_aa, mano.shape, mano.trans_m))
    with torch.no_grad():
        centre_world = start.hand.joints(*tensors).mean(dim=(0, 1))
    return CameraRotations(list(sequence.cameras.values()), centre_world.double().numpy())


def _check(config: Config) -> None:
    if config.instants == "independent" and config.objective.lambda_prior > 0:
        raise InputError(
            "independent instants cannot be tied by the temporal prior",
            where="instants: independent",
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

"""Setting up a refinement: everything that stays the same while the optimizer runs, and the model it moves."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float
from torch import Tensor

from handrefine.config import Config
from handrefine.findings import tell
from handrefine.hand.model import HandGeometry, HandModel
from handrefine.losses.base import Setup, TermConfig
from handrefine.losses.comparison import Comparison, compare
from handrefine.losses.objective import Objective
from handrefine.observations import Observations
from handrefine.person import Person, read_person
from handrefine.preprocess.initialization import Initialization, initialize, other_joints
from handrefine.preprocess.observations import Fit, observe
from handrefine.preprocess.plausibility.check import check_input
from handrefine.preprocess.things_in_scene import things_in_scene
from handrefine.refinement.around import Around
from handrefine.refinement.check import check_config
from handrefine.refinement.footprint import footprint, refuse_beyond_budget
from handrefine.refinement.near_hands import suggest_both
from handrefine.refinement.schedule import StageConfig, running
from handrefine.render.base import RenderConfig, Renderer
from handrefine.render.mitsuba.runtime import Runtime, start_mitsuba
from handrefine.render.registry import create_renderer
from handrefine.render.thing_surfaces import ThingSurfaces
from handrefine.scene.camera_rotations import CameraRotations
from handrefine.scene.colour_transforms import ColourTransforms
from handrefine.scene.known_person import begun_as, surface_of, texture_of
from handrefine.scene.light import SphericalLight
from handrefine.scene.pose import PoseVariables
from handrefine.scene.scene_module import SceneModule
from handrefine.scene.shared_person import share
from handrefine.scene.video_model import Prediction, VideoHand, VideoModel
from handrefine.sequence import Camera, FrameId, FrameIndex, HandSequence, Side
from handrefine.state import State
from handrefine.views import ViewSet

log = logging.getLogger(__name__)
Joints = Float[Tensor, "frame 21 3"]


@dataclass(frozen=True, eq=False)
class Extensions:
    """What a caller adds to a refinement: terms of the objective and unknowns, by the Python interface."""

    terms: Mapping[str, TermConfig]
    modules: Sequence[SceneModule]


@dataclass(frozen=True, eq=False)
class Problem:
    """Hands of one sequence, ready to be refined.

    Attributes:
        sequence: at the frames at which one of the hands is annotated: those of the video.
        starts: every hand's own frames (positions in the video) and parameters as annotated.
        other_joints_world: for every hand the joints of the person's other hand; NaN where nothing is known, None
            without another hand.
        still_joints_world: joints of a hand that is there, but is not refined; NaN or None where none is.
        model: the unknowns, at their start.
        terms: the objective's, by name.
        things: what stands beside the hands in the scene; None where nothing does.
        around: what images were cropped and labelled around; None while that is the annotation.
    """

    sequence: HandSequence
    config: Config
    runtime: Runtime
    starts: tuple[Initialization, ...]
    other_joints_world: tuple[Joints | None, ...]
    still_joints_world: Joints | None
    observations: Observations
    renderer: Renderer
    model: VideoModel
    terms: Mapping[str, TermConfig]
    things: ThingSurfaces | None = None
    around: Around | None = None

    @property
    def hands(self) -> tuple[HandModel, ...]:
        return tuple(start.hand for start in self.starts)

    @property
    def frames(self) -> tuple[tuple[FrameId, ...], ...]:
        """The dataset's numbers of every hand's own frames."""
        return tuple(tuple(self.sequence.frames[k] for k in start.frame_indices) for start in self.starts)

    @property
    def stages(self) -> dict[str, StageConfig]:
        """The stages that run."""
        return running(self.config.stages)

    def new_renderer(self, settings: RenderConfig, views: ViewSet) -> Renderer:
        """A renderer of the same hands that traces in another way, or other views than the observed ones."""
        return create_renderer(self.renderer.topologies, views, settings, beside=self.renderer, things=self.things)

    def objective(self, observations: Observations, stage: StageConfig) -> Objective:
        """The objective of some views in one stage."""
        norm, hands, found = self.config.losses.pixel, self.hands, self.sequence.detections
        detections = tuple(found.get(hand.side, {}) for hand in hands)
        still = self.still_joints_world
        setup = Setup(observations, hands, self.frames, still, norm, stage.blur_px, detections)
        return Objective.build(self.terms, setup, skip=stage.skip_losses)

    def compare(self, prediction: Prediction, observations: Observations) -> Comparison:
        """Prediction and target of some views."""
        return compare(prediction, observations, protect_texture=self.config.losses.protect_texture)

    def observed_anew(self, cameras: Mapping[str, Camera]) -> "Problem":
        """The same problem with images cropped and labelled around the hands as they are now.

        Args:
            cameras: those that are calibrated otherwise from here on, by name; small rotations of them that were
                found before are forgotten.
        """
        every = {**self.sequence.cameras, **cameras}
        with torch.no_grad():
            geometries = self.model.over_video(self.model.geometries())
        now = [HandGeometry(of.verts_world.cpu(), of.joints_world.cpu()) for of in geometries]
        if (rotations := self.model.rotations) is None:
            return self.observed_around(Around(now, every, every))
        rotations.recalibrate(list(every.values()))
        return self.observed_around(Around(now, every, rotations.turned(every)))

    def observed_around(self, around: Around) -> "Problem":
        """The same problem with images cropped and labelled around given hands, in given cameras."""
        sequence, still = replace(self.sequence, cameras=around.cameras), self.still_joints_world
        faces = [topology.faces for topology in self.renderer.topologies]
        # Drawn beyond the wrist, what sticks out past it would be called no hand.
        fit = Fit(faces, around.turned) if self.config.hands.end_at_wrist else None
        settings = self.config.labels, self.config.crop
        observations = observe(sequence, around.hands, still, *settings, self.runtime.device, fit)
        moved = replace(self, sequence=sequence, observations=observations, around=around)
        return replace(moved, renderer=moved.new_renderer(self.config.render, observations.views))

    def state(self) -> State:
        """What the images were cropped and labelled around, and the unknowns."""
        return {"around": self.around and self.around.state(), "unknowns": self.model.state_dict()}

    def resumed(self, state: State) -> "Problem":
        """The problem in that state; the model's unknowns change in place."""
        self.model.load_state_dict(state["unknowns"])
        return self if state["around"] is None else self.observed_around(Around.from_state(state["around"]))

    def starting_poses(self) -> list[PoseVariables]:
        """The annotations as they were, with the shape of every frame."""
        device = self.runtime.device
        return [PoseVariables(start.parameters, shape_per_frame=True).to(device) for start in self.starts]


def prepare(
    sequence: HandSequence, sides: Sequence[Side], config: Config, extensions: Extensions | None = None
) -> Problem:
    """Start Mitsuba, pose the annotated hands, crop and label the images, and set up the renderer.

    Raises:
        InputError: a hand is not annotated, no camera sees it, an image is broken, no renderer can be set up, or
            the configuration asks for what excludes each other.
    """
    extensions = extensions or Extensions({}, ())
    check_config(config, [m.variable for m in extensions.modules], list(extensions.terms))
    runtime = start_mitsuba(config.render.variant)
    annotated = [initialize(sequence, side, config.hand) for side in sides]
    check_input(sequence, annotated, config)
    sequence, starts = _video(sequence, annotated)
    person = None if config.surface.person is None else read_person(config.surface.person)
    hands = [_video_hand(start, len(sequence.frames), config, person) for start in starts]
    if config.frame_coupling == "joint":
        share(hands, config.hands)
    model = VideoModel(
        hands,
        SphericalLight(config.light.order),
        config.light.map_height,
        ColourTransforms(len(sequence.cameras)),
        [*_camera_rotations(sequence, starts, config), *extensions.modules],
    )
    _tell_missing(sequence, starts)
    others = _other_joints(sequence, model, starts, config)
    still = _still_joints(model, others)
    with torch.no_grad():
        posed = model.over_video(model.geometries())
    if len(starts) == 1:
        suggest_both(starts[0].hand.side, posed[0].joints_world, still)
    refuse_beyond_budget(footprint(sequence, posed, config), config.memory_gib)
    observations = observe(sequence, posed, still, config.labels, config.crop, runtime.device)
    with torch.no_grad():
        skin = torch.stack([of.texture(1).mean(dim=(0, 1, 2)) for of in hands]).mean(dim=0)
    things, told = things_in_scene(sequence, posed, observations, skin, config)
    tell(told, log)
    topologies = [start.hand.drawn_topology(end_at_wrist=config.hands.end_at_wrist) for start in starts]
    return Problem(
        sequence=sequence,
        config=config,
        runtime=runtime,
        starts=starts,
        other_joints_world=others,
        still_joints_world=still,
        observations=observations,
        renderer=create_renderer(topologies, observations.views, config.render, things=things),
        model=model.to(runtime.device),
        terms={**config.losses.chosen(), **extensions.terms},
        things=things,
    )


def _video(
    sequence: HandSequence, starts: Sequence[Initialization]
) -> tuple[HandSequence, tuple[Initialization, ...]]:
    """The sequence at the frames at which one of the hands is annotated, and the starts' positions in it."""
    union = sorted({k for start in starts for k in start.frame_indices})
    place = {k: FrameIndex(position) for position, k in enumerate(union)}
    return sequence.with_frames([FrameIndex(k) for k in union]), tuple(start.placed(place) for start in starts)


def _video_hand(start: Initialization, n_frames: int, config: Config, person: Person | None) -> VideoHand:
    alone = config.frame_coupling == "independent"
    own = start.frame_indices
    pose = PoseVariables(start.parameters, shape_per_frame=alone)
    return VideoHand(
        start.hand,
        pose if person is None else begun_as(pose, person),
        texture_of(start.hand.side, config.texture, len(own) if alone else 1, person),
        [own.index(FrameIndex(k)) if k in own else -1 for k in range(n_frames)],
        surface_of(start.hand, config.surface, person),
    )


def _tell_missing(sequence: HandSequence, starts: Sequence[Initialization]) -> None:
    for start in starts:
        missing = [str(frame) for k, frame in enumerate(sequence.frames) if k not in start.frame_indices]
        if missing:
            side, listed = start.hand.side, ", ".join(missing)
            log.info("the %s hand is not annotated in frames %s and is left out there", side, listed)


def _other_joints(
    sequence: HandSequence, model: VideoModel, starts: Sequence[Initialization], config: Config
) -> tuple[Joints | None, ...]:
    """Of every hand, the dataset's joints of the person's other one; elsewhere those of its parameters."""
    annotated = [other_joints(sequence, start.hand.side, config.hand) for start in starts]
    with torch.no_grad():
        posed = {hand.hand.side: hand.over_video(hand.geometry()).joints_world for hand in model.hands}
    others = []
    for start, joints in zip(starts, annotated, strict=True):
        ours = next((of for side, of in posed.items() if side != start.hand.side), None)
        if joints is not None and ours is not None:
            ours = torch.where(torch.isfinite(joints), joints, ours)
        others.append(joints if ours is None else ours)
    return tuple(others)


def _still_joints(model: VideoModel, others: Sequence[Joints | None]) -> Joints | None:
    """Joints of a hand that is there without being refined; NaN where all are, or nothing is known."""
    present = torch.stack([hand.present for hand in model.hands])
    found: Joints | None = None
    for hand, joints in zip(model.hands, others, strict=True):
        if joints is None:
            continue
        alone = hand.present & (present.sum(dim=0) == 1)
        if len(model.hands) > 1 and not bool(alone.any()):
            continue
        own = torch.where(alone[:, None, None], joints, torch.nan)
        found = own if found is None else torch.where(alone[:, None, None], own, found)
    return found


def _camera_rotations(
    sequence: HandSequence, starts: Sequence[Initialization], config: Config
) -> list[CameraRotations]:
    """None unless some stage refines the calibration."""
    if not any("calibration" in stage.variables for stage in running(config.stages).values()):
        return []
    centres = []
    for start in starts:
        mano = start.parameters
        tensors = (torch.as_tensor(v, dtype=torch.float32) for v in (mano.pose_aa, mano.shape, mano.trans_m))
        with torch.no_grad():
            centres.append(start.hand.joints(*tensors).mean(dim=(0, 1)))
    centre_world = torch.stack(centres).mean(dim=0)
    return [CameraRotations(list(sequence.cameras.values()), centre_world.double().numpy())]

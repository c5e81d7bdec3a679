"""Every setting of a run, typed; the defaults are handrefine's own, `configs/paper.yaml` goes back to the paper's.

YAML files hold differences from these defaults (`config_files.py`) and the command line overrides both. The field
docstrings are the command line's help.
"""

import dataclasses
from dataclasses import field
from typing import Annotated, Literal

from annotated_types import Ge, Gt, Le, Lt
from pydantic import ConfigDict, NonNegativeFloat, NonNegativeInt, PositiveFloat, PositiveInt
from pydantic.dataclasses import dataclass
from tyro.conf import arg

from handrefine.hand.config import HandConfig, HandsConfig
from handrefine.preprocess.crops import CropConfig
from handrefine.preprocess.masks.labels import LabelConfig

_STRICT = ConfigDict(extra="forbid")
Variable = Literal[
    "rotation", "translation", "articulation", "shape", "texture", "environment", "colour", "calibration"
]


@dataclass(frozen=True, kw_only=True, config=_STRICT)
class RenderConfig:
    backend: Annotated[Literal["wavefront", "reference", "redner"], arg(aliases=("--backend",))] = "wavefront"
    """wavefront: all views in one kernel. reference: Mitsuba's own integrators, one view at a time, slow.
    redner: the original method's renderer in a process of its own, slow (`handrefine doctor --redner`)."""
    redner: Literal["stock", "fixed"] = "fixed"
    """Redner only. stock: as published, too dark in uneven light. fixed: right, without shadow edges' gradient."""
    variant: Literal["auto", "llvm_ad_rgb", "cuda_ad_rgb"] = "auto"
    """Mitsuba variant; auto takes CUDA where a device works."""
    shading: Literal["radiance", "albedo"] = "radiance"
    """radiance: path-traced light and shadow (DMVR). albedo: the texture seen at the first hit (SMVR)."""
    spp: PositiveInt = 4
    """Samples per pixel."""
    depth: Annotated[int, Ge(2)] = 3
    """Longest light path: 2 is direct light with shadows, 3 adds one inter-reflection."""
    edge_samples_per_px: PositiveFloat = 2.0
    """Silhouette samples per pixel of contour (wavefront only)."""
    memory_gib: PositiveFloat = 4.0
    """Memory that one chunk of views may take."""


@dataclass(frozen=True, kw_only=True, config=_STRICT)
class LightConfig:
    order: Literal[0, 1, 2, 3, 4] = 1
    """Highest band of spherical harmonics; 1 gives the paper's 12 coefficients."""
    map_height: PositiveInt = 32
    """Rows of the environment map into which the light is baked (twice as many columns)."""


@dataclass(frozen=True, kw_only=True, config=_STRICT)
class TextureConfig:
    size: PositiveInt = 1024
    """Side of the texture in texels: 8 times a power of two. 1024 gives the paper's 8 levels of detail."""


@dataclass(frozen=True, kw_only=True, config=_STRICT)
class ObjectiveConfig:
    residual: Literal["l1", "l2", "huber"] = "huber"
    """Norm of the difference between render and image. l1, the paper's, follows the median of a noisy render."""
    huber_delta: PositiveFloat = 0.05
    """Residual at which huber turns from square to linear."""
    lambda_data: NonNegativeFloat = 1.0
    """Weight of the data term (Eq. 3)."""
    lambda_silhouette: NonNegativeFloat = 1.0
    """Weight of coverage against the labels hand / not hand; 0 switches it off."""
    lambda_edge: NonNegativeFloat = 1.0
    """Extra weight of the residual on Canny edges of image and render (section 3.4)."""
    edge_contrast_px: NonNegativeFloat = 2.0
    """Edges are compared by their contrast with the surroundings within this radius; 0 compares their colours."""
    lambda_prior: NonNegativeFloat = 0.03
    """Weight of the temporal prior (Eq. 4); the paper's 1 is that of a sum over pixels, ours of a mean."""
    prior_window: PositiveInt = 3
    """Window of the bilateral filter, in frames."""
    prior_sigma: PositiveFloat = 0.6
    """Value scale of the bilateral filter, in radians."""
    prior_a: PositiveFloat = 0.5
    """Temporal scale of the bilateral filter."""
    prior_order: Literal[0, 1] = 1
    """What the bilateral filter fits to its window: 0 a mean (Eq. 4), 1 a line, so that uneven gaps do no harm."""
    lambda_limits: NonNegativeFloat = 1e-3
    """Weight of joint angles beyond anatomical limits (a model with limits only: the open hand)."""
    lambda_pose: NonNegativeFloat = 1e-4
    """Weight of a Gaussian over poses: MANO's learned pose space, else usual angles of a hand's joints."""
    lambda_shape: NonNegativeFloat = 5e-4
    """Weight of a Gaussian over shapes: the mean square of the betas."""
    lambda_tie: NonNegativeFloat = 0.01
    """Weight of the tie to the annotation at joints of which no camera sees the surface."""
    tie_seen: Annotated[float, Ge(0), Le(1)] = 0.0
    """The tie's share at joints that are well seen."""
    lambda_penetration: NonNegativeFloat = 1e-5
    """Weight of fingers and hands that pass through each other, per square millimetre of depth."""
    colour_ridge_px: NonNegativeFloat = 100.0
    """Holds a colour transform at the identity as firmly as so many of the hand's pixels would."""


@dataclass(frozen=True, kw_only=True, config=_STRICT)
class TrustConfig:
    """Which cameras are believed."""

    weigh: bool = True
    """Give less weight to a camera that disagrees with the others or sees little of the hand."""
    every: PositiveInt = 10
    """Iterations between two measurements of the weights."""
    warn_below: NonNegativeFloat = 0.5
    """The run warns of a camera whose weight ends below this."""


@dataclass(frozen=True, kw_only=True, config=_STRICT)
class RatesConfig:
    """Adam's rates (section 3.6)."""

    rotation: NonNegativeFloat = 0.0015
    """Global rotation, radians."""
    translation: NonNegativeFloat = 0.0047
    """Global translation, metres (the paper gives no unit)."""
    articulation: NonNegativeFloat = 0.0087
    """Joint angles, radians."""
    shape: NonNegativeFloat = 0.003
    """MANO's betas."""
    texture: NonNegativeFloat = 0.014
    """Reflectance."""
    environment: NonNegativeFloat = 0.1
    """Spherical harmonics coefficients."""
    colour: NonNegativeFloat = 0.001
    """Colour transforms."""
    calibration: NonNegativeFloat = 0.0002
    """Rotations of the cameras, radians; for stages that name `calibration` among their variables."""


@dataclass(frozen=True, kw_only=True, config=_STRICT)
class MetricConfig:
    """Descent in the vertex metric."""

    step_mm: PositiveFloat = 1.5
    """Root mean square motion of the vertices in one step at the full rate, millimetres."""
    reach_mm: PositiveFloat = 4.0
    """A frame whose step would move some joint by more than this, at the full rate, takes a smaller one: else
    the whole step may go into one finger at one frame once everything else has arrived."""
    momentum: Annotated[float, Ge(0), Lt(1)] = 0.7
    """Share of the averaged gradient that is kept from one iteration to the next."""
    refresh: PositiveInt = 10
    """Iterations between two measurements of the metric."""
    damping_mm: PositiveFloat = 0.3
    """Variables whose whole spread moves the vertices by less than this are damped."""
    rotation_spread: PositiveFloat = 0.06
    """How far off an annotation's rotation may be, radians."""
    translation_spread: PositiveFloat = 0.003
    """How far off its translation may be, metres."""
    articulation_spread: PositiveFloat = 0.1
    """How far off its joint angles may be, radians."""
    shape_spread: PositiveFloat = 0.5
    """How far off its betas may be."""


@dataclass(frozen=True, kw_only=True, config=_STRICT)
class OptimiserConfig:
    geometry: Literal["adam", "metric"] = "metric"
    """adam: the paper's rates. metric: steps of a given length in millimetres of vertex motion."""
    metric: MetricConfig = field(default_factory=MetricConfig)


@dataclass(frozen=True, kw_only=True, config=_STRICT)
class StageConfig:
    iterations: NonNegativeInt
    """Number of iterations; 0 skips the stage."""
    variables: tuple[Variable, ...]
    """What is optimised."""
    texture_levels: PositiveInt
    """How many of the texture's lowest levels of detail are enabled."""
    resolution: Annotated[float, Gt(0), Le(1)] = 1.0
    """Pictures are shrunk by this factor: 0.5 takes a quarter of the time and pulls from further away."""
    views_per_frame: PositiveInt | None = None
    """An iteration looks at about so many views of every frame, at all of them in turn; none: at all at once."""
    initial_rate: NonNegativeFloat = 1.0
    """Share of the rates at the stage's beginning."""
    final_rate: NonNegativeFloat = 1.0
    """Rates follow half a cosine to this share of them at the stage's end."""
    edges: bool = True
    """Whether edges count extra (objective.lambda_edge): they serve the surface and cost the texture."""
    second_start: bool = False
    """Fingers begin the stage anew between their neighbours in time, and go back where that has not paid."""


ALL_VARIABLES: tuple[Variable, ...] = (
    "rotation",
    "translation",
    "articulation",
    "shape",
    "texture",
    "environment",
    "colour",
)


@dataclass(frozen=True, kw_only=True, config=_STRICT)
class ScheduleConfig:
    """The three stages of section 3.6, in this order; ours are a coarse joint stage before the last of them, a
    second start of the fingers, and a last stage in which only the appearance goes on."""

    environment: StageConfig = StageConfig(
        iterations=10,
        variables=("environment", "colour"),
        texture_levels=1,
        resolution=0.5,
        views_per_frame=4,
        edges=False,
    )
    texture: StageConfig = StageConfig(
        iterations=10,
        variables=("texture", "colour"),
        texture_levels=2,
        resolution=0.5,
        views_per_frame=4,
        edges=False,
    )
    coarse: StageConfig = StageConfig(
        iterations=60,
        variables=ALL_VARIABLES,
        texture_levels=6,
        resolution=0.5,
        views_per_frame=4,
        final_rate=0.3,
    )
    again: StageConfig = StageConfig(
        iterations=20,
        variables=("rotation", "translation", "articulation"),
        texture_levels=6,
        resolution=0.5,
        views_per_frame=4,
        initial_rate=0.6,
        final_rate=0.3,
        second_start=True,
    )
    joint: StageConfig = StageConfig(
        iterations=30,
        variables=ALL_VARIABLES,
        texture_levels=8,
        views_per_frame=4,
        initial_rate=0.3,
        final_rate=0.02,
    )
    finish: StageConfig = StageConfig(
        iterations=40,
        variables=("texture", "environment", "colour"),
        texture_levels=8,
        views_per_frame=4,
        final_rate=0.02,
        edges=False,
    )


def stages_of(schedule: ScheduleConfig) -> list[tuple[str, StageConfig]]:
    """The stages that run, by name, in their order."""
    stages = [(f.name, getattr(schedule, f.name)) for f in dataclasses.fields(schedule)]
    return [(name, stage) for name, stage in stages if stage.iterations > 0]


@dataclass(frozen=True, kw_only=True, config=_STRICT)
class Config:
    """All settings of a refinement."""

    seed: int = 0
    """Seed of every random number."""
    frame_coupling: Literal["joint", "independent"] = "joint"
    """joint: one shape and one texture for the video (DMVR). independent: every frame on its own (SMVR)."""
    hand: HandConfig = field(default_factory=HandConfig)
    hands: HandsConfig = field(default_factory=HandsConfig)
    render: RenderConfig = field(default_factory=RenderConfig)
    crop: CropConfig = field(default_factory=CropConfig)
    light: LightConfig = field(default_factory=LightConfig)
    texture: TextureConfig = field(default_factory=TextureConfig)
    objective: ObjectiveConfig = field(default_factory=ObjectiveConfig)
    labels: LabelConfig = field(default_factory=LabelConfig)
    trust: TrustConfig = field(default_factory=TrustConfig)
    rates: RatesConfig = field(default_factory=RatesConfig)
    optimiser: OptimiserConfig = field(default_factory=OptimiserConfig)
    schedule: ScheduleConfig = field(default_factory=ScheduleConfig)

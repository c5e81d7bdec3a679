"""Every setting of a run, typed; the defaults are handrefine's own, `configs/paper.yaml` goes back to the paper's.

YAML files hold differences from these defaults (`config_files.py`) and the command line overrides both. The field
docstrings are the command line's help.
"""

import dataclasses
from dataclasses import field
from pathlib import Path
from typing import Annotated, Literal

from annotated_types import Ge, Gt, Le, Lt
from pydantic import ConfigDict, NonNegativeFloat, NonNegativeInt, PositiveFloat, PositiveInt
from pydantic.dataclasses import dataclass
from tyro.conf import arg

from handrefine.render.base import RenderConfig

_STRICT = ConfigDict(extra="forbid")
Variable = Literal[
    "rotation", "translation", "articulation", "shape", "texture", "environment", "colour", "calibration"
]


@dataclass(frozen=True, kw_only=True, config=_STRICT)
class HandConfig:
    model_file: Path | None = None
    """MANO_RIGHT.pkl or MANO_LEFT.pkl of the official release; without it the embedded open hand is used."""
    fix_left_shape: bool | None = None
    """Flip the sign of the left model's first shape direction where it equals the right's (InterHand2.6M did,
    DexYCB did not); by default as the dataset's annotators did."""


@dataclass(frozen=True, kw_only=True, config=_STRICT)
class HandsConfig:
    """What two hands of one person have in common (`--hand both`)."""

    shared_shape: bool = False
    """One shape for both, the left hand's mirrored: fewer unknowns where one of them is seen badly."""
    shared_texture: bool = False
    """One texture for both, in the right hand's atlas."""


@dataclass(frozen=True, kw_only=True, config=_STRICT)
class CropConfig:
    max_size_px: PositiveInt = 160
    """Longest side of a view's crop window after downsampling; smaller windows are not enlarged."""
    margin: NonNegativeFloat = 0.2
    """Margin around the projected start, as a share of its longest side."""


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
    """Window of the bilateral filter, in instants."""
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
class LabelConfig:
    source: Literal["auto", "masks", "segment", "plate", "none"] = "auto"
    """What tells skin from the rest. masks: those given. segment: colours (GrabCut), learned where the annotation
    puts the hands. plate: the camera's empty background, from the instants at which the hand is elsewhere.
    none: nothing does. auto: masks where there are any, else segment. Over black, the image itself tells."""
    check_masks: bool = True
    """Leave unknown where colours and edges of the image contradict a given mask; unneeded for exact masks."""
    background: Literal["auto", "black", "unknown"] = "auto"
    """What lies behind the hand. auto: black where the images say so, else unknown."""
    forearm: bool = True
    """Leave what lies beyond the wrist unknown; switch it off where images show a hand cut at the wrist."""
    forearm_margin: float = 0.0
    """Where the unknown forearm begins: past the wrist by this share of the palm's length."""
    other_hand_px: NonNegativeInt = 15
    """Pixels (of the full image) by which the other hand's joint hull grows before it becomes unknown."""
    mask_margin_px: NonNegativeInt = 0
    """Half-width of the band around a mask's contour that is unknown, for rough masks."""
    near_px: NonNegativeInt = 25
    """Where nothing tells skin from background: pixels further than this from the projected start are unknown."""


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
    """An instant whose step would move some joint by more than this, at the full rate, takes a smaller one: else
    the whole step may go into one finger at one instant once everything else has arrived."""
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
    views_per_instant: PositiveInt | None = None
    """An iteration looks at about so many views of every instant, at all of them in turn; none: at all at once."""
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
        views_per_instant=4,
        edges=False,
    )
    texture: StageConfig = StageConfig(
        iterations=10,
        variables=("texture", "colour"),
        texture_levels=2,
        resolution=0.5,
        views_per_instant=4,
        edges=False,
    )
    coarse: StageConfig = StageConfig(
        iterations=60,
        variables=ALL_VARIABLES,
        texture_levels=6,
        resolution=0.5,
        views_per_instant=4,
        final_rate=0.3,
    )
    again: StageConfig = StageConfig(
        iterations=20,
        variables=("rotation", "translation", "articulation"),
        texture_levels=6,
        resolution=0.5,
        views_per_instant=4,
        initial_rate=0.6,
        final_rate=0.3,
        second_start=True,
    )
    joint: StageConfig = StageConfig(
        iterations=30,
        variables=ALL_VARIABLES,
        texture_levels=8,
        views_per_instant=4,
        initial_rate=0.3,
        final_rate=0.02,
    )
    finish: StageConfig = StageConfig(
        iterations=40,
        variables=("texture", "environment", "colour"),
        texture_levels=8,
        views_per_instant=4,
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
    instants: Annotated[Literal["joint", "independent"], arg(name="instants-are")] = "joint"
    """joint: one shape and one texture for the video (DMVR). independent: every instant on its own (SMVR)."""
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

"""Every setting of a run, typed; the defaults are handrefine's own, `configs/paper.yaml` goes back to the paper's.

Each section stands beside the code that it sets, with its defaults. YAML files hold differences from them
(`config_files.py`) and the command line overrides both. The field docstrings are the command line's help.
"""

from collections.abc import Mapping
from dataclasses import field
from pathlib import Path
from typing import Literal

from pydantic import ConfigDict, NonNegativeFloat, NonNegativeInt
from pydantic.dataclasses import dataclass

from handrefine.losses.objective import LossesConfig
from handrefine.optimizers.stage_optimizer import OptimizerConfig
from handrefine.preprocess.crops import CropConfig
from handrefine.refinement.camera_weights import CameraWeightsConfig
from handrefine.refinement.schedule import StageConfig, default_stages
from handrefine.render.base import RenderConfig
from handrefine.scene.light import LightConfig
from handrefine.scene.surface import SurfaceConfig
from handrefine.scene.texture import TextureConfig
from handrefine.scene.variables import learning_rates

_STRICT = ConfigDict(extra="forbid")


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
class LabelConfig:
    source: Literal["auto", "masks", "segment", "plate", "none"] = "auto"
    """What tells skin from the rest. masks: those given. segment: colours (GrabCut), learned where the annotation
    puts the hands. plate: the camera's empty background, from the frames at which the hand is elsewhere.
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
    surface: SurfaceConfig = field(default_factory=SurfaceConfig)
    losses: LossesConfig = field(default_factory=LossesConfig)
    labels: LabelConfig = field(default_factory=LabelConfig)
    camera_weights: CameraWeightsConfig = field(default_factory=CameraWeightsConfig)
    learning_rates: Mapping[str, NonNegativeFloat] = field(default_factory=learning_rates)
    """Adam's rates (section 3.6)."""
    optimizer: OptimizerConfig = field(default_factory=OptimizerConfig)
    stages: Mapping[str, StageConfig] = field(default_factory=default_stages)
    """What runs, stage after stage."""

"""Every setting of a run, typed; the defaults are handrefine's own, `configs/paper.yaml` goes back to the paper's.

Each section stands beside the code that it sets, with its defaults. YAML files hold differences from them
(`config_files.py`) and the command line overrides both. The field docstrings are the command line's help.
"""

from collections.abc import Mapping
from dataclasses import field
from typing import Literal

from pydantic import ConfigDict, NonNegativeFloat
from pydantic.dataclasses import dataclass

from handrefine.hand.config import HandConfig, HandsConfig
from handrefine.losses.objective import LossesConfig
from handrefine.optimizers.stage_optimizer import OptimizerConfig
from handrefine.preprocess.crops import CropConfig
from handrefine.preprocess.masks.labels import LabelConfig
from handrefine.refinement.camera_weights import CameraWeightsConfig
from handrefine.refinement.schedule import StageConfig, default_stages
from handrefine.render.base import RenderConfig
from handrefine.scene.light import LightConfig
from handrefine.scene.surface import SurfaceConfig
from handrefine.scene.texture import TextureConfig
from handrefine.scene.variables import learning_rates

_STRICT = ConfigDict(extra="forbid")


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

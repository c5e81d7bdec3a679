"""Every setting of a run, typed; the defaults are handrefine's own, `configs/paper.yaml` goes back to the paper's.

Each section stands beside the code that it sets, with its defaults. YAML files hold differences from them
(`config_files.py`) and the command line overrides both. The field docstrings are the command line's help.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import field, fields, is_dataclass
from typing import Annotated, Literal

from pydantic import ConfigDict, NonNegativeFloat, PositiveFloat
from pydantic.dataclasses import dataclass
from tyro.conf import arg

from handrefine.errors import InputError
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
    memory_gib: Annotated[PositiveFloat | None, arg(aliases=("--memory",))] = None
    """Memory that the run may take, GiB: where an estimate before the first iteration exceeds it, it ends there.
    None: as much as there is."""
    implausible_input: Literal["refuse", "warn"] = "refuse"
    """What to do where the input cannot be right: end with a list of all findings, or tell them and go on."""

    def __post_init__(self) -> None:
        """Raises:
        InputError: a number is not finite, or larger than any machine could serve; all of these at once.
        """
        faults = list(_impossible(self, ""))
        if faults:
            raise InputError("the configuration has impossible numbers", found="; ".join(faults))


#: By dotted names, the last part or all of it, the smallest and largest value; other numbers reach a billion.
_LIMITS: Mapping[str, tuple[float, float]] = {
    "seed": (0, 2**31 - 1),
    "texture.size": (1, 2**14),
    "crop.max_size_px": (1, 2**14),
    "light.map_height": (1, 2**12),
    "render.spp": (1, 2**16),
    "render.depth": (1, 2**10),
    "iterations": (0, 10**7),
}
_LARGEST = 1e9


def _impossible(value: object, name: str) -> Iterator[str]:
    """Every number of the configuration that cannot be meant."""
    if isinstance(value, bool):
        return
    if isinstance(value, int | float):
        low, high = _LIMITS.get(name, _LIMITS.get(name.rpartition(".")[2], (-_LARGEST, _LARGEST)))
        if not low <= value <= high:  # NaN lies nowhere
            yield f"{name} = {str(value)[:20]} (from {low:g} to {high:g})"
        return
    parts: Iterable[tuple[object, object]] = ()
    if is_dataclass(value):
        parts = [(f.name, getattr(value, f.name)) for f in fields(value)]
    elif isinstance(value, Mapping):
        parts = value.items()
    elif isinstance(value, tuple | list):
        parts = enumerate(value)
    for key, part in parts:
        yield from _impossible(part, f"{name}.{key}" if name else str(key))

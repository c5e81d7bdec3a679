"""The objective: a weighted list of terms, `L = sum_k lambda_k L_k` (Eq. 1 of the paper, and what we add)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields

import torch
from jaxtyping import Float
from pydantic import ConfigDict
from pydantic import dataclasses as typed
from torch import Tensor

from handrefine.errors import InputError
from handrefine.losses.base import Iterate, LossTerm, Residuals, Setup, TermConfig
from handrefine.losses.colour_ridge import ColourRidgeConfig
from handrefine.losses.data import DataConfig
from handrefine.losses.detections import DetectionsConfig
from handrefine.losses.edge import EdgeConfig
from handrefine.losses.joint_limits import JointLimitsConfig
from handrefine.losses.norms import PixelNorm
from handrefine.losses.occluded import OccludedConfig
from handrefine.losses.penetration import PenetrationConfig
from handrefine.losses.shape_limits import ShapeLimitsConfig
from handrefine.losses.silhouette import SilhouetteConfig
from handrefine.losses.temporal import TemporalConfig
from handrefine.losses.usual_pose import UsualPoseConfig
from handrefine.losses.usual_shape import UsualShapeConfig
from handrefine.losses.usual_skin import UsualSkinConfig
from handrefine.losses.usual_surface import UsualSurfaceConfig


@typed.dataclass(frozen=True, kw_only=True, config=ConfigDict(extra="forbid"))
class LossesConfig:
    """Which terms the objective has, and the settings of every built-in term.

    A preset names its terms, so that a term that is added here later is no part of it.
    """

    terms: tuple[str, ...] = (
        "data",
        "silhouette",
        "edge",
        "temporal",
        "joint_limits",
        "usual_pose",
        "usual_shape",
        "shape_limits",
        "usual_surface",
        "occluded",
        "penetration",
        "colour_ridge",
        "usual_skin",
    )
    """The terms of the objective, by name; a weight of 0 switches one off as well."""
    protect_texture: bool = False
    """Where the model sticks out over what is certainly not the hand, contours move and no texture is painted."""
    pixel: PixelNorm = field(default_factory=PixelNorm)
    data: DataConfig = field(default_factory=DataConfig)
    silhouette: SilhouetteConfig = field(default_factory=SilhouetteConfig)
    edge: EdgeConfig = field(default_factory=EdgeConfig)
    temporal: TemporalConfig = field(default_factory=TemporalConfig)
    joint_limits: JointLimitsConfig = field(default_factory=JointLimitsConfig)
    usual_pose: UsualPoseConfig = field(default_factory=UsualPoseConfig)
    usual_shape: UsualShapeConfig = field(default_factory=UsualShapeConfig)
    shape_limits: ShapeLimitsConfig = field(default_factory=ShapeLimitsConfig)
    usual_surface: UsualSurfaceConfig = field(default_factory=UsualSurfaceConfig)
    occluded: OccludedConfig = field(default_factory=OccludedConfig)
    penetration: PenetrationConfig = field(default_factory=PenetrationConfig)
    colour_ridge: ColourRidgeConfig = field(default_factory=ColourRidgeConfig)
    usual_skin: UsualSkinConfig = field(default_factory=UsualSkinConfig)
    detections: DetectionsConfig = field(default_factory=DetectionsConfig)

    def known(self) -> list[str]:
        """The names of all built-in terms."""
        return [f.name for f in fields(self) if f.name not in ("terms", "pixel", "protect_texture")]

    def chosen(self) -> dict[str, TermConfig]:
        """The settings of the terms that count, by name, in the order of `terms`.

        Raises:
            InputError: a name is no term's.
        """
        known = self.known()
        for name in self.terms:
            if name not in known:
                raise InputError(
                    f"there is no term {name!r} of the objective",
                    where="losses.terms",
                    expected="some of " + ", ".join(known),
                )
        configs: dict[str, TermConfig] = {name: getattr(self, name) for name in self.terms}
        return {name: config for name, config in configs.items() if config.weight > 0}

    def counts(self, name: str) -> bool:
        """Whether the objective has that term."""
        return name in self.chosen()


@dataclass(frozen=True, eq=False)
class Objective:
    """The terms for one batch of views, with their weights."""

    terms: Mapping[str, LossTerm]
    weights: Mapping[str, float]

    @staticmethod
    def build(configs: Mapping[str, TermConfig], setup: Setup, skip: Sequence[str] = ()) -> "Objective":
        """Set up every term but those to skip; a term that can say nothing of these views is left out."""
        built = {name: config.build(setup) for name, config in configs.items() if name not in skip}
        terms = {name: term for name, term in built.items() if term is not None}
        return Objective(terms, {name: configs[name].weight for name in terms})

    def __call__(self, iterate: Iterate) -> dict[str, Float[Tensor, ""]]:
        """Every term, weighted; they add up to the loss."""
        blocks = {name: term.residuals(iterate) for name, term in self.terms.items()}
        return {name: self.weights[name] * _total(of) for name, of in blocks.items() if of}

    @torch.no_grad()
    def by_frame(self, iterate: Iterate, n_frames: int) -> Float[Tensor, " frame"]:
        """How badly every frame of the video is explained: the terms that judge frames, weighted and added."""
        misfit = torch.zeros(n_frames, dtype=torch.float64, device=iterate.prediction.coverage.device)
        for name, term in self.terms.items():
            if term.judges_frames:
                for block in term.residuals(iterate):
                    misfit = misfit + self.weights[name] * block.by_frame(n_frames)
        return misfit


def _total(blocks: Sequence[Residuals]) -> Float[Tensor, ""]:
    values = [block.value() for block in blocks]
    return values[0] if len(values) == 1 else torch.stack(values).sum()

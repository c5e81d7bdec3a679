"""Everything that is unknown about a video, and the images that a guess of it predicts."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol, cast, runtime_checkable

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from handrefine.hand.model import HandGeometry, HandModel
from handrefine.observations import Observations
from handrefine.render.base import HandSurface, Renderer, Rendering
from handrefine.scene.camera_rotations import CameraRotations
from handrefine.scene.colour_transforms import ColourTransforms
from handrefine.scene.light import SphericalLight
from handrefine.scene.missing_hands import with_grains
from handrefine.scene.pose import PoseVariables
from handrefine.scene.scene_module import RenderedViews, SceneModule, adjusted
from handrefine.scene.surface import PersonalSurface
from handrefine.scene.texture import TexturePyramid
from handrefine.scene.variables import GEOMETRY_NAMES


@dataclass(frozen=True, eq=False)
class Prediction:
    """What the cameras would show: the hands' colours after the camera's colour transform, over black.

    geometries: every hand at its own frames.
    hand_rgb: multiplied by coverage, so that `hand_rgb + (1 - coverage) * background` is the whole picture.
    coverage: share of the pixel that hands cover; by_hand: what each of them covers.
    """

    geometries: tuple[HandGeometry, ...]
    hand_rgb: Float[Tensor, "pixel 3"]
    coverage: Float[Tensor, " pixel"]
    by_hand: Float[Tensor, "pixel hand"]


class VideoHand(nn.Module):
    """One hand of a video: its model (constant), its pose and shape, and its texture.

    Args:
        rows: for every frame of the video the row of `pose`, or -1 where the hand is missing.
        surface: the person's own; None where the surface is the model's.
    """

    rows: Tensor

    def __init__(
        self,
        hand: HandModel,
        pose: PoseVariables,
        texture: TexturePyramid,
        rows: Sequence[int] | None = None,
        surface: PersonalSurface | None = None,
    ) -> None:
        super().__init__()
        self.hand, self.pose, self.texture, self.surface = hand, pose, texture, surface
        own = range(len(pose.base_trans_m)) if rows is None else rows
        self.register_buffer("rows", torch.tensor(list(own)))

    @property
    def present(self) -> Bool[Tensor, " frame"]:
        """At which frames of the video the hand is there."""
        return self.rows >= 0

    @property
    def always_present(self) -> bool:
        return bool(self.present.all())

    def geometry(self, pose: PoseVariables | None = None) -> HandGeometry:
        """The hand at its own frames with the person's surface; in another pose it is the model's own surface."""
        if pose is None:
            return self.with_surface(self.pose)
        return self.hand(pose.pose_aa(), pose.shapes(), pose.trans_m(), flat_hand_mean=pose.flat_hand_mean)

    def with_surface(self, pose: PoseVariables) -> HandGeometry:
        """A pose with the person's surface."""
        geometry = self.geometry(pose)
        return geometry if self.surface is None else self.surface(geometry)

    def over_video(self, geometry: HandGeometry) -> HandGeometry:
        """The hand at all frames of the video; NaN where it is missing."""

        def spread(values: Tensor) -> Tensor:
            return torch.where(self.present[:, None, None], values[self.rows.clamp(min=0)], torch.nan)

        return HandGeometry(spread(geometry.verts_world), spread(geometry.joints_world))

    def textures(self, levels: int) -> Float[Tensor, "texture_frame height width 3"]:
        """One for the video, or one a frame of the video."""
        texture = self.texture(min(levels, self.texture.n_levels))
        return texture if len(texture) == 1 else texture[self.rows.clamp(min=0)]


@runtime_checkable
class Unknowns(Protocol):
    """What an optimiser moves: the unknowns of one video, or of several that share some."""

    @property
    def hands(self) -> tuple[VideoHand, ...]: ...

    def parameters(self) -> Iterator[nn.Parameter]: ...

    def parameters_of(self, variable: str) -> list[nn.Parameter]:
        """The parameters behind a variable's name, each once; none where there is no such variable."""
        ...


class VideoModel(nn.Module):
    """Hands in one light, seen by all cameras at all frames; the optimizer's variables are parameters.

    Args:
        hands: they may share a shape (the same `shape` parameter) and a texture.
        light: radiance from infinity. light_map_height: rows of the environment map that the renderer sees.
        colour: what each camera does to colours.
        modules: further unknowns, applied in this order after the colours.
    """

    def __init__(
        self,
        hands: Iterable[VideoHand],
        light: SphericalLight,
        light_map_height: int,
        colour: ColourTransforms,
        modules: Iterable[SceneModule] = (),
    ) -> None:
        super().__init__()
        self._hands = nn.ModuleList(hands)
        self.light, self.light_map_height = light, light_map_height
        self.colour = colour
        self._further = nn.ModuleList(modules)

    @property
    def hands(self) -> tuple[VideoHand, ...]:
        return cast("tuple[VideoHand, ...]", tuple(self._hands))

    @property
    def scene_modules(self) -> tuple[SceneModule, ...]:
        """What deforms surfaces and adjusts views, in the order of application."""
        return (self.colour, *cast("tuple[SceneModule, ...]", tuple(self._further)))

    @property
    def rotations(self) -> CameraRotations | None:
        """Those of the cameras; None where their calibration is taken as it is."""
        return next((m for m in self.scene_modules if isinstance(m, CameraRotations)), None)

    @property
    def n_frames(self) -> int:
        """Frames of the video."""
        return len(self.hands[0].rows)

    @property
    def n_levels(self) -> int:
        """Levels of detail of the textures."""
        return self.hands[0].texture.n_levels

    def parameters_of(self, variable: str) -> list[nn.Parameter]:
        """The parameters behind a variable's name, each once; none where the video has no such variable."""
        if variable == "environment":
            return list(self.light.parameters())
        if variable == "texture":
            return list(dict.fromkeys(p for hand in self.hands for p in hand.texture.parameters()))
        if variable == "surface":
            surfaces = [of.surface for of in self.hands if of.surface is not None and not of.surface.held]
            return list(dict.fromkeys(surface.coefficients for surface in surfaces))
        if variable in ("colour", "exposure"):
            return [self.colour.free if variable == "colour" else self.colour.log_exposure]
        if variable in GEOMETRY_NAMES:
            return list(dict.fromkeys(getattr(hand.pose, variable) for hand in self.hands))
        return [p for m in self.scene_modules if m.variable == variable for p in m.parameters()]

    def geometries(self, poses: Sequence[PoseVariables] | None = None) -> tuple[HandGeometry, ...]:
        """The hands in this model's poses, each at its own frames.

        In other poses they have the hand model's surface: neither a person's own nor a scene module deforms it.
        """
        if poses is not None:
            return tuple(hand.geometry(pose) for hand, pose in zip(self.hands, poses, strict=True))
        geometries = tuple(hand.geometry() for hand in self.hands)
        for module in self.scene_modules:
            geometries = module.deform(geometries)
        return geometries

    def over_video(self, geometries: Sequence[HandGeometry]) -> tuple[HandGeometry, ...]:
        """The hands at all frames of the video; NaN where they are missing."""
        return tuple(hand.over_video(geometry) for hand, geometry in zip(self.hands, geometries, strict=True))

    def render(
        self, renderer: Renderer, geometries: Sequence[HandGeometry], *, texture_levels: int, seed: int
    ) -> Rendering:
        """The renderer's views of the hands in this light, before any camera's colours."""
        hands = zip(self.surfaces(geometries), self.hands, strict=True)
        surfaces = [HandSurface(verts_world, hand.textures(texture_levels)) for verts_world, hand in hands]
        return renderer.render(surfaces, self.light.bake(self.light_map_height), seed=seed)

    def predict(
        self,
        renderer: Renderer,
        observations: Observations,
        *,
        texture_levels: int,
        seed: int,
        poses: Sequence[PoseVariables] | None = None,
    ) -> Prediction:
        """Render the observed views, in this model's poses or others; differentiable in every parameter."""
        geometries = self.geometries(poses)
        rendering = self.render(renderer, geometries, texture_levels=texture_levels, seed=seed)
        return self.seen(geometries, rendering, observations)

    def seen(
        self, geometries: Sequence[HandGeometry], rendering: Rendering, observations: Observations
    ) -> Prediction:
        """A rendering of the hands as the cameras show it; differentiable."""
        views = adjusted(self.scene_modules, RenderedViews(rendering.rgb, rendering.coverage), observations)
        return Prediction(tuple(geometries), views.hand_rgb, views.by_hand.sum(dim=1), views.by_hand)

    def surfaces(self, geometries: Sequence[HandGeometry]) -> list[Float[Tensor, "frame _ 3"]]:
        """Vertices of every hand at all frames of the video, as a renderer needs them (see `with_grains`)."""
        if all(hand.always_present for hand in self.hands):
            return [geometry.verts_world[hand.rows] for hand, geometry in zip(self.hands, geometries, strict=True)]
        return with_grains(self.over_video(geometries))

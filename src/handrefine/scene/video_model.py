"""Everything that is unknown about a video, and the pictures that a guess of it predicts."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import cast

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from handrefine.config import Variable
from handrefine.hand.model import HandGeometry, HandModel
from handrefine.observations import Observations
from handrefine.render.base import HandSurface, Renderer, Rendering
from handrefine.scene.camera_rotations import CameraRotations
from handrefine.scene.colour_transforms import ColourTransforms
from handrefine.scene.light import SphericalLight
from handrefine.scene.pose import PoseVariables
from handrefine.scene.texture import TexturePyramid
from handrefine.sequence import JOINT_NAMES

#: Size of a missing hand: a grain inside the palm of the other one, where no camera sees it.
GRAIN = 1e-3
_PALM = [JOINT_NAMES.index(name) for name in ("wrist", "index1", "middle1", "pinky1")]


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
    """

    rows: Tensor

    def __init__(
        self, hand: HandModel, pose: PoseVariables, texture: TexturePyramid, rows: Sequence[int] | None = None
    ) -> None:
        super().__init__()
        self.hand, self.pose, self.texture = hand, pose, texture
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
        """The hand at its own frames, in this pose or in another one."""
        pose = self.pose if pose is None else pose
        return self.hand(pose.pose_aa(), pose.shapes(), pose.trans_m(), flat_hand_mean=pose.flat_hand_mean)

    def over_video(self, geometry: HandGeometry) -> HandGeometry:
        """The hand at all frames of the video; NaN where it is missing."""

        def spread(values: Tensor) -> Tensor:
            return torch.where(self.present[:, None, None], values[self.rows.clamp(min=0)], torch.nan)

        return HandGeometry(spread(geometry.verts_world), spread(geometry.joints_world))

    def textures(self, levels: int) -> Float[Tensor, "texture_frame height width 3"]:
        """One for the video, or one a frame of the video."""
        texture = self.texture(min(levels, self.texture.n_levels))
        return texture if len(texture) == 1 else texture[self.rows.clamp(min=0)]


class HandVideoModel(nn.Module):
    """One hand or two in one light, seen by all cameras at all frames; the optimiser's variables are parameters.

    Args:
        hands: they may share a shape (the same `shape` parameter) and a texture.
        light, colour: appearance.
        light_map_height: rows of the environment map that the renderer sees.
        rotations: of the cameras; None where their calibration is taken as it is.
    """

    def __init__(
        self,
        hands: Iterable[VideoHand],
        light: SphericalLight,
        colour: ColourTransforms,
        light_map_height: int,
        rotations: CameraRotations | None = None,
    ) -> None:
        super().__init__()
        self._hands = nn.ModuleList(hands)
        self.light, self.colour = light, colour
        self.light_map_height = light_map_height
        self.rotations = rotations

    @property
    def hands(self) -> tuple[VideoHand, ...]:
        return cast("tuple[VideoHand, ...]", tuple(self._hands))

    @property
    def n_levels(self) -> int:
        """Levels of detail of the textures."""
        return self.hands[0].texture.n_levels

    def variables(self, name: Variable) -> Iterator[nn.Parameter]:
        """The parameters behind one of the configuration's names of variables, each once."""
        if name == "environment":
            return self.light.parameters()
        if name == "colour":
            return self.colour.parameters()
        if name == "calibration":
            return iter(()) if self.rotations is None else self.rotations.parameters()
        if name == "texture":
            return iter(dict.fromkeys(p for hand in self.hands for p in hand.texture.parameters()))
        return iter(dict.fromkeys(getattr(hand.pose, name) for hand in self.hands))

    def geometries(self, poses: Sequence[PoseVariables] | None = None) -> tuple[HandGeometry, ...]:
        """The hands in this model's poses, or in others, each at its own frames."""
        given = [hand.pose for hand in self.hands] if poses is None else poses
        return tuple(hand.geometry(pose) for hand, pose in zip(self.hands, given, strict=True))

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
        coverage = rendering.coverage.sum(dim=1)
        hand_rgb = self.colour.transform(rendering.rgb, observations.camera_of_pixel, coverage)
        by_hand = rendering.coverage
        if self.rotations is not None:
            hand_rgb, by_hand = _turned(self.rotations, hand_rgb, by_hand, observations)
        return Prediction(geometries, hand_rgb, by_hand.sum(dim=1), by_hand)

    def surfaces(self, geometries: Sequence[HandGeometry]) -> list[Float[Tensor, "frame _ 3"]]:
        """Vertices of every hand at all frames of the video; where it is missing, a grain inside the other one.

        A renderer needs every hand at every frame. The grain is no part of any picture and takes no gradient.
        """
        if all(hand.always_present for hand in self.hands):
            return [geometry.verts_world[hand.rows] for hand, geometry in zip(self.hands, geometries, strict=True)]
        spread = self.over_video(geometries)
        surfaces = []
        for k, (hand, geometry) in enumerate(zip(self.hands, geometries, strict=True)):
            palm = spread[1 - k].joints_world[:, _PALM].mean(dim=1, keepdim=True).detach()
            any_pose = geometry.verts_world[:1].detach()
            grain = palm + GRAIN * (any_pose - any_pose.mean(dim=1, keepdim=True))
            surfaces.append(torch.where(hand.present[:, None, None], spread[k].verts_world, grain))
        return surfaces


def _turned(
    rotations: CameraRotations,
    hand_rgb: Float[Tensor, "pixel 3"],
    by_hand: Float[Tensor, "pixel hand"],
    observations: Observations,
) -> tuple[Float[Tensor, "pixel 3"], Float[Tensor, "pixel hand"]]:
    """The pictures as the turned cameras show them."""
    pictures = observations.views.split(torch.cat([hand_rgb, by_hand], dim=1))
    camera_of_view = observations.camera_of_pixel[torch.from_numpy(observations.views.offsets).to(by_hand.device)]
    cameras = [view.camera for view in observations.views.views]
    turned = observations.views.flatten(rotations.resample(pictures, cameras, camera_of_view))
    return turned[:, :3], turned[:, 3:]

"""Everything that is unknown about a video, and the pictures that a guess of it predicts."""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn

from handrefine.appearance.colour import ColourTransforms
from handrefine.appearance.light import SphericalLight
from handrefine.appearance.registration import CameraRotations
from handrefine.appearance.texture import TexturePyramid
from handrefine.config import Variable
from handrefine.hand.model import HandGeometry, HandModel
from handrefine.refine.observations import Observations
from handrefine.refine.variables import PoseVariables
from handrefine.render.base import HandSurface, Renderer


@dataclass(frozen=True, eq=False)
class Prediction:
    """What the cameras would show: the hand's colours after the camera's colour transform, over black.

    hand_rgb is multiplied by coverage, so that `hand_rgb + (1 - coverage) * background` is the whole picture.
    """

    geometry: HandGeometry
    hand_rgb: Float[Tensor, "pixel 3"]
    coverage: Float[Tensor, " pixel"]


class HandVideoModel(nn.Module):
    """One hand in one light, seen by all cameras at all instants; the optimiser's variables are its parameters.

    Args:
        hand: the hand model; constant.
        pose: correctives and shape.
        texture, light, colour: appearance.
        light_map_height: rows of the environment map that the renderer sees.
        rotations: of the cameras; None where their calibration is taken as it is.
    """

    def __init__(
        self,
        hand: HandModel,
        pose: PoseVariables,
        texture: TexturePyramid,
        light: SphericalLight,
        colour: ColourTransforms,
        light_map_height: int,
        rotations: CameraRotations | None = None,
    ) -> None:
        super().__init__()
        self.hand, self.pose, self.texture, self.light, self.colour = hand, pose, texture, light, colour
        self.light_map_height = light_map_height
        self.rotations = rotations

    def variables(self, name: Variable) -> Iterator[nn.Parameter]:
        """The parameters behind one of the configuration's names of variables."""
        if name == "texture":
            return self.texture.parameters()
        if name == "environment":
            return self.light.parameters()
        if name == "colour":
            return self.colour.parameters()
        if name == "calibration":
            return iter(()) if self.rotations is None else self.rotations.parameters()
        return iter([getattr(self.pose, name)])

    def geometry(self, pose: PoseVariables | None = None) -> HandGeometry:
        """The hand in this model's pose, or in another one."""
        pose = self.pose if pose is None else pose
        return self.hand(pose.pose_aa(), pose.shapes(), pose.trans_m(), flat_hand_mean=pose.flat_hand_mean)

    def predict(
        self,
        renderer: Renderer,
        observations: Observations,
        *,
        texture_levels: int,
        seed: int,
        pose: PoseVariables | None = None,
    ) -> Prediction:
        """Render all observed views, in this model's pose or another one; differentiable in every parameter."""
        geometry = self.geometry(pose)
        texture = self.texture(min(texture_levels, self.texture.n_levels))
        environment = self.light.bake(self.light_map_height)
        rendering = renderer.render([HandSurface(geometry.verts_world, texture)], environment, seed=seed)
        coverage = rendering.coverage[:, 0]
        hand_rgb = self.colour.transform(rendering.rgb, observations.camera_of_pixel, coverage)
        if self.rotations is not None:
            hand_rgb, coverage = _turned(self.rotations, hand_rgb, coverage, observations)
        return Prediction(geometry, hand_rgb, coverage)


def _turned(
    rotations: CameraRotations,
    hand_rgb: Float[Tensor, "pixel 3"],
    coverage: Float[Tensor, " pixel"],
    observations: Observations,
) -> tuple[Float[Tensor, "pixel 3"], Float[Tensor, " pixel"]]:
    """The pictures as the turned cameras show them."""
    pictures = observations.views.split(torch.cat([hand_rgb, coverage[:, None]], dim=1))
    camera_of_view = observations.camera_of_pixel[torch.from_numpy(observations.views.offsets).to(coverage.device)]
    cameras = [view.camera for view in observations.views.views]
    turned = observations.views.flatten(rotations.resample(pictures, cameras, camera_of_view))
    return turned[:, :3], turned[:, 3]

"""What is the person's own and not the video's: taken from another video, and told to the next one."""

import numpy as np
import torch
from jaxtyping import Bool

from handrefine.errors import InputError
from handrefine.hand.model import HandModel
from handrefine.person import Person
from handrefine.scene.pose import PoseVariables
from handrefine.scene.surface import PersonalSurface, SurfaceConfig
from handrefine.scene.texture import TextureConfig, TexturePyramid
from handrefine.scene.video_model import VideoHand
from handrefine.sequence import Side

#: Files of both sides of one model, MANO_RIGHT.pkl and MANO_LEFT.pkl, hold one model.
_SIDES = ("_RIGHT", "_LEFT")
#: A vertex's displacement may differ so much from what the modes make of the coefficients.
SAME_M = 1e-5


def surface_of(hand: HandModel, config: SurfaceConfig, person: Person | None) -> PersonalSurface | None:
    """The surface to be found, or the person's, held; None where the hand model's is enough.

    A person without a surface leaves it to be found.

    Raises:
        InputError: the person has the shapes of another hand model.
    """
    free = PersonalSurface(hand, config.modes) if config.modes else None
    if person is None:
        return free
    if model_of(hand) == person.hand_model and hand.n_vertices == len(person.displacement_m):
        if not len(person.coefficients_m):
            return free
        surface = PersonalSurface(hand, len(person.coefficients_m), person.coefficients_m)
        apart_m = np.abs(surface.displacement_m().detach().numpy() - person.displacement_m).max()
        if apart_m < SAME_M:
            return surface
    raise InputError(
        "the person's surface belongs to another hand model",
        where=config.person,
        expected=f"{model_of(hand)}, {hand.n_vertices} vertices",
        found=f"{person.hand_model}, {len(person.displacement_m)} vertices",
        fix="refine with the hand model that the person was found with",
    )


def begun_as(pose: PoseVariables, person: Person) -> PoseVariables:
    """The variables with the person's shape to begin with, in place."""
    with torch.no_grad():
        pose.shape.copy_(torch.tensor(person.shape, dtype=pose.shape.dtype).expand_as(pose.shape))
    return pose


def texture_of(side: Side, config: TextureConfig, n_textures: int, person: Person | None) -> TexturePyramid:
    """The texture to be found: it begins as the person's, where that hand's is known."""
    texture = TexturePyramid(config.size, initial=config.initial, n_textures=n_textures)
    if person is not None and side in person.textures:
        texture.begin_at(torch.tensor(person.textures[side][..., :3], dtype=torch.float32))
    return texture


@torch.no_grad()
def person_of(hand: VideoHand, seen: Bool[np.ndarray, "seen_size seen_size"]) -> Person | None:
    """What was found of the person; None where every frame has a shape of its own.

    Args:
        seen: texels of the hand's texture that cameras have seen, on another grid.
    """
    if hand.pose.shape.ndim == 2:
        return None

    def numpy(values: torch.Tensor) -> np.ndarray:
        return values.detach().cpu().numpy().astype(np.float64)

    surface = hand.surface
    rgb = hand.texture()[0].cpu().numpy()
    rows = np.arange(len(rgb)) * len(seen) // len(rgb)
    texture = np.concatenate([rgb, seen[rows][:, rows, None].astype(rgb.dtype)], axis=2)
    return Person(
        model_of(hand.hand),
        numpy(hand.pose.shape),
        np.zeros(0) if surface is None else numpy(surface.coefficients),
        np.zeros(hand.hand.n_vertices) if surface is None else numpy(surface.displacement_m()),
        {hand.hand.side: texture},
    )


def model_of(hand: HandModel) -> str:
    """The name of a hand's model without its side."""
    name = hand.name
    for side in _SIDES:
        name = name.replace(side, "")
    return name

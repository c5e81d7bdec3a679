"""What is the person's own and not the video's: taken from another video, and told to the next one."""

import numpy as np
import torch

from handrefine.errors import InputError
from handrefine.hand.model import HandModel
from handrefine.person import Person
from handrefine.scene.pose import PoseVariables
from handrefine.scene.surface import PersonalSurface, SurfaceConfig
from handrefine.scene.video_model import VideoHand

#: Files of both sides of one model, MANO_RIGHT.pkl and MANO_LEFT.pkl, hold one model.
_SIDES = ("_RIGHT", "_LEFT")
#: A vertex's displacement may differ so much from what the modes make of the coefficients.
SAME_M = 1e-5


def surface_of(hand: HandModel, config: SurfaceConfig, person: Person | None) -> PersonalSurface | None:
    """The surface to be found, or the person's, held; None where the hand model's is enough.

    Raises:
        InputError: the person has the shapes of another hand model.
    """
    if person is None:
        return PersonalSurface(hand, config.modes) if config.modes else None
    surface = PersonalSurface(hand, len(person.coefficients_m), person.coefficients_m)
    if model_of(hand) == person.hand_model and hand.n_vertices == len(person.displacement_m):
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


def person_of(hand: VideoHand) -> Person | None:
    """What was found of the person; None without a surface."""
    if hand.surface is None:
        return None
    surface = hand.surface

    def numpy(values: torch.Tensor) -> np.ndarray:
        return values.detach().cpu().numpy().astype(np.float64)

    return Person(
        model_of(hand.hand),
        numpy(hand.pose.shapes()[0]),
        numpy(surface.coefficients),
        numpy(surface.displacement_m()),
    )


def model_of(hand: HandModel) -> str:
    """The name of a hand's model without its side."""
    name = hand.name
    for side in _SIDES:
        name = name.replace(side, "")
    return name

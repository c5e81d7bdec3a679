"""What the cameras see of the hand as it is now: of each joint's surface, and of the whole from each camera."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from handrefine.hand.model import HandModel
from handrefine.losses.occluded import hidden_share
from handrefine.observations import Observations
from handrefine.scene.video_model import HandVideoModel


@dataclass(frozen=True, eq=False)
class Sight:
    """hidden: how little is seen of what each finger joint of every hand moves, see `hidden_share`.

    visible_share: visible area of each camera of `Observations.camera_names`, averaged over views and hands, as a
        share of the camera that sees most; NaN for a camera without views.
    """

    hidden: tuple[Float[Tensor, "_ 15"], ...]
    visible_share: Float[np.ndarray, " camera"]


@torch.no_grad()
def look(model: HandVideoModel, observations: Observations) -> Sight:
    """Trace one ray a triangle and view; a hand hides itself, and nothing else does."""
    of_camera: dict[str, list[float]] = {name: [] for name in observations.camera_names}
    hidden = []
    for index, (hand, geometry) in enumerate(zip(model.hands, model.geometries(), strict=True)):
        verts = hand.over_video(geometry).verts_world
        seen = _largest_seen_area(hand.hand, verts.cpu().numpy(), index, observations, of_camera)
        hidden.append(_hidden(hand.hand, geometry.verts_world, seen[hand.present.cpu().numpy()]))
    mean = np.array([np.mean(areas) if areas else np.nan for areas in of_camera.values()])
    return Sight(tuple(hidden), mean / max(np.nanmax(mean), 1e-12))


def _largest_seen_area(
    hand: HandModel,
    verts: Float[np.ndarray, "frame vertex 3"],
    index: int,
    observations: Observations,
    of_camera: dict[str, list[float]],
) -> Float[np.ndarray, "frame face"]:
    """Of every triangle in the view that sees most of it; notes each view's whole area with its camera."""
    from handrefine.render.mitsuba.visibility import visible_triangle_area

    faces, views, around = hand.topology.faces, observations.views.views, observations.hand_of_view
    seen = np.zeros((len(verts), len(faces)))
    for frame in range(len(verts)):
        here = [
            k for k, view in enumerate(views) if view.frame == frame and (around is None or around[k] == index)
        ]
        if not here:
            continue
        area = visible_triangle_area(verts[frame], faces, [views[k].camera for k in here])
        seen[frame] = area.max(axis=0)
        for k, total in zip(here, area.sum(axis=1), strict=True):
            of_camera[observations.keys[k][1]].append(float(total))
    return seen


def _hidden(
    hand: HandModel, verts_world: Float[Tensor, "frame vertex 3"], seen: Float[np.ndarray, "frame face"]
) -> Float[Tensor, "frame 15"]:
    corners = verts_world.detach().cpu()[:, torch.as_tensor(hand.topology.faces)].double()
    doubled = torch.linalg.cross(corners[:, :, 1] - corners[:, :, 0], corners[:, :, 2] - corners[:, :, 0])
    area_m2 = torch.linalg.vector_norm(doubled, dim=-1) / 2
    influence = torch.as_tensor(hand.influence[hand.topology.faces].mean(axis=1)).double()
    return hidden_share(torch.as_tensor(seen), area_m2, influence, hand.parents).to(verts_world)

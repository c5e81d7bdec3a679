"""What the cameras see of the hands as they are now: of each joint's surface, and from each camera."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from handrefine import regions
from handrefine.hand.model import HandModel
from handrefine.observations import Observations
from handrefine.scene.video_model import VideoModel
from handrefine.state import State

#: Share of a joint's surface, foreshortened, from which on it counts as well seen. One camera before a finger sees
#: 1 / pi of it.
WELL_SEEN = 0.25


@dataclass(frozen=True, eq=False)
class Visibility:
    """occluded: how little is seen of what each finger joint of every hand moves, see `occluded_share`.

    visible_share: visible area of each camera of `Observations.camera_names`, averaged over views and hands, as a
        share of the camera that sees most; NaN for a camera without views.
    """

    occluded: tuple[Float[Tensor, "_ 15"], ...]
    visible_share: Float[np.ndarray, " camera"]

    def state(self) -> State:
        return {"occluded": list(self.occluded), "visible_share": self.visible_share}

    @staticmethod
    def from_state(state: State, device: torch.device) -> "Visibility":
        return Visibility(tuple(of.to(device) for of in state["occluded"]), state["visible_share"])


@torch.no_grad()
def measure_visibility(model: VideoModel, observations: Observations) -> Visibility:
    """Trace one ray a triangle and view; a hand hides itself, and what is unknown shows no joint."""
    of_camera: dict[str, list[float]] = {name: [] for name in observations.camera_names}
    occluded = []
    for index, (hand, geometry) in enumerate(zip(model.hands, model.geometries(), strict=True)):
        verts = hand.over_video(geometry).verts_world
        seen = _largest_seen_area(hand.hand, verts.cpu().numpy(), index, observations, of_camera)
        occluded.append(_occluded(hand.hand, geometry.verts_world, seen[hand.present.cpu().numpy()]))
    mean = np.array([np.mean(areas) if areas else np.nan for areas in of_camera.values()])
    return Visibility(tuple(occluded), mean / max(np.nanmax(mean), 1e-12))


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
        middles = verts[frame][faces].mean(axis=1)
        seen[frame] = (area * [_known_at(middles, k, observations) for k in here]).max(axis=0)
        for k, total in zip(here, area.sum(axis=1), strict=True):
            of_camera[observations.keys[k][1]].append(float(total))
    return seen


def _known_at(
    points_world: Float[np.ndarray, "point 3"], view: int, observations: Observations
) -> Bool[np.ndarray, " point"]:
    """Where a view's picture says something: not where a thing or a forearm is before the hand."""
    camera, first = observations.views.views[view].camera, int(observations.views.offsets[view])
    n_pixels = camera.height * camera.width
    known = (observations.colour_weight[first : first + n_pixels] > 0).cpu().numpy()
    return regions.values_at(known.reshape(camera.height, camera.width), camera.pixels(points_world), False)


def _occluded(
    hand: HandModel, verts_world: Float[Tensor, "frame vertex 3"], seen: Float[np.ndarray, "frame face"]
) -> Float[Tensor, "frame 15"]:
    corners = verts_world.detach().cpu()[:, torch.as_tensor(hand.topology.faces)].double()
    doubled = torch.linalg.cross(corners[:, :, 1] - corners[:, :, 0], corners[:, :, 2] - corners[:, :, 0])
    area_m2 = torch.linalg.vector_norm(doubled, dim=-1) / 2
    influence = torch.as_tensor(hand.influence[hand.topology.faces].mean(axis=1)).double()
    return occluded_share(torch.as_tensor(seen), area_m2, influence, hand.parents).to(verts_world)


def occluded_share(
    seen_area: Float[Tensor, "frame face"],
    area: Float[Tensor, "frame face"],
    influence: Float[Tensor, "face 16"],
    parents: Sequence[int],
) -> Float[Tensor, "frame 15"]:
    """How little the cameras see of what each finger joint moves: 0 is well seen, 1 not at all.

    A joint moves its own surface and that of all joints after it. With a the area of triangle f, s what the camera
    that sees it best sees of it, and w the influence of those joints on it, `share = sum s w / sum a w`, and the
    result is `1 - min(share / 0.25, 1)`.

    Args:
        seen_area: per triangle the largest visible area times cosine among the cameras.
        influence: skinning weights of a triangle's corners, averaged.
        parents: of the 16 joints in MANO's order; the root's is ignored.
    """
    below = torch.eye(16, dtype=influence.dtype, device=influence.device)
    for joint in range(15, 0, -1):
        below[parents[joint]] += below[joint]
    moved = influence @ below[1:].T
    share = (seen_area @ moved) / (area @ moved).clamp(min=1e-12)
    return 1 - (share / WELL_SEEN).clamp(max=1)

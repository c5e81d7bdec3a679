"""What the cameras see of the hand as it is now: of each joint's surface, and of the whole from each camera."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from handrefine.hand.model import HandModel
from handrefine.objective.tie import hidden_share
from handrefine.refine.observations import Observations


@dataclass(frozen=True, eq=False)
class Sight:
    """hidden: how little is seen of what each finger joint moves, see `hidden_share`.

    visible_share: visible area of each camera of `Observations.camera_names`, averaged over its views, as a share
        of the camera that sees most; NaN for a camera without views.
    """

    hidden: Float[Tensor, "frame 15"]
    visible_share: Float[np.ndarray, " camera"]


@torch.no_grad()
def look(hand: HandModel, verts_world: Float[Tensor, "frame vertex 3"], observations: Observations) -> Sight:
    """Trace one ray a triangle and view; the hand hides itself, and nothing else does."""
    from handrefine.render.mitsuba.visibility import visible_triangle_area

    faces, verts = hand.topology.faces, verts_world.detach().cpu().numpy()
    views = observations.views.views
    seen = np.zeros((len(verts), len(faces)))
    of_camera: dict[str, list[float]] = {name: [] for name in observations.camera_names}
    for frame in range(len(verts)):
        here = [k for k, view in enumerate(views) if view.frame == frame]
        if not here:
            continue
        area = visible_triangle_area(verts[frame], faces, [views[k].camera for k in here])
        seen[frame] = area.max(axis=0)
        for k, total in zip(here, area.sum(axis=1), strict=True):
            of_camera[observations.keys[k][1]].append(float(total))
    corners = torch.as_tensor(verts[:, faces]).double()
    doubled = torch.linalg.cross(corners[:, :, 1] - corners[:, :, 0], corners[:, :, 2] - corners[:, :, 0])
    area_m2 = torch.linalg.vector_norm(doubled, dim=-1) / 2
    influence = torch.as_tensor(hand.influence[faces].mean(axis=1)).double()
    hidden = hidden_share(torch.as_tensor(seen), area_m2, influence, hand.parents)
    mean = np.array([np.mean(areas) if areas else np.nan for areas in of_camera.values()])
    return Sight(hidden.to(verts_world), mean / max(np.nanmax(mean), 1e-12))

"""Which of the given things stand in the rendered scene, how finely, and in which colour."""

from collections.abc import Sequence
from itertools import accumulate

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from handrefine.config import Config
from handrefine.findings import Finding, Level, some
from handrefine.hand.model import HandGeometry
from handrefine.observations import Observations
from handrefine.preprocess.masks.hand_scale import spread
from handrefine.render.registry import knows_things
from handrefine.render.thing_surfaces import ThingSurfaces, welded
from handrefine.sequence import HandSequence
from handrefine.things import Thing, TriangleMesh

#: A thing that is further from every hand's middle changes no light there, and would make the scene large.
FAR_M = 0.3
#: Triangles of a thing, at most; and the cells in which vertices are joined until there are so few.
MOST_FACES, CELL_M, COARSER = 4000, 0.002, 1.3
#: Reflectances of things, linear: where images do not tell it, and the range where they do.
UNTOLD, LEAST, MOST = 0.3, 0.02, 0.9
#: Pictures in which a thing's colour is looked up, at most.
PICTURES = 12


def things_in_scene(
    sequence: HandSequence,
    hands: Sequence[HandGeometry],
    observations: Observations,
    skin: Float[Tensor, "3"],
    config: Config,
) -> tuple[ThingSurfaces | None, list[Finding]]:
    """The sequence's things where they are near a hand, and what is to be told; None where none is near, or
    none can be used.

    Args:
        sequence: the video that is rendered, at the frames of `hands`.
        hands: as they are annotated; NaN where one is missing.
        observations: of these hands.
        skin: mean reflectance of the hands, as far as it is known.

    Raises:
        InputError: a mesh is damaged.
    """
    if not sequence.things:
        return None, []
    names = some(thing.name for thing in sequence.things)
    if reason := _why_not(config):
        level, why = reason
        return None, [Finding(level, f"meshes of things are not used: {why}", sequence.name, names)]
    middles = np.stack([hand.joints_world.detach().cpu().double().numpy().mean(axis=1) for hand in hands])
    meshes = [coarse(thing.mesh(), MOST_FACES) for thing in sequence.things]
    placed = [_near(thing, mesh, middles) for thing, mesh in zip(sequence.things, meshes, strict=True)]
    there = [
        f"{thing.name} at {int(np.isfinite(corners).all(axis=(1, 2, 3)).sum())} of {len(corners)} frames"
        for thing, corners in zip(sequence.things, placed, strict=True)
    ]
    told = [Finding("note", "things stand in the scene and keep light from hands", sequence.name, some(there))]
    corners = np.concatenate(placed, axis=1)
    if not np.isfinite(corners).any():
        return None, told
    firsts = accumulate((3 * len(faces) for _, faces in meshes), initial=0)
    joined = [welded(verts[faces]) + first for (verts, faces), first in zip(meshes, firsts, strict=False)]
    colour = _reflectance(sequence, observations, skin)
    return ThingSurfaces(torch.as_tensor(corners, dtype=torch.float32), np.concatenate(joined), colour), told


def _why_not(config: Config) -> tuple[Level, str] | None:
    """Why things stay out of the scene, and how bad that is."""
    if not config.render.things:
        return "note", "render.things is off"
    if config.labels.objects == "none":
        return "note", "labels.objects is none, and cameras would not see what hides the hands"
    if config.render.shading != "radiance":
        return "note", "render.shading is albedo, which knows no light that they could keep away"
    if not knows_things(config.render):
        return "warning", f"the renderer {config.render.backend} knows hands only"
    return None


def _near(
    thing: Thing, mesh: TriangleMesh, middles: Float[np.ndarray, "hand frame 3"]
) -> Float[np.ndarray, "frame face 3 3"]:
    """Corners in the world; NaN where the thing is not known, or far from every hand."""
    verts, faces = mesh
    verts_world = verts @ thing.R_world_thing.transpose(0, 2, 1) + thing.t_world_thing_m[:, None]
    distance_m = np.linalg.norm(verts_world[None] - middles[:, :, None], axis=-1).min(axis=2)
    near = (distance_m < FAR_M).any(axis=0)  # False of what is not known
    return np.where(near[:, None, None], verts_world, np.nan)[:, faces]


def _reflectance(sequence: HandSequence, observations: Observations, skin: Float[Tensor, "3"]) -> Tensor:
    """Of all things: as much brighter than skin as their pixels are brighter than the hands'.

    Both are lit alike on the whole. Where things are several, it is a mean of theirs.
    """
    views = [key for key in sequence.objects if key in sequence.images and not sequence.cameras[key[1]].grey]
    colours = [sequence.images[key]()[sequence.objects[key]()] for key in spread(views, PICTURES)]
    shown = torch.as_tensor(np.concatenate([*colours, np.zeros((0, 3), np.float32)]))
    of_hands = (observations.hand_share > 0.99) & observations.measured & ~observations.grey_pixel
    if not len(shown) or not bool(of_hands.any()):
        return torch.full((3,), UNTOLD)
    ratio = shown.mean(dim=0) / observations.target[of_hands].mean(dim=0).cpu().clamp(min=LEAST)
    return (ratio * skin.cpu()).clamp(LEAST, MOST)


def coarse(mesh: TriangleMesh, most_faces: int) -> TriangleMesh:
    """At most so many triangles: vertices of a cell of a grid become one, in cells as small as will do."""
    verts, faces = mesh
    cell_m = CELL_M
    while len(faces) > most_faces:
        _, joined = np.unique(np.floor(mesh[0] / cell_m), axis=0, return_inverse=True)
        joined = joined.ravel()
        count = np.bincount(joined)
        verts = np.stack([np.bincount(joined, axis) / count for axis in mesh[0].T], axis=1)
        faces = joined[mesh[1]]
        faces = faces[(faces != np.roll(faces, 1, axis=1)).all(axis=1)]
        cell_m *= COARSER
    return verts, faces

"""Rigid things in or beside the hands: their shapes, and where they are at every frame. Metres."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TypeVar

import numpy as np
from jaxtyping import Bool, Float, Int

from handrefine.camera import Camera
from handrefine.rasterise import rasterise

#: Vertices in the thing's own frame, and triangles.
TriangleMesh = tuple[Float[np.ndarray, "_vertex 3"], Int[np.ndarray, "_face 3"]]
#: Position of a frame, and a camera's name.
View = TypeVar("View", bound=tuple[int, str])


@dataclass(frozen=True, eq=False)
class Thing:
    """A thing whose mesh and poses a dataset gives: `x_world = R_world_thing @ x_thing + t_world_thing_m`.

    mesh: reads it; raises InputError where its file is damaged.
    R_world_thing, t_world_thing_m: at every frame of the sequence; NaN where nobody says where the thing is.
    """

    name: str
    mesh: Callable[[], TriangleMesh]
    R_world_thing: Float[np.ndarray, "frame 3 3"]
    t_world_thing_m: Float[np.ndarray, "frame 3"]

    @property
    def known(self) -> Bool[np.ndarray, " frame"]:
        """At which frames it is known where the thing is."""
        return np.asarray(np.isfinite(self.t_world_thing_m).all(axis=1))

    def at(self, indices: Sequence[int]) -> "Thing":
        """The thing at some of the frames."""
        rows = list(indices)
        return replace(self, R_world_thing=self.R_world_thing[rows], t_world_thing_m=self.t_world_thing_m[rows])

    def verts_world(self, index: int) -> Float[np.ndarray, "vertex 3"]:
        """At the frame in that position; NaN where nobody says where the thing is."""
        return self.mesh()[0] @ self.R_world_thing[index].T + self.t_world_thing_m[index]


def regions_of(
    things: Sequence[Thing],
    views: Iterable[View],
    cameras: Mapping[str, Camera],
    frames: Sequence[int],
) -> dict[View, Callable[[], Bool[np.ndarray, "height width"]]]:
    """Readers of `region_of` for the views at whose frames a thing is known.

    Args:
        frames: the dataset's numbers by which moving cameras tell where they are.
    """
    known = {index: [t for t in things if t.known[index]] for index in range(len(frames))}
    return {
        view: partial(region_of, known[view[0]], view[0], cameras[view[1]].at(frames[view[0]]))
        for view in views
        if known[view[0]]
    }


def region_of(things: Sequence[Thing], index: int, camera: Camera) -> Bool[np.ndarray, "height width"]:
    """The pixels that things would cover if nothing stood before them.

    Args:
        camera: as it stands at the frame in that position.
    """
    region = np.zeros(camera.height * camera.width, bool)
    for thing in things:
        corners_px = camera.pixels(thing.verts_world(index))[thing.mesh()[1]]
        region[rasterise(corners_px, camera.height, camera.width).pixel] = True
    return region.reshape(camera.height, camera.width)

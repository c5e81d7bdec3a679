"""What the images of a running refinement are cropped and labelled around: hands and cameras as they were then."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from handrefine.camera import Camera, CameraPath
from handrefine.hand.model import HandGeometry
from handrefine.lens import Lens
from handrefine.state import State


@dataclass(frozen=True, eq=False)
class Around:
    """Enough to crop and label the images once more, so that a checkpoint need not hold their pixels.

    hands: each at all frames of the video, NaN where it is missing; in the memory of the CPU.
    cameras: as they are calibrated; turned: with the small rotations that had been found. Both by name.
    """

    hands: Sequence[HandGeometry]
    cameras: Mapping[str, Camera]
    turned: Mapping[str, Camera]

    def state(self) -> State:
        hands = [{"verts_world": of.verts_world, "joints_world": of.joints_world} for of in self.hands]
        return {"hands": hands, "cameras": _states(self.cameras), "turned": _states(self.turned)}

    @staticmethod
    def from_state(state: State) -> "Around":
        hands = [HandGeometry(of["verts_world"], of["joints_world"]) for of in state["hands"]]
        return Around(hands, _cameras(state["cameras"]), _cameras(state["turned"]))


def _states(cameras: Mapping[str, Camera]) -> list[State]:
    def parts(of: Lens | CameraPath | None) -> State | None:
        return None if of is None else vars(of)

    return [{**vars(of), "lens": parts(of.lens), "path": parts(of.path)} for of in cameras.values()]


def _cameras(states: Sequence[State]) -> dict[str, Camera]:
    found = {}
    for of in states:
        lens, path = of["lens"], of["path"]
        if lens is not None:
            lens = Lens(lens["model"], tuple(lens["coefficients"]))
        if path is not None:
            path = CameraPath(**{**path, "frames": tuple(path["frames"])})
        found[of["name"]] = Camera(**{**of, "lens": lens, "path": path})
    return found

"""What hands that roughly fit the images say of a view: who is in front where, and where forearms may be."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int, Int8

from handrefine import regions
from handrefine.preprocess.masks.arms import Direction, SkinView, arm_directions, arm_regions
from handrefine.preprocess.masks.depth_map import Depth, depth_map
from handrefine.sequence import Camera

#: How far a hand that roughly fits may still be off, metres.
TOLERANCE_M = 0.005

Region = Bool[np.ndarray, "height width"]


@dataclass(frozen=True, eq=False)
class FittedView:
    """One view of the fitted hands; all maps at the image's own resolution.

    front: the hand whose surface, up to its wrist, is nearest to the camera, -1 where there is none.
    arm: where forearms may be seen: skin there may be any. cuff: around wrists that sleeves may hide.
    tolerance_px: what the hands may be off.
    """

    front: Int8[np.ndarray, "height width"]
    arm: Region
    cuff: Region
    tolerance_px: float

    def owners(self, skin: Region) -> Int8[np.ndarray, "height width"]:
        """The hand whose skin a pixel certainly shows, -1 elsewhere: the other is seen nowhere near."""
        owner = np.full(skin.shape, -1, np.int8)
        hands = [int(k) for k in np.unique(self.front[self.front >= 0])]
        away_px = {k: regions.distance_px(self.front == k) for k in hands}
        for k in hands:
            others = [away_px[j] > 2 * self.tolerance_px for j in hands if j != k]
            owner[np.logical_and.reduce([skin, away_px[k] <= self.tolerance_px, *others])] = k
        return owner


@dataclass(frozen=True, eq=False)
class FittedHands:
    """The hands of one frame, by their index among all.

    verts_world, joints_world: metres. faces: of every hand, up to its wrist.
    """

    verts_world: Mapping[int, Float[np.ndarray, "vertex 3"]]
    joints_world: Mapping[int, Float[np.ndarray, "21 3"]]
    faces: Mapping[int, Int[np.ndarray, "face 3"]]

    def surfaces(self, camera: Camera) -> tuple[Int8[np.ndarray, "height width"], Depth]:
        """The nearest hand of every pixel, and its depth, infinite where there is none."""
        front = np.full((camera.height, camera.width), -1, np.int8)
        nearest = np.full(front.shape, np.inf, np.float32)
        for hand, verts in self.verts_world.items():
            depth = depth_map(verts, self.faces[hand], camera)
            closer = depth < nearest
            front[closer], nearest[closer] = hand, depth[closer]
        return front, nearest

    def arms(self, views: Sequence[tuple[Camera, Int8[np.ndarray, "_ _"]]]) -> dict[int, list[Direction]]:
        """In which directions every hand's forearm may go, by what all views call skin."""
        seen = [SkinView(camera, skin, self.surfaces(camera)[1]) for camera, skin in views]
        return {hand: arm_directions(joints, seen) for hand, joints in self.joints_world.items()}

    def view(
        self,
        camera: Camera,
        skin: Int8[np.ndarray, "height width"] | None,
        arms: Mapping[int, Sequence[Direction]],
    ) -> FittedView:
        """What the hands say of one view.

        camera: of a window at the image's own resolution. skin: what is skin in it; None where nothing tells.
        """
        front, depth_m = self.surfaces(camera)
        seen = SkinView(camera, np.full(front.shape, -1, np.int8) if skin is None else skin, depth_m)
        arm, cuff = np.zeros(front.shape, bool), np.zeros(front.shape, bool)
        for hand, directions in arms.items():
            may_be, around_wrist = arm_regions(self.joints_world[hand], directions, seen)
            arm |= may_be
            cuff |= around_wrist
        usual_m = float(np.median(depth_m[front >= 0])) if (front >= 0).any() else 1.0
        return FittedView(front, arm, cuff, TOLERANCE_M * camera.fx / usual_m)

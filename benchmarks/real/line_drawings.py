"""Held-out views as line drawings: outlines of mask and hands on a plain ground, and nothing of a photograph."""

from collections.abc import Sequence
from typing import Literal

import cv2
import numpy as np
from jaxtyping import Bool, Float, Int, UInt8

from handrefine.preprocess.masks.depth_map import depth_map
from handrefine.runs.result import HandResult
from handrefine.sequence import Camera, FrameId, FrameIndex, HandSequence

Region = Bool[np.ndarray, "height width"]
Drawing = UInt8[np.ndarray, "_ _ 3"]
Moment = Literal["before", "after"]

#: Longest side of a panel, width of its lines, height of its caption, and the gap between panels, in pixels.
PANEL_PX, LINE_PX, CAPTION_PX, GAP_PX = 480, 2, 28, 8
#: Free space around the hands, as a share of their longest side.
MARGIN = 0.1
GROUND, MASK, MASK_LINE = (255, 255, 255), (226, 226, 226), (110, 110, 110)
INK: dict[Moment, tuple[int, int, int]] = {"before": (205, 60, 35), "after": (0, 120, 70)}


def view_drawings(hands: Sequence[HandResult], video: HandSequence) -> list[Drawing]:
    """Of every view of the video that shows a hand: the outlines before on the left, after on the right.

    The mask is grey where there is one, the hands' outlines are lines. Reads masks, but no image.
    """
    drawings = []
    for k, frame in enumerate(video.frames):
        here = [hand for hand in hands if frame in hand.frames]
        for name, camera in video.cameras.items():
            key = FrameIndex(k), name
            regions: dict[Moment, list[Region]] = {
                moment: [_silhouette(hand, frame, moment, camera.at(frame)) for hand in here] for moment in INK
            }
            if key not in video.images or not any(region.any() for of in regions.values() for region in of):
                continue
            mask = (
                video.masks[key]() if key in video.masks else np.zeros((camera.height, camera.width), dtype=bool)
            )
            drawings.append(_side_by_side(mask, regions, f"camera {name}, frame {frame}"))
    return drawings


def silhouette(
    verts_world: Float[np.ndarray, "vertex 3"], faces: Int[np.ndarray, "face 3"], camera: Camera
) -> Region:
    """The pixels that a mesh covers; triangles that reach behind the camera are left out."""
    return np.isfinite(depth_map(verts_world, faces, camera))


def _silhouette(hand: HandResult, frame: FrameId, moment: Moment, camera: Camera) -> Region:
    state = hand.before if moment == "before" else hand.after
    return silhouette(state.verts_world[hand.frames.index(frame)], hand.topology.faces, camera)


def _side_by_side(mask: Region, regions: dict[Moment, list[Region]], title: str) -> Drawing:
    rows, columns = _box(np.any([region for of in regions.values() for region in of], axis=0))
    panels = []
    for moment, ink in INK.items():
        panel = _panel(mask[rows, columns], [region[rows, columns] for region in regions[moment]], ink)
        strip = np.full((CAPTION_PX, panel.shape[1], 3), GROUND, dtype=np.uint8)
        place = 4, CAPTION_PX - 9
        cv2.putText(strip, f"{title}, {moment}", place, cv2.FONT_HERSHEY_SIMPLEX, 0.5, ink, 1, cv2.LINE_AA)
        panels.append(np.concatenate([strip, panel]))
    gap = np.full((len(panels[0]), GAP_PX, 3), GROUND, dtype=np.uint8)
    return np.concatenate([panels[0], gap, panels[1]], axis=1)


def _box(region: Region) -> tuple[slice, slice]:
    """Rows and columns of a region with its margin, within the image."""
    sides = [np.flatnonzero(region.any(axis=axis)) for axis in (1, 0)]
    margin = round(MARGIN * max(side[-1] - side[0] for side in sides)) + 1
    rows, columns = (slice(max(0, side[0] - margin), side[-1] + 1 + margin) for side in sides)
    return rows, columns


def _panel(mask: Region, regions: Sequence[Region], ink: tuple[int, int, int]) -> Drawing:
    scale = PANEL_PX / max(mask.shape)
    size = round(mask.shape[1] * scale), round(mask.shape[0] * scale)
    drawing = np.full((size[1], size[0], 3), GROUND, dtype=np.uint8)
    for region, line, filling in ((mask, MASK_LINE, MASK), *((region, ink, None) for region in regions)):
        enlarged = (cv2.resize(region.astype(np.float32), size, interpolation=cv2.INTER_LINEAR) > 0.5).astype(
            np.uint8
        )
        if filling is not None:
            drawing[enlarged > 0] = filling
        lines, _ = cv2.findContours(enlarged, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
        cv2.drawContours(drawing, lines, -1, line, LINE_PX, cv2.LINE_AA)
    return drawing

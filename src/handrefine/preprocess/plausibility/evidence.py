"""What some images of a video say of where hands are, and what the annotation says of it."""

import hashlib
import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Bool, Float

from handrefine.colour import linear_to_srgb8
from handrefine.errors import InputError
from handrefine.sequence import Camera, FrameId, HandSequence, ViewKey

log = logging.getLogger(__name__)
#: Images that are looked at: so many, or so many pixels where images are small.
MOST_VIEWS, MOST_PIXELS = 48, 3 * 10**7
#: Of 8-bit levels: what is as good as black, and what is certainly not.
BLACK, SOMETHING = 8, 16
#: Projections further away than this do not fit the whole numbers of a picture.
FAR_PX = 2**20
#: Share of a picture that must be black for the rest to be the hands'.
OVER_BLACK = 0.5

Points = Float[np.ndarray, "point 3"]
Region = Bool[np.ndarray, "height width"]


@dataclass(frozen=True, eq=False)
class SeenView:
    """One image that was looked at.

    points_world: vertices of all annotated hands at its frame, metres.
    levels: darkest and brightest 8-bit level, and the mean; around the hand, where it is in the image at all.
    region: where hands are, by the given mask or before a black background; None where neither tells.
    masked: the region is a given mask.
    digest: of the pixels.
    """

    frame: FrameId
    camera: Camera
    points_world: Points
    levels: tuple[int, int, float]
    region: Region | None
    masked: bool
    digest: bytes

    @property
    def area(self) -> float:
        """Share of the picture that the region covers; NaN without one."""
        return float("nan") if self.region is None else float(self.region.mean())


def look(sequence: HandSequence, verts_world: Sequence[Float[np.ndarray, "frame vertex 3"]]) -> list[SeenView]:
    """The images of some frames, evenly spaced; verts_world: of every hand at all frames, NaN where it is missing.

    Raises:
        InputError: an image is broken, or has another size than its camera; tells all that are.
    """
    views, faults = [], []
    for key in _some_views(sequence):
        try:
            views.append(_seen(sequence, key, verts_world))
        except InputError as error:
            faults.append(error)
    if len(faults) == 1:
        raise faults[0]
    if faults:
        listed = "".join(f"\n    {fault.what}: {fault.where} ({fault.found})" for fault in faults[:8])
        more = f"\n    and {len(faults) - 8} more" if len(faults) > 8 else ""
        raise InputError(
            f"{len(faults)} images or masks cannot be used",
            where=sequence.name,
            expected=faults[0].expected,
            found=listed + more,
            fix=faults[0].fix,
        )
    return views


def projected(points_world: Points, camera: Camera) -> Float[np.ndarray, "point 2"]:
    """Pixel coordinates; NaN behind the camera."""
    return camera.pixels(points_world)


def share_inside(points_world: Points, camera: Camera) -> float:
    """Share of points that lie in the camera's picture."""
    return float(_inside(projected(points_world, camera), camera).mean())


def overlap(points_world: Points, camera: Camera, region: Region) -> tuple[float, float]:
    """Share of the points that lie in a region of the picture (those outside of it do not), and share of the
    region that lies within the points' convex hull."""
    uv_px = projected(points_world, camera)
    inside = _inside(uv_px, camera)
    if not inside.any() or not np.isfinite(uv_px).all() or np.abs(uv_px).max() > FAR_PX:
        return 0.0, 0.0
    columns, rows = uv_px[inside].astype(int).T
    hull = np.zeros(region.shape, np.uint8)
    cv2.fillConvexPoly(hull, cv2.convexHull(uv_px.astype(np.int32)), 1)
    covered = float(region[hull > 0].sum() / max(1, region.sum()))
    return float(region[rows, columns].sum() / len(points_world)), covered


def distance_px(points_world: Points, camera: Camera, region: Region) -> float:
    """Between the middle of the points and that of the region; infinite where one of them has none."""
    uv_px = projected(points_world, camera)
    seen = uv_px[np.isfinite(uv_px).all(axis=1)]
    rows, columns = np.nonzero(region)
    if not len(rows) or len(seen) < len(uv_px) / 2:
        return float("inf")
    middle = np.median(np.stack([columns, rows], axis=1) + 0.5, axis=0)
    return float(np.linalg.norm(np.median(seen, axis=0) - middle))


def _inside(uv_px: Float[np.ndarray, "point 2"], camera: Camera) -> Bool[np.ndarray, " point"]:
    with np.errstate(invalid="ignore"):
        within = (uv_px >= 0) & (uv_px < [camera.width, camera.height])
    return np.asarray(within.all(axis=1))


def _some_views(sequence: HandSequence) -> Iterator[ViewKey]:
    """All cameras at as many frames, evenly spaced, as may be looked at."""
    pixels = sum(camera.width * camera.height for camera in sequence.cameras.values())
    frames = max(1, MOST_VIEWS // max(1, len(sequence.cameras)), MOST_PIXELS // max(1, pixels))
    positions = sequence.positions
    chosen = sorted({positions[int(k)] for k in np.linspace(0, len(positions) - 1, min(frames, len(positions)))})
    for position in chosen:
        yield from ((position, name) for name in sequence.cameras if (position, name) in sequence.images)


def _seen(
    sequence: HandSequence, key: ViewKey, verts_world: Sequence[Float[np.ndarray, "frame vertex 3"]]
) -> SeenView:
    position, name = key
    camera = sequence.cameras[name].at(sequence.frames[position])
    points = np.concatenate([verts[position] for verts in verts_world]).astype(np.float64)
    points = points[np.isfinite(points).all(axis=1)]
    picture = linear_to_srgb8(sequence.images[key]())
    region, masked = None, key in sequence.masks
    if masked:
        region = sequence.masks[key]()
    elif (picture.max(axis=2) < BLACK).mean() > OVER_BLACK and picture.max() >= SOMETHING:
        region = picture.max(axis=2) >= SOMETHING
    around = _window(projected(points, camera), picture)
    levels = int(around.min()), int(around.max()), float(around.mean())
    digest = hashlib.blake2b(picture.tobytes(), digest_size=16).digest()
    return SeenView(sequence.frames[position], camera, points, levels, region, masked, digest)


def _window(uv_px: Float[np.ndarray, "point 2"], picture: np.ndarray) -> np.ndarray:
    """The part of a picture around some points; all of it where they lie outside."""
    uv_px = uv_px[np.isfinite(uv_px).all(axis=1)]
    if not len(uv_px):
        return picture
    size = np.array(picture.shape[1::-1])
    low, high = (np.clip(of, 0, size).astype(int) for of in (uv_px.min(axis=0) - 2, uv_px.max(axis=0) + 3))
    window = picture[low[1] : high[1], low[0] : high[0]]
    return window if min(window.shape[:2]) >= 4 else picture


def by_camera(views: Sequence[SeenView]) -> Mapping[str, list[SeenView]]:
    """The views of every camera."""
    grouped: dict[str, list[SeenView]] = {}
    for view in views:
        grouped.setdefault(view.camera.name, []).append(view)
    return grouped

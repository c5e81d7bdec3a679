"""Whether cameras and annotated hands belong together, and which mistake explains it where they do not."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float

from handrefine.findings import Finding, some
from handrefine.preprocess.plausibility.evidence import (
    Region,
    SeenView,
    by_camera,
    distance_px,
    overlap,
    share_inside,
)
from handrefine.sequence import Camera

#: Below this share of a hand in its region, hand and picture do not belong together; below the other, an
#: explanation is looked for.
DOUBTFUL, IMPERFECT = 0.4, 0.85
#: It is one where hand and region then cover each other so much better and the hand lies in the region so well; or
#: fairly well, where hand and picture do not belong together otherwise.
COVERS_MORE, LIES_IN, LIES_FAIRLY_IN = 0.2, 0.8, 0.6
#: A hand that lies in its region is looked at again where they cover each other so little: a forearm or another
#: hand may be in the region, too, or the scale is wrong.
COVERED = 0.6
#: Less is no overlap at all.
NOTHING = 0.15

#: No hand is so near to a camera, or so far from it.
NEAREST_M, FURTHEST_M = 0.03, 30.0
#: So far from the world's origin, single precision has steps of a hundredth of a millimetre; or of millimetres.
FAR_M, TOO_FAR_M = 100.0, 1e4

CameraChange = Callable[[Camera], Camera]
RegionChange = Callable[[Region], Region]
_OPENGL = np.diag([1.0, -1.0, -1.0])


def _moved(R: Callable[[Camera], np.ndarray], t: Callable[[Camera], np.ndarray]) -> CameraChange:
    return lambda camera: replace(camera, R_cam_world=R(camera), t_cam_world=t(camera))


def _scaled(factor: float) -> CameraChange:
    return _moved(lambda c: c.R_cam_world, lambda c: factor * c.t_cam_world)


def _zoomed(factor: float, centre: float) -> CameraChange:
    return lambda c: replace(c, fx=c.fx * factor, fy=c.fy * factor, cx=c.cx * centre, cy=c.cy * centre)


#: Mistakes in calibrations, as what would mend them.
CONVENTIONS: Mapping[str, CameraChange] = {
    "with transposed rotations": _moved(lambda c: c.R_cam_world.T, lambda c: -c.R_cam_world.T @ c.center_world),
    "with transposed rotations, translations as they are": _moved(
        lambda c: c.R_cam_world.T, lambda c: c.t_cam_world
    ),
    "with the inverse transforms (from camera to world)": _moved(
        lambda c: c.R_cam_world.T, lambda c: c.center_world
    ),
    "with positions in the place of translations": _moved(
        lambda c: c.R_cam_world, lambda c: -c.R_cam_world @ c.t_cam_world
    ),
    "with translations in the place of positions": _moved(lambda c: c.R_cam_world, lambda c: c.center_world),
    "with OpenGL's camera axes (y up, z backward)": _moved(
        lambda c: _OPENGL @ c.R_cam_world, lambda c: _OPENGL @ c.t_cam_world
    ),
    "with cx and cy exchanged": lambda c: replace(c, cx=c.cy, cy=c.cx),
    "with fx and fy exchanged": lambda c: replace(c, fx=c.fy, fy=c.fx),
}
#: Mistakes in units and sizes; only where it is known how large the hand is in a picture.
SCALES: Mapping[str, CameraChange] = {
    **{
        f"with the cameras' positions times {factor:g}": _scaled(factor)
        for factor in (1e-3, 1e-2, 0.1, 10.0, 100.0, 1e3)
    },
    **{f"with fx, fy, cx, cy times {factor:g}": _zoomed(factor, factor) for factor in (0.25, 0.5, 2.0, 4.0)},
    **{f"with fx and fy times {factor:g}": _zoomed(factor, 1.0) for factor in (0.25, 0.5, 2.0, 4.0)},
}
#: Mistakes in pictures or masks.
MIRRORED: Mapping[str, RegionChange] = {
    "with the pictures mirrored left to right": lambda region: region[:, ::-1],
    "with the pictures upside down": lambda region: region[::-1],
    "with the pictures turned by 180 degrees": lambda region: region[::-1, ::-1],
}
INVERTED = "with black and white of the masks exchanged"


@dataclass(frozen=True)
class Agreement:
    """Of some views.

    share: of the hand that lies on its region, less what chance would give; or in the picture, where no region is
        known.
    cover: how well hand and region cover each other, F = 2 p r / (p + r).
    distance_px: between the middles of hand and region; NaN without regions.
    """

    share: float
    cover: float
    distance_px: float


def agreement(
    views: Sequence[SeenView], camera: CameraChange | None = None, region: RegionChange | None = None
) -> Agreement:
    """How well hands and pictures meet, if the cameras or the regions were others."""
    shares, covers, distances = [], [], []
    for view in views:
        at = view.camera if camera is None else camera(view.camera)
        if view.region is None:
            shares.append(share_inside(view.points_world, at))
            covers.append(shares[-1])
            continue
        where = view.region if region is None else region(view.region)
        by_chance = float(where.mean())
        on, covered = overlap(view.points_world, at, where)
        shares.append(max((on - by_chance) / max(1 - by_chance, 0.05), -1.0))
        covers.append(2 * on * covered / max(on + covered, 1e-6) if shares[-1] > 0 else 0.0)
        distances.append(distance_px(view.points_world, at, where))
    apart = float(np.median(distances)) if distances else float("nan")
    return Agreement(float(np.mean(shares)), float(np.mean(covers)), apart)


def odd_cameras(views: Sequence[SeenView]) -> Iterator[Finding]:
    """Hands that do not lie where pictures show them, in all cameras or in some; with what would explain it."""
    told = [view for view in views if len(view.points_world) and _can_tell(view)]
    if not told:
        return
    finding = _explained(told)
    if finding is not None:
        yield finding
        return
    for name, own in by_camera(told).items():
        others = [view for view in told if view.camera.name != name]
        if others and (found := _explained(own, _of_others(own[0].camera, others))) is not None:
            yield replace(found, level="warning", where=f"camera {name}")


def _of_others(camera: Camera, others: Sequence[SeenView]) -> dict[str, CameraChange]:
    """Other cameras' calibrations in the place of a camera's own."""
    rest = {view.camera.name: view.camera for view in others}
    return {
        f"with the calibration of camera {name}": lambda _, other=other: other
        for name, other in rest.items()
        if (other.width, other.height) == (camera.width, camera.height)
    }


def _can_tell(view: SeenView) -> bool:
    """An empty region, or one that is everywhere, is told of elsewhere."""
    return view.region is None or 0.0005 < view.area < 0.97


def _explained(views: Sequence[SeenView], others: Mapping[str, CameraChange] | None = None) -> Finding | None:
    """others: further changes of the cameras that may explain."""
    now = agreement(views)
    by_region = all(view.region is not None for view in views)
    if now.share > IMPERFECT:
        return _of_another_scale(views, now) if by_region and now.cover < COVERED else None
    then, explanation = _explanation(
        views, now, {**CONVENTIONS, **(SCALES if by_region else {}), **(others or {})}
    )
    if explanation is None and now.share > DOUBTFUL:
        return None
    masked = any(view.masked for view in views)
    what = (
        "masks and the projected hand do not meet"
        if masked
        else "the projected hand is not where pictures show it"
    )
    if not by_region:
        what = "the annotated hand is not in the pictures"
    if explanation == INVERTED:
        what = "most of the hand lies outside its mask: is white the hand?"
    found, fix = _told(now), "check that cameras, annotation, masks and frames belong together"
    if explanation is not None:
        found += f"; {explanation} {_told(then)}"
        fix = f"{explanation} they would fit"
    sure = now.share < NOTHING or (explanation is not None and now.share < DOUBTFUL)
    return Finding("error" if sure else "warning", what, None, found, fix)


def _of_another_scale(views: Sequence[SeenView], now: Agreement) -> Finding | None:
    """For hands that lie in their regions and cover little of them."""
    then, name = max(((agreement(views, camera=change), name) for name, change in SCALES.items()), key=_cover)
    if then.share < IMPERFECT or then.cover < now.cover + COVERS_MORE:
        return None
    found = f"they cover each other by {100 * now.cover:.0f} %, {name} by {100 * then.cover:.0f} %"
    return Finding("warning", "the projected hand is smaller than pictures show it", None, found, f"{name}?")


def _cover(of: tuple[Agreement, str]) -> float:
    return of[0].cover


def _explanation(
    views: Sequence[SeenView], now: Agreement, changes: Mapping[str, CameraChange]
) -> tuple[Agreement, str | None]:
    """The mistake that explains best why hand and pictures do not meet, if one does."""
    enough = LIES_IN if now.share > DOUBTFUL else LIES_FAIRLY_IN
    best, explanation = now, None
    for name, camera in changes.items():
        then = agreement(views, camera=camera)
        if then.cover > best.cover + 0.02:
            best, explanation = then, name
    regions: dict[str, RegionChange] = {}
    if all(view.region is not None for view in views):
        regions = {**MIRRORED, **({INVERTED: np.logical_not} if any(view.masked for view in views) else {})}
    for name, region in regions.items():
        then = agreement(views, region=region)
        if then.cover > best.cover + 0.02 or (name == INVERTED and then.share > enough and now.share < 0):
            best, explanation = then, name
    explains = best.cover > now.cover + COVERS_MORE and best.share > max(enough, now.share)
    if explanation == INVERTED and best.share > enough:
        explains = True
    return best, explanation if explains else None


def _told(of: Agreement) -> str:
    share = f"{100 * max(of.share, 0):.0f} % of the hand agree"
    if np.isnan(of.distance_px):
        return share
    apart = f"{of.distance_px:.0f} px apart" if np.isfinite(of.distance_px) else "the hand behind the cameras"
    return f"{apart}, {share}"


def hands_in_view(
    cameras: Mapping[str, Camera],
    frames: Sequence[int],
    joints_world: Float[np.ndarray, "frame 21 3"],
    pictures: set[tuple[int, str]],
) -> Iterator[Finding]:
    """Frames at which no camera has the hand in its picture, cameras that never have, and hands out of all reach.

    pictures: (position, camera) of the images that are there.
    """
    there = [k for k in range(len(frames)) if np.isfinite(joints_world[k]).all()]
    inside = {
        (k, name): share_inside(joints_world[k], camera.at(frames[k]))
        for name, camera in cameras.items()
        for k in there
        if (k, name) in pictures
    }
    unseen = [
        frames[k] for k in there if max((s for (at, _), s in inside.items() if at == k), default=0.0) < NOTHING
    ]
    if there and len(unseen) == len(there):
        yield Finding(
            "error", "no camera sees the annotated hand", None, "its projection lies outside every picture"
        )
    elif unseen:
        yield Finding("warning", "no camera sees the annotated hand at some frames", f"frames {some(unseen)}")
    blind = [n for n in cameras if max((s for (_, at), s in inside.items() if at == n), default=1.0) < NOTHING]
    if blind and len(unseen) < len(there):
        level = "warning" if len(blind) > len(cameras) / 4 else "note"
        found = f"{len(blind)} of {len(cameras)}"
        yield Finding(level, "cameras never have the hand in their pictures", f"cameras {some(blind)}", found)
    apart = [
        np.linalg.norm(joints_world[k].mean(axis=0) - c.at(frames[k]).center_world)
        for c in cameras.values()
        for k in there
    ]
    if apart and not NEAREST_M < float(np.median(apart)) < FURTHEST_M:
        found = f"{float(np.median(apart)):.3g} m"
        yield Finding(
            "error",
            "cameras and hand are apart as no rig is",
            None,
            found,
            "millimetres for metres, or the reverse?",
        )
    away = float(np.abs(joints_world[there]).max()) if there else 0.0
    if away > FAR_M:
        level, fix = "error" if away > TOO_FAR_M else "warning", "move the world's origin near the hand"
        yield Finding(
            level, "the hand is far from the world's origin, which costs precision", None, f"{away:.3g} m", fix
        )


def odd_rig(cameras: Mapping[str, Camera]) -> Iterator[Finding]:
    """Cameras that stand at the same place and look the same way."""
    names, same = list(cameras), []
    for k, first in enumerate(names):
        for second in names[k + 1 :]:
            a, b = cameras[first], cameras[second]
            still = np.abs(a.center_world - b.center_world).max() < 1e-6
            if still and np.abs(a.R_cam_world - b.R_cam_world).max() < 1e-6:
                same.append(f"{first} and {second}")
    if same:
        yield Finding("warning", "cameras have the same calibration", None, some(same, 4), "has one been copied?")

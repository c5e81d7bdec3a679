"""Pictures that show nothing, or the same as others."""

from collections import Counter
from collections.abc import Iterator, Sequence

import numpy as np

from handrefine.findings import Finding, some
from handrefine.preprocess.plausibility.evidence import BLACK, SeenView, by_camera, share_inside
from handrefine.sequence import Camera

#: A picture whose levels differ by less shows nothing.
FLAT = 6
WHITE = 247
#: A hand that has moved so far looks different.
MOVES_M = 0.005
#: ... where so much of it is in the picture.
LEAST_INSIDE = 0.5
#: A sharp change of a principal point's place, as a share of the picture: another size's calibration.
OFF_CENTRE, SAME = 0.75, 0.12


def odd_pictures(views: Sequence[SeenView]) -> Iterator[Finding]:
    """Black, white and uniform pictures; pictures that are there twice."""
    flat: dict[str, list[SeenView]] = {}
    for view in views:
        darkest, brightest, mean = view.levels
        over_black = view.region is not None and not view.masked
        if brightest - darkest < FLAT and not over_black:
            kind = "black" if mean < BLACK else "white" if mean > WHITE else "of one colour"
            flat.setdefault(kind, []).append(view)
    for kind, of in flat.items():
        everywhere = len(of) == len(views)
        yield Finding(
            "error" if everywhere else "warning",
            f"pictures are {kind} where the hand should be",
            _names(of),
            f"{len(of)} of the {len(views)} that were looked at",
            "look at them: a lens cap, a dead camera, a failed conversion?",
        )
    nothing = {id(view) for of in flat.values() for view in of}
    yield from _twice([view for view in views if id(view) not in nothing])


def _names(views: Sequence[SeenView]) -> str:
    counts = {name: some((v.frame for v in of), 3) for name, of in by_camera(views).items()}
    return some((f"camera {name} (frames {frames})" for name, frames in counts.items()), 4)


def _twice(views: Sequence[SeenView]) -> Iterator[Finding]:
    groups = _by_digest(views)
    pairs = Counter(
        tuple(sorted({view.camera.name for view in of}))
        for of in groups.values()
        if len({v.camera.name for v in of}) > 1
    )
    for names, count in pairs.items():
        found = f"{count} times among the pictures that were looked at"
        yield Finding(
            "warning", f"cameras {some(names)} show the same picture", None, found, "use one of them only"
        )
    for name, of in by_camera(views).items():
        if frozen := [view.frame for group in _by_digest(of).values() if _should_differ(group) for view in group]:
            everywhere = len(frozen) == len(of)
            when = "all frames" if everywhere else f"frames {some(sorted(frozen))}"
            yield Finding(
                "warning",
                f"the pictures of a camera are the same at {when} while the hand moves",
                f"camera {name}",
                None,
                "leave it out: --cameras" if everywhere else "leave it or these frames out: --cameras, --frames",
            )


def _by_digest(views: Sequence[SeenView]) -> dict[bytes, list[SeenView]]:
    groups: dict[bytes, list[SeenView]] = {}
    for view in views:
        groups.setdefault(view.digest, []).append(view)
    return groups


def _should_differ(views: Sequence[SeenView]) -> bool:
    """Whether hands are in these pictures and some point of them moves, or their middle where others are there."""
    views = [view for view in views if len(view.points_world)]  # of others nothing is known
    if not views:
        return False
    same = len({len(view.points_world) for view in views}) == 1
    points = np.stack([v.points_world if same else v.points_world.mean(axis=0, keepdims=True) for v in views])
    moves = np.linalg.norm(np.ptp(points, axis=0), axis=1).max(initial=0.0) > MOVES_M
    return bool(moves) and min(share_inside(view.points_world, view.camera) for view in views) > LEAST_INSIDE


def odd_principal_points(cameras: Sequence[Camera]) -> Iterator[Finding]:
    """Principal points that lie outside of their pictures, or at another size's middle."""
    places = {c.name: (c.cx / c.width, c.cy / c.height) for c in cameras}
    outside = {name: p for name, p in places.items() if not all(0 <= share <= 1 for share in p)}
    scaled = {
        name: p
        for name, p in places.items()
        if abs(p[0] - p[1]) < SAME and (min(p) > OFF_CENTRE or max(p) < (1 - OFF_CENTRE))
    }
    swapped = [
        c.name
        for c in cameras
        if abs(c.cx / c.height - 0.5) < SAME / 2
        and abs(c.cy / c.width - 0.5) < SAME / 2
        and max(abs(c.cx / c.width - 0.5), abs(c.cy / c.height - 0.5)) > SAME
    ]
    by_name = {camera.name: camera for camera in cameras}
    if scaled:
        camera, factor = by_name[next(iter(scaled))], 2 * float(np.median([sum(p) / 2 for p in scaled.values()]))
        yield Finding(
            "error" if len(scaled) == len(cameras) and outside else "warning",
            f"the calibration seems to be of pictures {factor:.3g} times as large",
            f"cameras {some(scaled)}",
            f"principal point {_point(camera)} of camera {camera.name}",
            "scale fx, fy, cx, cy with the pictures",
        )
    elif swapped and len(swapped) == len(cameras):
        camera = by_name[swapped[0]]
        yield Finding(
            "warning",
            "principal points fit pictures with width and height exchanged",
            f"cameras {some(swapped)}",
            f"{_point(camera)} of camera {camera.name}",
            "are the pictures turned, or stored with an EXIF orientation?",
        )
    elif outside:
        camera = by_name[next(iter(outside))]
        yield Finding(
            "warning",
            "principal points lie outside of their pictures",
            f"cameras {some(outside)}",
            f"{_point(camera)} of camera {camera.name}",
            "is the calibration that of pictures of this size?",
        )


def _point(camera: Camera) -> str:
    return f"({camera.cx:.1f}, {camera.cy:.1f}) in {camera.width}x{camera.height} px"

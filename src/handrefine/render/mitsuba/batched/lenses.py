"""The lenses of all views' cameras, as kernels read them. Import after `start_mitsuba()`."""

# Mitsuba's type stubs mix up its own and Dr.Jit's array types.
# pyright: reportArgumentType=false, reportAttributeAccessIssue=false, reportCallIssue=false, reportOperatorIssue=false, reportReturnType=false

from collections.abc import Sequence
from dataclasses import dataclass

import drjit as dr
import mitsuba as mi
import numpy as np
from jaxtyping import Float
from scipy.ndimage import distance_transform_edt

from handrefine.lens import Lens
from handrefine.sequence import Camera

#: The inverse starts from a grid of so many points a side, and takes so many steps: each squares what is missing.
GRID, NEWTON_STEPS = 17, 3
#: Step of the differences that stand for derivatives, in the plane z = 1: what it leaves out, and float32's
#: rounding, are both below 1e-4 of the derivative.
DIFFERENCE = 1e-2
#: The inverse is believed where it misses its pixel by no more.
TOLERANCE_PX = 0.05
#: Columns of a view's row: fx fy cx cy; the image's size; OpenCV's 12 coefficients, or the fisheye's 4; whether it
#: is a fisheye; the tilted sensor's matrix; the square of the lens's reach; the window; the grid.
FOCAL, CENTRE, SIZE, COEFFICIENTS, IS_FISHEYE, TILT, REACH, LEAST, MOST, START = 0, 2, 4, 6, 18, 19, 28, 29, 31, 33
COLUMNS = START + 2 * GRID * GRID
#: A finite number for a lens without end.
FAR = 1e12


@dataclass
class _Model:
    """The lens of the camera of every lane; what no camera of the views has is None and costs nothing."""

    opencv: list | None
    tilt: list | None
    fisheye: list | None
    is_fisheye: "mi.Bool"

    def bent(self, p: "mi.Vector2f") -> "mi.Vector2f":
        """`Lens.distort`."""
        if self.opencv is None:
            return self._fisheye(p)
        straight = self._opencv(p)
        return straight if self.fisheye is None else dr.select(self.is_fisheye, self._fisheye(p), straight)

    def slopes(self, x: "mi.Vector2f") -> tuple["mi.Vector2f", "mi.Vector2f"]:
        """Columns of the Jacobian, by central differences."""
        steps = mi.Vector2f(DIFFERENCE, 0), mi.Vector2f(0, DIFFERENCE)
        along_x, along_y = ((self.bent(x + step) - self.bent(x - step)) / (2 * DIFFERENCE) for step in steps)
        return along_x, along_y

    def _opencv(self, p: "mi.Vector2f") -> "mi.Vector2f":
        k1, k2, p1, p2, k3, k4, k5, k6, s1, s2, s3, s4 = self.opencv or []
        x, y = p.x, p.y
        r2 = x * x + y * y
        radial = (1 + r2 * (k1 + r2 * (k2 + r2 * k3))) / (1 + r2 * (k4 + r2 * (k5 + r2 * k6)))
        u = x * radial + 2 * p1 * x * y + p2 * (r2 + 2 * x * x) + r2 * (s1 + s2 * r2)
        v = y * radial + p1 * (r2 + 2 * y * y) + 2 * p2 * x * y + r2 * (s3 + s4 * r2)
        if self.tilt is None:
            return mi.Vector2f(u, v)
        tilted = [dr.dot(row, mi.Vector3f(u, v, 1)) for row in self.tilt]
        return mi.Vector2f(tilted[0], tilted[1]) / tilted[2]

    def _fisheye(self, p: "mi.Vector2f") -> "mi.Vector2f":
        k1, k2, k3, k4 = self.fisheye or []
        r = dr.sqrt(dr.maximum(dr.squared_norm(p), 1e-12))
        theta = dr.atan(r)
        t2 = theta * theta
        return p * (theta * (1 + t2 * (k1 + t2 * (k2 + t2 * (k3 + t2 * k4)))) / r)


class Lenses:
    """Both ways between a camera's image and that of its pinhole: positions in pixels, not differentiable."""

    def __init__(self, cameras: Sequence[Camera]) -> None:
        lenses = [camera.lens for camera in cameras]
        self._any_fisheye = any(lens is not None and lens.model == "fisheye" for lens in lenses)
        self._any_opencv = any(lens is None or lens.model == "opencv" for lens in lenses)
        self._any_tilt = any(lens is not None and (lens.tilt != np.eye(3)).any() for lens in lenses)
        self._table = mi.Float(np.concatenate([_row(camera) for camera in cameras]).astype(np.float32))

    def distorted(self, view: "mi.UInt32", pinhole_px: "mi.Point2f") -> tuple["mi.Point2f", "mi.Float"]:
        """Where the camera shows what its pinhole shows at a position, and the determinant of the Jacobian there:
        0 outside the image, and beyond the lens's reach."""
        model, focal, centre = self._model(view), self._pair(view, FOCAL), self._pair(view, CENTRE)
        x = (mi.Vector2f(pinhole_px) - centre) / focal
        a, b = model.slopes(x)
        uv_px, size = model.bent(x) * focal + centre, self._pair(view, SIZE)
        shown = (dr.squared_norm(x) <= self._value(view, REACH)) & dr.all((uv_px >= 0) & (uv_px < size))
        return mi.Point2f(uv_px), dr.select(shown, dr.abs(a.x * b.y - b.x * a.y), 0)

    def undistorted(self, view: "mi.UInt32", uv_px: "mi.Point2f") -> tuple["mi.Point2f", "mi.Bool"]:
        """Where the pinhole shows what the camera shows at a position, and whether the lens reaches there."""
        model, focal, centre = self._model(view), self._pair(view, FOCAL), self._pair(view, CENTRE)
        wanted, x = (mi.Vector2f(uv_px) - centre) / focal, self._start(view, mi.Vector2f(uv_px))
        for _ in range(NEWTON_STEPS):
            missing = wanted - model.bent(x)
            a, b = model.slopes(x)
            determinant = a.x * b.y - b.x * a.y
            scale = dr.select(dr.abs(determinant) > 1e-6, 1 / determinant, 0)
            x += mi.Vector2f(b.y * missing.x - b.x * missing.y, a.x * missing.y - a.y * missing.x) * scale
        missing_px = (wanted - model.bent(x)) * focal
        near = dr.max(dr.abs(missing_px)) < TOLERANCE_PX
        return mi.Point2f(x * focal + centre), near & (dr.squared_norm(x) <= self._value(view, REACH))

    def window(self, view: "mi.UInt32") -> tuple[list["mi.Float"], list["mi.Float"]]:
        """Bounds of the image's undistorted positions: least and largest x and y."""
        return list(self._pair(view, LEAST)), list(self._pair(view, MOST))

    def _model(self, view: "mi.UInt32") -> _Model:
        def values(first: int, count: int) -> list:
            return [self._value(view, first + i) for i in range(count)]

        tilt = [mi.Vector3f(*values(TILT + 3 * r, 3)) for r in range(3)] if self._any_tilt else None
        return _Model(
            values(COEFFICIENTS, 12) if self._any_opencv else None,
            tilt,
            values(COEFFICIENTS, 4) if self._any_fisheye else None,
            self._value(view, IS_FISHEYE) > 0.5 if self._any_fisheye else mi.Bool(False),
        )

    def _value(self, view: "mi.UInt32", column: int) -> "mi.Float":
        return dr.gather(mi.Float, self._table, view * COLUMNS + column)

    def _pair(self, view: "mi.UInt32", column: int) -> "mi.Vector2f":
        return mi.Vector2f(self._value(view, column), self._value(view, column + 1))

    def _start(self, view: "mi.UInt32", uv_px: "mi.Vector2f") -> "mi.Vector2f":
        """The inverse between the points of the grid."""
        place = dr.clip(uv_px / self._pair(view, SIZE), 0, 1) * (GRID - 1)
        column, row = (dr.minimum(mi.UInt32(c), GRID - 2) for c in (place.x, place.y))
        share = place - mi.Vector2f(mi.Float(column), mi.Float(row))

        def at(dx: int, dy: int) -> "mi.Vector2f":
            index = view * COLUMNS + START + 2 * ((row + dy) * GRID + column + dx)
            return mi.Vector2f(
                dr.gather(mi.Float, self._table, index), dr.gather(mi.Float, self._table, index + 1)
            )

        upper, lower = (dr.lerp(at(0, dy), at(1, dy), share.x) for dy in (0, 1))
        return dr.lerp(upper, lower, share.y)


def _row(camera: Camera) -> Float[np.ndarray, " column"]:
    lens = camera.lens or Lens("opencv", (0.0,) * 4)
    grid = _grid(camera)
    focal, centre = camera.intrinsics[:2], camera.intrinsics[2:]
    window_px = grid.reshape(-1, 2) * focal + centre
    # The grid's own outline is that of the image but for the bend between its points.
    margin = 0.05 * np.ptp(window_px, axis=0) + 1
    values = np.zeros(COLUMNS)
    values[FOCAL:SIZE] = camera.intrinsics
    values[SIZE:COEFFICIENTS] = camera.width, camera.height
    if lens.model == "fisheye":
        values[COEFFICIENTS : COEFFICIENTS + 4] = lens.coefficients
        values[IS_FISHEYE] = 1
    else:
        given = lens.coefficients[:12]
        values[COEFFICIENTS : COEFFICIENTS + len(given)] = given
    values[TILT:REACH] = lens.tilt.ravel()
    values[REACH] = min(lens.reach, FAR) ** 2 if lens.reach < 1e5 else FAR
    values[LEAST:MOST], values[MOST:START] = window_px.min(axis=0) - margin, window_px.max(axis=0) + margin
    values[START:] = grid.ravel()
    return values


def _grid(camera: Camera) -> Float[np.ndarray, "row column 2"]:
    """Undistorted positions, in the plane z = 1, of points spread over the image; where the lens reaches none,
    those of the nearest point that it reaches."""
    u, v = np.meshgrid(np.linspace(0, camera.width, GRID), np.linspace(0, camera.height, GRID))
    grid = camera.plane_points(np.stack([u, v], axis=-1))
    unknown = np.isnan(grid[..., 0])
    if unknown.all():
        return np.zeros_like(grid)
    nearest = distance_transform_edt(unknown, return_distances=False, return_indices=True)
    return grid[tuple(nearest)]

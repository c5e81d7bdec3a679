"""A sensor that sees the crop windows of all views at once."""

# Mitsuba's type stubs mix up its own and Dr.Jit's array types.
# pyright: reportArgumentType=false, reportAttributeAccessIssue=false, reportIncompatibleMethodOverride=false, reportOperatorIssue=false, reportReturnType=false

import drjit as dr
import mitsuba as mi
import numpy as np

from handrefine.render.mitsuba.batched.lenses import Lenses
from handrefine.render.mitsuba.batched.view_table import CELL, CENTER, COLUMNS, DIRECTION, PROJECTION
from handrefine.views import ViewSet

#: What comes nearer to a camera than this is not seen.
NEAR_M = 1e-3
#: Columns of the folded film: with at most 4096 of them a float32 still resolves 1/4096 pixel.
FILM_WIDTH = 4096


class MultiViewSensor(mi.Sensor):
    """Cameras (OpenCV: x right, y down, z forward) of any size, with or without lenses, one after the other.

    Its pixels are those of the view set's flat order. Stock integrators see them folded into a film of
    `FILM_WIDTH` columns; the batched renderer asks for rays by view and pixel position.
    """

    def __init__(self, props: "mi.Properties") -> None:
        mi.Sensor.__init__(self, props)

    def initialize(self, views: ViewSet) -> None:
        self.views = views
        cameras = [v.camera for v in views.views]
        sizes = np.array([[c.width, c.height] for c in cameras], dtype=np.uint32)
        self.pixel_view = mi.UInt32(np.repeat(np.arange(len(views), dtype=np.uint32), views.sizes))
        self.first_pixel = mi.UInt32(views.offsets.astype(np.uint32))
        self.width, self.height = mi.UInt32(sizes[:, 0].copy()), mi.UInt32(sizes[:, 1].copy())
        self.frame = mi.UInt32(np.array([v.frame for v in views.views], dtype=np.uint32))
        self.table, self.radius = mi.Float(0), mi.Float(1)
        # Without any lens no kernel knows of lenses.
        self.lenses = Lenses(cameras) if any(c.lens is not None for c in cameras) else None

    def place(self, table: "mi.Float", radius: "mi.Float") -> None:
        """Follow the frames to their cells in the shared scene: rows of `ViewTable`, and the cells' radius."""
        self.table, self.radius = table, radius

    def _row(self, view: "mi.UInt32", column: int) -> list["mi.Float"]:
        return [dr.gather(mi.Float, self.table, view * COLUMNS + column + k) for k in range(3)]

    def pixel(self, index: "mi.UInt32") -> tuple["mi.UInt32", "mi.Point2f"]:
        """View and upper left corner of a pixel of the flat buffer."""
        view = dr.gather(mi.UInt32, self.pixel_view, index)
        local = index - dr.gather(mi.UInt32, self.first_pixel, view)
        # Lanes beyond the end of a packet gather zero, and an integer division by it would end the process.
        width = dr.maximum(dr.gather(mi.UInt32, self.width, view), 1)
        y = local // width
        return view, mi.Point2f(mi.Float(local - y * width), mi.Float(y))

    def pixel_at(self, view: "mi.UInt32", uv_px: "mi.Point2f") -> "mi.UInt32":
        """Index in the flat buffer of the pixel of a view that holds a position."""
        width, height = (dr.gather(mi.UInt32, x, view) for x in (self.width, self.height))
        x, y = (
            dr.minimum(mi.UInt32(dr.maximum(c, 0)), size - 1)
            for c, size in zip(uv_px, (width, height), strict=True)
        )
        return dr.gather(mi.UInt32, self.first_pixel, view) + y * width + x

    def ray(self, view: "mi.UInt32", uv_px: "mi.Point2f") -> "mi.Ray3f":
        """The part of a camera ray within its frame's cell; `maxt` is negative where it misses the cell."""
        m = [mi.Vector3f(*self._row(view, DIRECTION + 3 * r)) for r in range(3)]
        reached = mi.Bool(True)
        if self.lenses is not None:
            uv_px, reached = self.lenses.undistorted(view, uv_px)
        pixel = mi.Vector3f(uv_px.x, uv_px.y, 1)
        d = dr.normalize(mi.Vector3f(*(dr.dot(row, pixel) for row in m)))
        o, cell = mi.Vector3f(*self._row(view, CENTER)), mi.Vector3f(*self._row(view, CELL))
        enter, leave = sphere_chord(o, d, self.radius)
        enter = dr.maximum(enter, 0)
        ray = mi.Ray3f(mi.Point3f(o + d * enter + cell), d)
        ray.maxt = dr.select(reached, leave - enter, -1)
        return ray

    def ray_beside(
        self, view: "mi.UInt32", p: "mi.Point3f", normal_px: "mi.Vector2f", rounding: float
    ) -> "mi.Ray3f":
        """A camera ray that passes a point of the scene at a distance of `rounding` float32 roundings.

        Aimed at the point itself rather than at its pixel, and from the border of the cell rather than from the
        camera, it misses the point by 1e-8 m instead of 1e-6 m. A distance well above that and well below the
        size of a triangle's projection tells the two sides of a silhouette.

        Args:
            normal_px: unit vector in the pinhole's image; the ray passes on the side to which it points. Negative
                `rounding` means the other side.
        """
        o, cell = mi.Vector3f(*self._row(view, CENTER)), mi.Vector3f(*self._row(view, CELL))
        d = dr.normalize(mi.Vector3f(p) - cell - o)
        enter, leave = sphere_chord(o, d, self.radius)
        enter = dr.maximum(enter, 0)
        start = mi.Point3f(o + d * enter + cell)
        rows = (mi.Vector3f(*self._row(view, DIRECTION + 3 * r)) for r in range(3))
        aside = dr.normalize(mi.Vector3f(*(row.x * normal_px.x + row.y * normal_px.y for row in rows)))
        step = dr.max(dr.abs(cell) + self.radius) * (rounding * 2.0**-24)
        ray = mi.Ray3f(start, dr.normalize(p + aside * step - start))
        ray.maxt = leave - enter
        return ray

    def project(self, view: "mi.UInt32", p: "mi.Point3f") -> "mi.Vector3f":
        """Homogeneous pixel coordinates (x z, y z, z) of a point of the scene as a pinhole shows it;
        differentiable. `through_lens` goes on from there."""
        rows = [mi.Vector3f(*self._row(view, PROJECTION + 3 * r)) for r in range(3)]
        x = mi.Vector3f(p) - mi.Vector3f(*self._row(view, CELL)) - mi.Vector3f(*self._row(view, CENTER))
        return mi.Vector3f(*(dr.dot(row, x) for row in rows))

    def through_lens(self, view: "mi.UInt32", uv_px: "mi.Point2f") -> tuple["mi.Point2f", "mi.Float"]:
        """Where a camera shows what its pinhole would show at a position, and how much larger it shows areas
        there: with J the lens's Jacobian, det J, and 0 outside the image. Without any lens the position and 1.

        With n the unit normal of a line and ds its length, x' a motion of a point, all in the pinhole's image, and
        n_d, ds_d and J x' those that the lens makes of them, `n_d . (J x') ds_d = det J n . x' ds`: what crosses
        a contour is told in the pinhole's image, where edges are straight.
        """
        return (uv_px, mi.Float(1)) if self.lenses is None else self.lenses.distorted(view, uv_px)

    def window(self, view: "mi.UInt32") -> tuple[list["mi.Float"], list["mi.Float"]]:
        """Bounds, in the pinhole's image, of what a view shows: least and largest x and y."""
        if self.lenses is not None:
            return self.lenses.window(view)
        return [mi.Float(0), mi.Float(0)], [
            mi.Float(dr.gather(mi.UInt32, x, view)) for x in (self.width, self.height)
        ]

    def pixel_area(self, view: "mi.UInt32") -> "mi.Float":
        """Determinant of the matrix from a point to homogeneous pixel coordinates: fx fy."""
        a, b, c = (mi.Vector3f(*self._row(view, PROJECTION + 3 * r)) for r in range(3))
        return dr.abs(dr.dot(a, dr.cross(b, c)))

    def center(self, view: "mi.UInt32") -> "mi.Point3f":
        """Camera centre in the shared scene."""
        o, cell = self._row(view, CENTER), self._row(view, CELL)
        return mi.Point3f(*(a + b for a, b in zip(o, cell, strict=True)))

    # ---- Mitsuba's interface ----
    def sample_ray(self, time, wavelength_sample, position_sample, aperture_sample, active=True):
        size = self.film().size()
        x, y = position_sample.x * float(size[0]), position_sample.y * float(size[1])
        column, row = dr.minimum(mi.UInt32(x), int(size[0]) - 1), dr.minimum(mi.UInt32(y), int(size[1]) - 1)
        index = row * int(size[0]) + column
        inside = active & (index < self.views.n_pixels)
        view, corner = self.pixel(dr.minimum(index, self.views.n_pixels - 1))
        ray = self.ray(view, corner + mi.Point2f(x - mi.Float(column), y - mi.Float(row)))
        ray.time = time
        return ray, dr.select(inside, mi.Color3f(1), mi.Color3f(0))

    def sample_ray_differential(self, time, sample1, sample2, sample3, active=True):
        ray, weight = self.sample_ray(time, sample1, sample2, sample3, active)
        return mi.RayDifferential3f(ray), weight

    def to_string(self) -> str:
        return f"MultiViewSensor[{len(self.views)} views, {self.views.n_pixels} pixels]"


def film_size(n_pixels: int) -> tuple[int, int]:
    width = min(n_pixels, FILM_WIDTH)
    return width, -(-n_pixels // width)


def multiview_sensor(views: ViewSet) -> MultiViewSensor:
    """The plugin `handrefine_multiview`, ready to use."""
    mi.register_sensor("handrefine_multiview", MultiViewSensor)
    width, height = film_size(views.n_pixels)
    sensor = mi.load_dict(
        {
            "type": "handrefine_multiview",
            "film": {"type": "hdrfilm", "width": width, "height": height, "rfilter": {"type": "box"}},
        }
    )
    sensor.initialize(views)
    return sensor


def sphere_chord(o: "mi.Vector3f", d: "mi.Vector3f", radius: "mi.Float") -> tuple["mi.Float", "mi.Float"]:
    """Ray parameters where a ray enters and leaves a sphere around the origin; leave < enter if it misses."""
    middle = -dr.dot(o, d)
    closest = o + d * middle
    half_squared = radius * radius - dr.squared_norm(closest)
    half = dr.sqrt(dr.maximum(half_squared, 0))
    return middle - half, dr.select(half_squared > 0, middle + half, -1)

"""The pinhole camera of Mitsuba scenes. Import after `start_mitsuba()`.

Mitsuba's own `perspective` sensor has one field of view and square pixels; cameras here have fx != fy.
"""

# Mitsuba's type stubs mix up its own and Dr.Jit's array types.
# pyright: reportIncompatibleMethodOverride=false, reportOperatorIssue=false, reportAttributeAccessIssue=false

import drjit as dr
import mitsuba as mi
import numpy as np

from handrefine.sequence import Camera


def world_from_mitsuba_camera(camera: Camera) -> np.ndarray:
    """The 4 x 4 camera-to-world matrix of a Mitsuba camera (x left, y up, z forward).

    The only place where OpenCV's axes (x right, y down, z forward) are flipped.
    """
    matrix = np.eye(4)
    matrix[:3, :3] = camera.R_cam_world.T @ np.diag([-1.0, -1.0, 1.0])
    matrix[:3, 3] = camera.center_world
    return matrix


class Pinhole(mi.Sensor):
    """A pinhole camera with independent focal lengths and any principal point, usable by projective integrators.

    Sample coordinates are pixels divided by the image size. Calibration is opaque to the JIT, so cameras
    of one image size share their kernels. It is not differentiable.
    """

    def __init__(self, camera: Camera) -> None:
        props = mi.Properties()
        size = {"width": camera.width, "height": camera.height}
        # A box filter: a pixel is the mean over its own square, hence a silhouette's gradient is exact.
        props["film"] = mi.load_dict(
            {
                "type": "hdrfilm",
                **size,
                "rfilter": {"type": "box"},
                "pixel_format": "rgb",
                "component_format": "float32",
            }
        )
        props["sampler"] = mi.load_dict({"type": "independent"})
        super().__init__(props)
        self._size = mi.ScalarVector2f(camera.width, camera.height)
        self._focal = mi.Vector2f(camera.fx / camera.width, camera.fy / camera.height)
        self._center = mi.Point2f(camera.cx / camera.width, camera.cy / camera.height)
        self._to_world = mi.AffineTransform4f(mi.Matrix4f(world_from_mitsuba_camera(camera)))
        dr.make_opaque(self._focal, self._center, self._to_world)

    def __repr__(self) -> str:
        # Mitsuba's projective integrators take no sensor whose description starts otherwise.
        return "PerspectiveCamera[handrefine pinhole]"

    def world_transform(self):
        return self._to_world

    def projection_transform(self):
        """From camera space to sample coordinates (homogeneous); the projective Jacobian is taken of it."""
        f, c = self._focal, self._center
        return mi.ProjectiveTransform4f(
            mi.Matrix4f([[-f.x, 0, c.x, 0], [0, -f.y, c.y, 0], [0, 0, 1, -0.01], [0, 0, 1, 0]])
        )

    def sample_ray(self, time, sample1, sample2, sample3, active=True):
        ray, weight = self.sample_ray_differential(time, sample1, sample2, sample3, active)
        return mi.Ray3f(ray), weight

    def sample_ray_differential(self, time, sample1, sample2, sample3, active=True):
        del sample1, sample3, active
        xy = (self._center - sample2) / self._focal
        ray = dr.zeros(mi.RayDifferential3f, dr.width(sample2))
        ray.o = self._to_world @ mi.Point3f(0)
        ray.d = self._to_world @ dr.normalize(mi.Vector3f(xy.x, xy.y, 1))
        ray.time = time
        ray.maxt = dr.largest(mi.Float)
        return ray, mi.Color3f(1)

    def sample_direction(self, it, sample, active=True):
        """Where on the film a scene point is seen: `ds.uv` in pixels, `ds.pdf` 0 outside the image."""
        del sample
        p = self._to_world.inverse() @ it.p
        uv = self._center - self._focal * mi.Point2f(p.x, p.y) / p.z
        inside = active & (p.z > 0) & dr.all((uv >= 0) & (uv < 1))
        ds = dr.zeros(mi.DirectionSample3f)
        ds.uv = uv * self._size
        ds.p = self._to_world @ mi.Point3f(0)
        ds.n = self._to_world @ mi.Vector3f(0, 0, 1)
        ds.dist = dr.norm(ds.p - it.p)
        ds.d = (ds.p - it.p) / ds.dist
        ds.delta = True
        ds.pdf = dr.select(inside, mi.Float(1), 0)
        # Importance of a pinhole: one over the image's area at unit depth and cos^3, over squared distance.
        cos = p.z / ds.dist
        importance = self._focal.x * self._focal.y / (cos**3 * ds.dist**2)
        return ds, dr.select(inside, mi.Color3f(importance), 0)

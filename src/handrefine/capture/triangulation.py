"""3D joints of 2D joints in several cameras: RANSAC over pairs of cameras, then weighted least squares.

The algebraic solution of a pair is the midpoint of its two rays; the final one minimises
`sum over cameras of w_c |pi_c(X) - u_c|^2`, w the confidence of an inlier, by Gauss-Newton (Hartley and Zisserman,
"Multiple View Geometry", ch. 12). Rays are normalised coordinates, so that lenses play no part here.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from jaxtyping import Bool, Float

from handrefine.capture.calibration.rig_camera import RigCamera

#: Two rays that are more parallel than this say nothing about depth: sine of the angle between them.
_LEAST_ANGLE = 0.02
_GAUSS_NEWTON_STEPS = 6
#: A joint is an inlier up to so many standard deviations of the detector's noise, which the data tell.
_INLIER_DEVIATIONS = 3.5
#: Bounds of that noise as shares of the focal length: half a pixel to 12 px at 1000 px.
_LEAST_NOISE, _MOST_NOISE = 0.0005, 0.012


@dataclass(frozen=True, eq=False)
class Rig:
    """The cameras' poses as arrays, and their mean focal lengths. Frames are one where no camera moves."""

    R: Float[np.ndarray, "camera frame 3 3"]
    t: Float[np.ndarray, "camera frame 3"]
    focal_px: Float[np.ndarray, " camera"]

    @classmethod
    def of(cls, cameras: Sequence[RigCamera], frames: Sequence[int]) -> "Rig":
        """At these frames; where a camera has no pose, there are no rays either (`joints.normalised`)."""
        moves = any(camera.path is not None for camera in cameras)
        poses = [camera.poses(frames if moves else (0,)) for camera in cameras]
        R, t = (np.stack([pose[k] for pose in poses]) for k in range(2))
        lost = np.isnan(t[..., 0])
        return cls(
            np.where(lost[..., None, None], np.eye(3), R),
            np.where(lost[..., None], 0.0, t),
            np.array([(c.K[0, 0] + c.K[1, 1]) / 2 for c in cameras]),
        )

    @property
    def centers(self) -> Float[np.ndarray, "camera frame 3"]:
        return -np.einsum("cfji,cfj->cfi", self.R, self.t)

    def to_cameras(
        self, points: Float[np.ndarray, "frame *batch 3"]
    ) -> Float[np.ndarray, "camera frame *batch 3"]:
        """World points as every camera sees them."""
        R, t = self.spread(self.R, points.ndim), self.spread(self.t, points.ndim)
        return np.einsum("...ij,...j->...i", R, points[None]) + t

    def project(self, points: Float[np.ndarray, "frame *batch 3"]) -> Float[np.ndarray, "camera frame *batch 2"]:
        """Normalised coordinates in every camera; NaN behind it."""
        cam = self.to_cameras(points)
        z = cam[..., 2:]
        return cam[..., :2] / np.where(z > 1e-9, z, np.nan)

    def epipolar(
        self,
        i: int,
        j: int,
        one: Float[np.ndarray, "frame *batch 2"],
        other: Float[np.ndarray, "frame *batch 2"],
    ) -> Float[np.ndarray, "frame *batch"]:
        """Distance of camera j's rays from the epipolar lines of camera i's, in normalised coordinates."""
        R = self.R[j] @ self.R[i].swapaxes(1, 2)
        t = self.t[j] - np.einsum("fij,fj->fi", R, self.t[i])
        axes = (1,) * (one.ndim - 2)
        R, t = R.reshape(-1, *axes, 3, 3), t.reshape(-1, *axes, 3)
        ahead = np.ones((*one.shape[:-1], 1))
        lines = np.cross(t, np.einsum("...ij,...j->...i", R, np.concatenate([one, ahead], axis=-1)))
        misses = np.abs((lines * np.concatenate([other, ahead], axis=-1)).sum(axis=-1))
        return misses / np.linalg.norm(lines[..., :2], axis=-1).clip(min=1e-12)

    def behind(
        self,
        i: int,
        j: int,
        one: Float[np.ndarray, "frame *batch 2"],
        other: Float[np.ndarray, "frame *batch 2"],
    ) -> Bool[np.ndarray, "frame *batch"]:
        """Whether two cameras' rays are closest behind a camera; False where they are parallel."""
        rays = np.stack([one, other])
        pair = Rig(self.R[[i, j]], self.t[[i, j]], self.focal_px[[i, j]])
        (a, b), (u, v) = pair.spread(pair.centers, one.ndim), _directions(pair, rays)
        s, r = _along(a, b, u, v)
        return (s < 0) | (r < 0)

    @staticmethod
    def spread(values: np.ndarray, n_axes: int) -> np.ndarray:
        """Axes of length one after those of camera and frame, for points of so many axes."""
        return values.reshape(*values.shape[:2], *(1,) * (n_axes - 2), *values.shape[2:])


@dataclass(frozen=True, eq=False)
class Triangulated:
    """Joints in the world, NaN where fewer than two cameras agree.

    inlier: which cameras each is made of.
    residual_px: distance of a detection from the joint's projection, for outliers too; NaN where there is none.
    covariance: of every joint in squared units of length, by the noise of the detections.
    noise: standard deviation of a detection's coordinate, in normalised coordinates.
    """

    points: Float[np.ndarray, "*batch 3"]
    inlier: Bool[np.ndarray, "camera *batch"]
    residual_px: Float[np.ndarray, "camera *batch"]
    covariance: Float[np.ndarray, "*batch 3 3"]
    noise: float


def triangulate(
    rig: Rig, rays: Float[np.ndarray, "camera *batch 2"], weight: Float[np.ndarray, "camera *batch"]
) -> Triangulated:
    """Triangulates every point by itself; `rays` are undistorted normalised coordinates, NaN where unknown."""
    known = np.isfinite(rays).all(axis=-1) & (weight > 0)
    weight = np.where(known, weight, 0.0)
    noise = _MOST_NOISE
    points, inlier = _consensus(rig, rays, weight, noise)
    for _ in range(2):  # the noise is not known before there are points, nor what an outlier is before the noise
        points = _least_squares(rig, rays, weight * inlier, points)
        distance = _distance(rig, rays, points)
        noise = _noise_of(distance, inlier)
        points, inlier = _consensus(rig, rays, weight, noise)
    points = _least_squares(rig, rays, weight * inlier, points)
    distance = _distance(rig, rays, points)
    inlier = inlier & (distance < _INLIER_DEVIATIONS * noise)
    points = np.where((inlier.sum(axis=0) >= 2)[..., None], points, np.nan)
    return Triangulated(
        points,
        inlier & np.isfinite(points).all(axis=-1),
        distance * rig.focal_px.reshape(-1, *(1,) * (distance.ndim - 1)),
        _covariance(rig, weight * inlier, points, noise),
        noise,
    )


def _consensus(rig: Rig, rays: np.ndarray, weight: np.ndarray, noise: float) -> tuple[np.ndarray, np.ndarray]:
    """For every point the pair of cameras whose midpoint most cameras agree with, and who agrees."""
    limit = _INLIER_DEVIATIONS * noise
    best = np.full(rays.shape[1:-1], np.inf)
    points = np.full((*rays.shape[1:-1], 3), np.nan)
    inlier = np.zeros(rays.shape[:-1], dtype=bool)
    directions, centers = _directions(rig, rays), rig.spread(rig.centers, rays.ndim - 1)
    for i, j in combinations(range(len(rig.R)), 2):
        found = _midpoints(centers[[i, j]], directions[[i, j]])
        distance = _distance(rig, rays, found)
        agrees = (distance < limit) & (weight > 0)
        # Truncated squares: who disagrees costs as much as the limit, whatever the distance.
        with np.errstate(invalid="ignore"):
            cost = (weight * np.where(agrees, (distance / limit) ** 2, 1.0)).sum(axis=0)
        cost = np.where(agrees[i] & agrees[j], cost, np.inf)
        better = cost < best
        best = np.where(better, cost, best)
        points = np.where(better[..., None], found, points)
        inlier = np.where(better, agrees, inlier)
    return points, inlier


def _directions(rig: Rig, rays: np.ndarray) -> np.ndarray:
    along = np.concatenate([rays, np.ones((*rays.shape[:-1], 1))], axis=-1)
    along = np.einsum("...ji,...j->...i", rig.spread(rig.R, rays.ndim - 1), along)
    return along / np.linalg.norm(along, axis=-1, keepdims=True)


def _midpoints(centers: np.ndarray, directions: np.ndarray) -> np.ndarray:
    """Halfway between two rays where they are closest; NaN where they are parallel or meet behind a camera."""
    (a, b), (u, v) = centers, directions
    s, r = _along(a, b, u, v)
    with np.errstate(invalid="ignore"):
        s, r = np.where(s > 0, s, np.nan), np.where(r > 0, r, np.nan)
    return (a + s[..., None] * u + b + r[..., None] * v) / 2


def _along(a: np.ndarray, b: np.ndarray, u: np.ndarray, v: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """How far along two rays from a and b they are closest; NaN where they are parallel."""
    cosine = (u * v).sum(axis=-1)
    sine2 = 1 - cosine**2
    sine2 = np.where(sine2 > _LEAST_ANGLE**2, sine2, np.nan)
    along_u, along_v = ((b - a) * u).sum(axis=-1), ((b - a) * v).sum(axis=-1)
    return (along_u - cosine * along_v) / sine2, (cosine * along_u - along_v) / sine2


def _distance(rig: Rig, rays: np.ndarray, points: np.ndarray) -> np.ndarray:
    return np.linalg.norm(rig.project(points) - rays, axis=-1)


def _noise_of(distance: np.ndarray, inlier: np.ndarray) -> float:
    """Median distance over that of a unit Gaussian in the plane, raised where few cameras absorb noise."""
    values = distance[inlier & np.isfinite(distance)]
    if len(values) == 0:
        return _MOST_NOISE
    counts = inlier.sum(axis=0)
    count = float(counts[counts >= 2].mean())
    freedom = (2 * count - 3) / (2 * count)  # three unknowns of a point are fitted to them
    return float(np.clip(np.median(values) / 1.1774 / np.sqrt(freedom), _LEAST_NOISE, _MOST_NOISE))


def _least_squares(rig: Rig, rays: np.ndarray, weight: np.ndarray, points: np.ndarray) -> np.ndarray:
    for _ in range(_GAUSS_NEWTON_STEPS):
        J, ok = _jacobian(rig, points)
        w = np.where(ok, weight, 0.0)
        residual = np.where(ok[..., None] & (w > 0)[..., None], rig.project(points) - rays, 0.0)
        A = np.einsum("c...,c...ki,c...kj->...ij", w, J, J)
        b = np.einsum("c...,c...ki,c...k->...i", w, J, residual)
        enough = np.linalg.matrix_rank(np.nan_to_num(A), hermitian=True) == 3
        A = np.where(enough[..., None, None], A, np.eye(3))
        points = points - np.where(enough[..., None], np.linalg.solve(A, b[..., None])[..., 0], 0.0)
    return points


def _jacobian(rig: Rig, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """d (normalised coordinates) / d (world point) of every camera, and where it exists."""
    cam = rig.to_cameras(points)
    ok = cam[..., 2] > 1e-9
    z = np.where(ok, cam[..., 2], 1.0)
    x, y = np.nan_to_num(cam[..., 0]) / z, np.nan_to_num(cam[..., 1]) / z
    R = rig.spread(rig.R, points.ndim)
    J = np.stack(
        [R[..., 0, :] - x[..., None] * R[..., 2, :], R[..., 1, :] - y[..., None] * R[..., 2, :]], axis=-2
    ) / z[..., None, None]  # fmt: skip
    return np.where(ok[..., None, None], J, 0.0), ok


def _covariance(rig: Rig, weight: np.ndarray, points: np.ndarray, noise: float) -> np.ndarray:
    J, ok = _jacobian(rig, points)
    information = np.einsum("c...,c...ki,c...kj->...ij", np.where(ok, weight > 0, 0.0), J, J)
    known = np.asarray(np.isfinite(points).all(axis=-1))
    information = np.where(known[..., None, None], information, np.eye(3))
    return np.where(known[..., None, None], noise**2 * np.linalg.inv(information), np.nan)

"""Lens distortion: where a camera's optics put the ray of a pinhole camera, and back.

Both directions act on normalised coordinates, (x, y) = (x_cam / z_cam, y_cam / z_cam): a lens therefore knows no
pixels, and stays the same when an image is cropped or resized.
"""

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from handrefine.errors import InputError

LensModel = Literal["opencv", "fisheye"]
#: So many coefficients OpenCV knows: k1 k2 p1 p2 [k3 [k4 k5 k6 [s1 s2 s3 s4 [tau_x tau_y]]]].
_COUNTS = {"opencv": (4, 5, 8, 12, 14), "fisheye": (4,)}
_NEWTON_STEPS = 12
#: A lens is looked at up to this tangent of the angle off the axis (84 degrees), at so many places.
_WIDEST_TANGENT, _SAMPLES = 10.0, 4000


@dataclass(frozen=True)
class Lens:
    """The distortion of one camera.

    model: `opencv`, the rational, tangential, thin-prism and tilted model of OpenCV's `calib3d` with 4, 5, 8, 12
    or
        14 coefficients in its order; or `fisheye`, that of `cv2.fisheye` (Kannala and Brandt, 2006) with four.

    Raises:
        InputError: another number of coefficients, or one that is not finite.
    """

    model: LensModel
    coefficients: tuple[float, ...]

    def __post_init__(self) -> None:
        counts = _COUNTS[self.model]
        if len(self.coefficients) not in counts:
            raise InputError(
                f"a lens of the model {self.model} has another number of coefficients",
                expected=" or ".join(map(str, counts)),
                found=len(self.coefficients),
            )
        if not np.isfinite(self.coefficients).all():
            raise InputError("a lens coefficient is not finite", found=self.coefficients)

    @property
    def bends(self) -> bool:
        """False where the lens does nothing: an `opencv` one whose coefficients are 0."""
        return self.model == "fisheye" or any(self.coefficients)

    def distort(self, points: Float[Tensor, "*batch 2"]) -> Float[Tensor, "*batch 2"]:
        """Where the lens puts what a pinhole would see at `points`; differentiable in them."""
        return self._fisheye(points) if self.model == "fisheye" else self._opencv(points)

    def undistort(self, points: Float[Tensor, "*batch 2"]) -> Float[Tensor, "*batch 2"]:
        """The inverse of `distort`, by Newton's method; NaN where the lens reaches no such point.

        Not differentiable: its Jacobian is the inverse of `jacobian` at what it gives.
        """
        start = self._fisheye_inverse(points) if self.model == "fisheye" else points
        at = start.detach().double()
        wanted = points.detach().double()
        for _ in range(_NEWTON_STEPS):
            missing = wanted - self.distort(at)
            if not bool((missing.abs() > 1e-13).any()):
                break
            step = torch.einsum("...ij,...j->...i", inverse_2x2(self.jacobian(at)), missing)
            at = at + step * (0.5 / step.norm(dim=-1, keepdim=True).clamp(min=0.5))
        good = ((self.distort(at) - wanted).norm(dim=-1) < 1e-7) & self.sees(at)
        return torch.where(good[..., None], at, torch.nan).to(points.dtype)

    def jacobian(self, points: Float[Tensor, "*batch 2"]) -> Float[Tensor, "*batch 2 2"]:
        """Derivative of `distort`: row i, column j is that of its coordinate i by coordinate j of the point."""
        along = torch.eye(2).to(points)
        columns = [torch.func.jvp(self.distort, (points,), (one.expand_as(points).clone(),))[1] for one in along]
        return torch.stack(columns, dim=-1)

    def sees(self, points: Float[Tensor, "*batch 2"]) -> Bool[Tensor, "*batch"]:
        """Whether the model holds at undistorted points: further out its polynomial turns back on itself."""
        return points.norm(dim=-1) <= self.reach

    @cached_property
    def reach(self) -> float:
        """The radius up to which the radial distortion grows with the radius."""
        r = torch.linspace(0, _WIDEST_TANGENT, _SAMPLES, dtype=torch.float64)
        places = torch.stack([r, torch.zeros_like(r)], dim=-1)
        radial = self if self.model == "fisheye" else Lens("opencv", self._radial_coefficients)
        falls = torch.diff(radial.distort(places)[:, 0]) <= 0
        return float(r[int(torch.nonzero(falls)[0])]) if bool(falls.any()) else math.inf

    @property
    def _radial_coefficients(self) -> tuple[float, ...]:
        k1, k2, _, _, k3, k4, k5, k6, *_ = self._all_coefficients
        return (k1, k2, 0.0, 0.0, k3, k4, k5, k6)

    @property
    def tilt(self) -> Float[np.ndarray, "3 3"]:
        """The tilted sensor's projective map; the unit matrix where there is none."""
        return np.eye(3) if self.model == "fisheye" else _tilt(*self._all_coefficients[12:])

    @property
    def _all_coefficients(self) -> tuple[float, ...]:
        return self.coefficients + (0.0,) * (14 - len(self.coefficients))

    def _opencv(self, points: Tensor) -> Tensor:
        k1, k2, p1, p2, k3, k4, k5, k6, s1, s2, s3, s4, tau_x, tau_y = self._all_coefficients
        x, y = points.unbind(dim=-1)
        r2 = x * x + y * y
        radial = (1 + r2 * (k1 + r2 * (k2 + r2 * k3))) / (1 + r2 * (k4 + r2 * (k5 + r2 * k6)))
        u = x * radial + 2 * p1 * x * y + p2 * (r2 + 2 * x * x) + r2 * (s1 + s2 * r2)
        v = y * radial + p1 * (r2 + 2 * y * y) + 2 * p2 * x * y + r2 * (s3 + s4 * r2)
        if tau_x == 0 and tau_y == 0:
            return torch.stack([u, v], dim=-1)
        tilted = torch.stack([u, v, torch.ones_like(u)], dim=-1) @ torch.as_tensor(self.tilt.T).to(u)
        return tilted[..., :2] / tilted[..., 2:]

    def _fisheye(self, points: Tensor) -> Tensor:
        r2 = points.square().sum(dim=-1, keepdim=True)
        small = r2 < 1e-12  # there theta / r is 1 up to rounding, and its derivative 0
        r = torch.where(small, 1.0, r2).sqrt()
        theta = torch.atan(r)
        return points * torch.where(small, 1.0, self._bent(theta) / r)

    def _bent(self, theta: Tensor) -> Tensor:
        k1, k2, k3, k4 = self.coefficients
        t2 = theta * theta
        return theta * (1 + t2 * (k1 + t2 * (k2 + t2 * (k3 + t2 * k4))))

    def _fisheye_inverse(self, points: Tensor) -> Tensor:
        """Start of Newton's method: the angle by bisection, for the tangent grows without bound."""
        wanted = points.detach().double().norm(dim=-1, keepdim=True)
        low, high = torch.zeros_like(wanted), torch.full_like(wanted, math.atan(_WIDEST_TANGENT))
        for _ in range(50):
            middle = (low + high) / 2
            below = self._bent(middle) < wanted
            low, high = torch.where(below, middle, low), torch.where(below, high, middle)
        return points.double() / wanted.clamp(min=1e-12) * torch.tan(low)


def inverse_2x2(matrix: Float[Tensor, "*batch 2 2"]) -> Float[Tensor, "*batch 2 2"]:
    """The inverses, in closed form; the unit matrix where there is none."""
    (a, b), (c, d) = (row.unbind(dim=-1) for row in matrix.unbind(dim=-2))
    determinant = a * d - b * c
    usable = determinant.abs() > 1e-9
    scale = 1 / torch.where(usable, determinant, 1.0)
    rows = [torch.stack([d, -b], dim=-1), torch.stack([-c, a], dim=-1)]
    inverse = torch.stack(rows, dim=-2) * scale[..., None, None]
    return torch.where(usable[..., None, None], inverse, torch.eye(2).to(matrix))


def _tilt(tau_x: float, tau_y: float) -> Float[np.ndarray, "3 3"]:
    """The tilted sensor's projective map (OpenCV, `computeTiltProjectionMatrix`)."""
    cx, sx, cy, sy = math.cos(tau_x), math.sin(tau_x), math.cos(tau_y), math.sin(tau_y)
    about_x = np.array([[1, 0, 0], [0, cx, sx], [0, -sx, cx]])
    about_y = np.array([[cy, 0, -sy], [0, 1, 0], [sy, 0, cy]])
    R = about_y @ about_x
    return np.array([[R[2, 2], 0, -R[0, 2]], [0, R[2, 2], -R[1, 2]], [0, 0, 1]]) @ R

"""Light from infinity: the latitude-longitude map, and the low-order part of it that integrates in closed form."""

# Mitsuba's type stubs mix up its own and Dr.Jit's array types.
# pyright: reportOperatorIssue=false, reportReturnType=false

import math

import drjit as dr
import mitsuba as mi

from handrefine.render.mitsuba.batched.attached import Attached
from handrefine.render.mitsuba.batched.low_order_light import ORDER

#: Irradiance of a Lambertian receiver a band of radiance, over pi. Source: Ramamoorthi and Hanrahan 2001, eq. 8.
COSINE_LOBE = (1.0, 2.0 / 3.0, 1.0 / 4.0)


class Light:
    """Radiance of the environment in a direction, with both representations in flat Dr.Jit arrays."""

    def __init__(self, environment: Attached, height: int, width: int, coefficients: Attached) -> None:
        self.environment, self.height, self.width = environment, height, width
        self.coefficients = coefficients

    def radiance(self, d: "mi.Vector3f", active: "mi.Bool") -> "mi.Color3f":
        """Bilinear between texel centres; around the poles the first and last row go on."""
        x = dr.atan2(d.x, -d.z) * (self.width / (2 * math.pi)) - 0.5
        y = dr.safe_acos(d.y) * (self.height / math.pi) - 0.5
        x0, y0 = dr.floor(x), dr.floor(y)
        wx, wy = x - x0, y - y0
        column, row = mi.Int32(x0), mi.Int32(y0)
        left, right = (dr.select(c < 0, c + self.width, c) for c in (column, column + 1))
        right = dr.select(right >= self.width, right - self.width, right)
        top, bottom = (mi.UInt32(dr.clip(r, 0, self.height - 1)) * self.width for r in (row, row + 1))
        fetch = lambda texel: mi.Color3f(self.environment.gather(texel, active))  # noqa: E731
        upper = fetch(top + mi.UInt32(left)) * (1 - wx) + fetch(top + mi.UInt32(right)) * wx
        lower = fetch(bottom + mi.UInt32(left)) * (1 - wx) + fetch(bottom + mi.UInt32(right)) * wx
        return upper * (1 - wy) + lower * wy

    def control(self, n: "mi.Vector3f", d: "mi.Vector3f", weight: "mi.Float", active: "mi.Bool") -> "mi.Color3f":
        """`E(n)/pi - weight * L_cv(d)`: zero on average over the integrator's d, closed form minus sample.

        E(n) = sum over l, m of A_l c_lm Y_lm(n), A = pi, 2 pi / 3, pi / 4; L_cv(d) = sum of c_lm Y_lm(d).
        """
        result = mi.Color3f(0)
        per_n, per_d = _basis(n), _basis(d)
        for k, (a, b) in enumerate(zip(per_n, per_d, strict=True)):
            c = self._coefficient(k, active)
            result += c * (a * COSINE_LOBE[math.isqrt(k)] - weight * b)
        return result

    def _coefficient(self, k: int, active: "mi.Bool") -> "mi.Color3f":
        """One number for all lanes; where its gradient is wanted, one a lane, to be added up within packets."""
        if self.coefficients.shadow is None:
            return mi.Color3f(self.coefficients.gather(mi.UInt32(k)))
        index = dr.select(active, mi.UInt32(k), mi.UInt32(0))
        return mi.Color3f(self.coefficients.gather(index, active, mode=dr.ReduceMode.Local))


def _basis(d: "mi.Vector3f") -> list["mi.Float"]:
    return dr.sh_eval(d, ORDER)

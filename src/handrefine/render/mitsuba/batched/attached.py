"""Flat arrays that many lanes read, with a gradient that does not depend on the order in which they add to it."""

# Mitsuba's type stubs mix up its own and Dr.Jit's array types.
# pyright: reportReturnType=false

from dataclasses import dataclass

import drjit as dr
import mitsuba as mi


@dataclass
class Attached:
    """Triples of numbers in a flat float32 array, with or without a gradient to come.

    Many lanes add to the gradient of one entry, in whatever order the threads come. Sums of float32 then differ in
    their last digits from run to run, and an optimisation amplifies that until its results differ visibly. Summed
    in double precision and rounded once at the end they are the same numbers.
    """

    values: "mi.Float"
    shadow: "mi.Float64 | None" = None  # carries the gradient; its values are not read

    @staticmethod
    def of(values: "mi.Float", *, attach: bool) -> "Attached":
        if not attach:
            return Attached(values)
        shadow = mi.Float64(values)
        dr.enable_grad(shadow)
        return Attached(values, shadow)

    def gather(self, index: "mi.UInt32", active: "mi.Bool | bool" = True, **options) -> "mi.Vector3f":
        """The triple of every lane; `options` are those of `drjit.gather`."""
        triple = dr.gather(mi.Vector3f, self.values, index, active, **options)
        if self.shadow is None:
            return triple
        return dr.replace_grad(triple, mi.Vector3f(dr.gather(mi.Vector3d, self.shadow, index, active, **options)))

    def gradient(self) -> "mi.Float":
        """The gradient that has arrived, float32."""
        return mi.Float(dr.grad(self.shadow))

"""Random numbers: stratified within a pixel, independent between pixels, bounces and seeds."""

# Mitsuba's type stubs mix up its own and Dr.Jit's array types.
# pyright: reportArgumentType=false, reportCallIssue=false

from collections.abc import Callable

import drjit as dr
import mitsuba as mi

#: Of the mixing function. With Mitsuba's 4, means over a million lanes are always off to the same side.
ROUNDS = 6
#: Two uniform numbers for one decision (a point in the pixel, a direction).
Pair = Callable[[], tuple["mi.Float", "mi.Float"]]


class PixelSamples:
    """Sample `s` of `spp` of one pixel a lane, a fresh pair of uniform numbers a decision.

    Every decision takes the points of a (0, 2)-sequence (Sobol's first two dimensions), in an order and with a
    shift modulo one that are random for pixel and decision: each number is uniform, hence nothing is biased,
    while the samples of one pixel avoid each other in every decision.
    """

    def __init__(
        self, lane: "mi.UInt32", sample: "mi.UInt32", spp: int, seed: "mi.UInt32", decision: int = 0
    ) -> None:
        self.lane, self.sample, self.seed = lane, sample, seed
        self.bits = max(1, (spp - 1).bit_length())
        self.decision = decision  # how many were taken already

    def next_2d(self) -> "mi.Point2f":
        self.decision += 1
        key = self.seed + mi.UInt32(0x9E3779B9 * self.decision & 0xFFFFFFFF)
        shift_x, shift_y = mi.sample_tea_32(self.lane, key, rounds=ROUNDS)
        index = _shuffle(self.sample, shift_x ^ (shift_y >> 7)) if self.bits > 1 else self.sample
        x, y, direction = mi.UInt32(0), mi.UInt32(0), 1 << 31
        for bit in range(self.bits):
            on = ((index >> bit) & 1) != 0
            x ^= dr.select(on, mi.UInt32(1 << (31 - bit)), mi.UInt32(0))
            y ^= dr.select(on, mi.UInt32(direction), mi.UInt32(0))
            direction ^= direction >> 1
        return mi.Point2f(_unit(x + shift_x), _unit(y + shift_y))


class IndependentSamples:
    """Plain pseudo-random pairs, one stream a lane: silhouette samples are stratified along the contour."""

    def __init__(self, lane: "mi.UInt32", seed: "mi.UInt32") -> None:
        self.lane, self.seed, self.decision = lane, seed, 0

    def next_2d(self) -> "mi.Point2f":
        self.decision += 1
        key = self.seed + mi.UInt32(0x9E3779B9 * self.decision & 0xFFFFFFFF)
        x, y = mi.sample_tea_32(self.lane, key, rounds=ROUNDS)
        return mi.Point2f(_unit(x), _unit(y))


def _shuffle(index: "mi.UInt32", key: "mi.UInt32") -> "mi.UInt32":
    """A random permutation of every 0 ... 2^k - 1 (Laine and Karras 2011, as used by Burley 2020).

    Without it a pixel's decisions would all run through the same points, and more samples would not help.
    """
    x = dr.brev(index) + key
    for factor in (0x6C50B47C, 0xB82F1E52, 0xC7AFE638, 0x8D22F6E6):
        x ^= x * factor
    return dr.brev(x)


def _unit(bits: "mi.UInt32") -> "mi.Float":
    return mi.Float(bits >> 8) * (2.0**-24)

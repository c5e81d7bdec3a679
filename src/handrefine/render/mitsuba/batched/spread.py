"""Random places spread evenly over lengths that are laid end to end."""

# Mitsuba's type stubs mix up its own and Dr.Jit's array types.
# pyright: reportArgumentType=false, reportCallIssue=false, reportOperatorIssue=false

import drjit as dr
import mitsuba as mi


def spread(
    cumulative: "mi.Float64", total: float, n: int, at_most: int, seed: "mi.UInt32"
) -> tuple["mi.UInt32", "mi.Float"]:
    """One random place in each of `n` equal parts of the whole length.

    Args:
        cumulative: lengths summed up; `total` is its last entry, above 0.
        at_most: no `cumulative` of any call is longer.

    Returns:
        The length that each place lies in, and how far it is from that length's end.
    """
    index = dr.arange(mi.UInt32, n)
    u = mi.Float(mi.sample_tea_32(index, seed, rounds=4)[0] >> 8) * (2.0**-24)
    place = (mi.Float64(index) + mi.Float64(u)) * dr.opaque(mi.Float64, total / n)
    found = _count_up_to(cumulative, place, at_most)
    return found, mi.Float(dr.gather(mi.Float64, cumulative, found) - place)


def _count_up_to(ascending: "mi.Float64", value: "mi.Float64", at_most: int) -> "mi.UInt32":
    """Index of the first entry above `value`, or of the last entry: bisection.

    `dr.binary_search` would compile a kernel for every length of the array; this one only for every `at_most`.
    """
    length = dr.opaque(mi.UInt32, dr.width(ascending))
    found = mi.UInt32(0)
    for bit in reversed(range(at_most.bit_length())):
        ahead = found + (1 << bit)
        known = ahead <= length
        below = dr.gather(mi.Float64, ascending, ahead - 1, known) <= value
        found = dr.select(known & below, ahead, found)
    return dr.minimum(found, length - 1)

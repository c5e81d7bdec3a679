"""The calibration's unit of length: what the user says, and whether a hand's size agrees."""

import re

import numpy as np
from jaxtyping import Bool, Float

from handrefine.errors import InputError
from handrefine.sequence import MIDDLE_KNUCKLE, WRIST

UNITS_M = {"m": 1.0, "dm": 0.1, "cm": 0.01, "mm": 0.001, "in": 0.0254, "inch": 0.0254, "ft": 0.3048}
#: From the wrist to the middle knuckle an adult's hand measures some 90 mm, a child's 60.
PALM_M = 0.090
_LEAST_M, _MOST_M = 0.055, 0.125
#: Takes the unit from the hand itself.
HAND = "hand"


def metres_a_unit(unit: str, palm: float) -> float:
    """How many metres a unit of the calibration is.

    Args:
        unit: `m`, `cm`, `mm`, `in`, with a number before it (`43mm`), or `hand`: the palm is then 90 mm.
        palm: the median distance of wrist and middle knuckle in the calibration's unit; NaN where no hand is seen.

    Raises:
        InputError: there is no such unit, or the hand has an impossible size; names the unit that would fit.
    """
    if unit == HAND:
        if not palm > 0:
            raise InputError("the hand tells no unit: wrist and middle knuckle are seen together at no frame")
        return PALM_M / palm
    match = re.fullmatch(r"([0-9.]*)\s*([a-z]+)", unit.strip().lower())
    if match is None or match[2] not in UNITS_M or match[1] == ".":
        raise InputError(
            "there is no such unit",
            found=unit,
            expected=f"{', '.join(UNITS_M)}, a number before one (43mm), or {HAND}",
        )
    metres = UNITS_M[match[2]] * float(match[1] or 1)
    if np.isfinite(palm) and not _LEAST_M <= palm * metres <= _MOST_M:
        fitting = [name for name, m in UNITS_M.items() if _LEAST_M <= palm * m <= _MOST_M and name != "inch"]
        advice = " or ".join(f"--unit {name}" for name in fitting)
        raise InputError(
            "with this unit the hand has an impossible size",
            where=f"--unit {unit}",
            expected="60 to 120 mm from the wrist to the middle knuckle",
            found=f"{palm * metres * 1e3:.4g} mm",
            fix=(advice or f"--unit {PALM_M / palm * 1e3:.3g}mm")
            + f"; --unit {HAND} takes the palm for {PALM_M * 1e3:.0f} mm",
        )
    return metres


def palm_length(joints: Float[np.ndarray, "frame 2 21 3"], valid: Bool[np.ndarray, "frame 2 21"]) -> float:
    """The median distance from wrist to middle knuckle; NaN where they are never seen together."""
    both = valid[..., WRIST] & valid[..., MIDDLE_KNUCKLE]
    lengths = np.linalg.norm(joints[..., WRIST, :] - joints[..., MIDDLE_KNUCKLE, :], axis=-1)[both]
    return float(np.median(lengths)) if len(lengths) else float("nan")

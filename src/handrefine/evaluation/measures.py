"""What is measured: names, units, and which way is better."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Measure:
    """How a key of `metrics.json` is shown. `scale` turns the stored number into the shown one.

    change: `relative` in percent of the value before, `absolute` in the measure's own unit (`points` of percent).
    """

    name: str
    unit: str
    digits: int
    better: Literal["lower", "higher"]
    missing: str
    scale: float = 1.0
    change: Literal["relative", "absolute"] = "relative"


MEASURES: dict[str, Measure] = {
    "vertex_error_mm": Measure("mean vertex error", "mm", 2, "lower", "no truth"),
    "parametric_vertex_error_mm": Measure("mean vertex error, parameters alone", "mm", 2, "lower", "no truth"),
    "joint_error_mm": Measure("mean joint error", "mm", 2, "lower", "no truth"),
    "reprojection_px": Measure("mean reprojection error", "px", 2, "lower", "no truth"),
    "mask_precision": Measure("mask precision", "%", 1, "higher", "no mask", 100.0, "absolute"),
    "mask_recall": Measure("mask recall", "%", 1, "higher", "no mask", 100.0, "absolute"),
    "texture_psnr_db": Measure("texture PSNR", "dB", 1, "higher", "no truth", 1.0, "absolute"),
    "photometric_error": Measure("photometric error", "%", 2, "lower", "too few pixels", 100.0),
    "label_contour_px": Measure("contour distance to labels", "px", 2, "lower", "no label"),
    "dark_share": Measure("dark spots", "%", 2, "lower", "no pixels", 100.0, "absolute"),
}
#: What held-out cameras tell.
HOLDOUT_MEASURES: dict[str, Measure] = {
    "mask_precision": MEASURES["mask_precision"],
    "mask_recall": MEASURES["mask_recall"],
    "contour_distance_px": Measure("contour distance", "px", 2, "lower", "no mask"),
    "photometric_error": MEASURES["photometric_error"],
}

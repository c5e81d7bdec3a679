"""`python -m benchmarks.real.yardstick CAPTURE`: how far a dataset's own masks are from the yardstick.

Such a mask shows both hands and forearms, so a pixel of it is taken for the hand that was drawn nearer to it.
"""

from pathlib import Path

import tyro
from rich.console import Console
from tyro.conf import Positional

from benchmarks.harness import exit_status
from benchmarks.real.yardstick.yardstick import Figures, Region, View, figures, load, mask
from handrefine import regions
from handrefine.datasets.registry import read_dataset
from handrefine.sequence import Side, sides_of

#: What lies further from a hand than this is no leak of its mask but some rim of a forearm.
REACH_PX = 40


def nearer(rough: Region, view: View, side: Side) -> Region:
    """Pixels of a mask of both hands that lie within reach of this hand and nearer to it than to the other."""
    height, width = rough.shape
    other: Side = "left" if side == "right" else "right"
    away_px, other_px = (regions.distance_px(mask(view, s, height, width)) for s in (side, other))
    return rough & (away_px <= REACH_PX) & ((away_px < other_px) | (away_px == 0))


def table(rows: list[tuple[str, Side, Figures]]) -> str:
    """Markdown: a row for every camera and hand."""
    lines = ["| camera | hand | precision | recall | IoU | contour, px |", "| --- | --- | --- | --- | --- | --- |"]
    for camera, side, of in rows:
        shares = " | ".join(_percent(share) for share in (of.precision, of.recall, of.iou))
        contour = "-" if of.contour_px is None else f"{of.contour_px:.1f}"
        lines.append(f"| {camera} | {side} | {shares} | {contour} |")
    return "\n".join(lines)


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{100 * share:.1f} %"


def main(capture: Positional[Path]) -> None:
    """Print the figures of a capture's own masks against the yardstick.

    Args:
        capture: the dataset's folder.
    """
    views = load()
    sequence = read_dataset(capture)
    rows: list[tuple[str, Side, Figures]] = []
    for (_, camera), read in sequence.masks.items():
        for side in sides_of("both"):
            if camera in views:
                rows.append((camera, side, figures(nearer(read(), views[camera], side), views[camera], side)))
    Console().print(table(rows), soft_wrap=True, highlight=False)


if __name__ == "__main__":
    raise SystemExit(exit_status(lambda: tyro.cli(main, prog="python -m benchmarks.real.yardstick")))

"""`python -m benchmarks.real.run_drawings RUN PICTURE`: a finished run's views as lines, without a photograph.

Of every view: what labels call hand in grey, what they leave unknown in a lighter grey, and the outline of the
hand that the view surrounds, before and after.
"""

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import tyro
from jaxtyping import Float
from tyro.conf import Positional

from benchmarks.harness import exit_status
from benchmarks.real.line_drawings import CAPTION_PX, GROUND, INK, LINE_PX, MASK, Drawing, Moment
from handrefine.io.image_files import write_image
from handrefine.runs.overlay import contact_sheet
from handrefine.runs.reader import open_run
from handrefine.runs.result import HAND, UNKNOWN, HandResult, ViewResult

#: Longest side of a view, and the height that views of all shapes are filled up to, pixels.
VIEW_PX = 220
#: What labels leave unknown: lighter than the mask.
OPEN = (243, 243, 243)


def run_drawings(hand: HandResult) -> Iterator[Drawing]:
    """The views around one hand, of one size all."""
    for view in hand.views:
        yield view_drawing(view, f"{hand.side} {view.frame}, {view.camera}")


def view_drawing(view: ViewResult, title: str) -> Drawing:
    """One view: labels as areas, the hand's own outlines as lines. Of its image nothing is used."""
    scale = VIEW_PX / max(view.size_px)
    width, height = (round(side * scale) for side in view.size_px)
    picture = np.full((height, width, 3), GROUND, np.uint8)
    for label, grey in ((HAND, MASK), (UNKNOWN, OPEN)):
        picture[_enlarged((view.label == label).astype(np.float32), width, height) > 0.5] = grey
    moments: tuple[Moment, ...] = ("before", "after")
    for moment in moments:
        render = view.before if moment == "before" else view.after
        covered = (_enlarged(render.own_coverage, width, height) > 0.5).astype(np.uint8)
        lines, _ = cv2.findContours(covered, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
        cv2.drawContours(picture, lines, -1, INK[moment], LINE_PX, cv2.LINE_AA)
    page = np.full((VIEW_PX + CAPTION_PX, VIEW_PX, 3), GROUND, np.uint8)
    page[CAPTION_PX : CAPTION_PX + height, :width] = picture
    place = 4, CAPTION_PX - 9
    cv2.putText(page, title, place, cv2.FONT_HERSHEY_SIMPLEX, 0.42, (60, 60, 60), 1, cv2.LINE_AA)
    return page


def _enlarged(shares: Float[np.ndarray, "_ _"], width: int, height: int) -> Float[np.ndarray, "height width"]:
    return cv2.resize(np.asarray(shares, np.float32), (width, height), interpolation=cv2.INTER_LINEAR)


def main(run: Positional[Path], picture: Positional[Path], columns: int = 8) -> None:
    """Draw a run.

    Args:
        run: its folder.
        picture: the PNG to write.
        columns: views beside one another.
    """
    drawings = [drawing for hand in open_run(run).result().hands for drawing in run_drawings(hand)]
    write_image(picture, contact_sheet(drawings, columns))


if __name__ == "__main__":
    raise SystemExit(exit_status(lambda: tyro.cli(main, prog="python -m benchmarks.real.run_drawings")))

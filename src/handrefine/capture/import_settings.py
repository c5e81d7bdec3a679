"""What the user of an import decides: the options of `handrefine import` that need no file."""

from dataclasses import dataclass

from handrefine.sequence import Hands


@dataclass(frozen=True, kw_only=True)
class ImportSettings:
    """How a capture is imported. The field docstrings are the command line's help."""

    unit: str = "m"
    """Unit of length of the calibration: m, cm, mm, in, 43mm (a chessboard square), or hand: of a 90 mm palm."""
    convention: str = "world-to-cam"
    """How R and t are meant: world-to-cam, cam-to-world, position, transposed or shifted-first; with +opengl or
    other axes (+left-up-forward), +mirrored, +euler-xyz-deg, +xyzw where that is so."""
    hand: Hands | None = None
    """Which hand, or both; those that are found if not given."""
    frames: str | None = None
    """Frames to keep: 10 (evenly spread), 19,74,94, or 0:300:30; all if not given."""
    fps: float | None = None
    """Keep so many frames a second of the videos."""
    keep_distorted: bool = False
    """Keep the images as they were taken, and write the lenses into the dataset: renders look through them."""
    link: bool = False
    """Leave image files where they are, as far as they stay as they are; refine then needs --follow-links."""
    sync: bool = False
    """Find the time offsets of cameras that did not start together, from the hands' motion."""

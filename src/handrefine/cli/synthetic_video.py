"""Options of the commands that make a synthetic video."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from rich.console import Console

from handrefine.cli.common import Configured
from handrefine.sequence import Hands
from handrefine.synthetic.held_thing import HeldKind
from handrefine.synthetic.truth import SyntheticSettings, SyntheticTruth


@dataclass(frozen=True, kw_only=True)
class SyntheticVideo(Configured):
    n_cameras: int = SyntheticSettings.n_cameras
    """Number of cameras on the half-sphere around the hand."""
    n_frames: int = SyntheticSettings.n_frames
    """Number of frames of the gesture."""
    size: int = SyntheticSettings.size
    """Width and height of the images in pixels."""
    error_mm: float = 10.0
    """Mean vertex error of the dataset's annotation in mm, exact."""
    hand: Hands = "right"
    """Which hand, or both: palm to palm, each hiding and shadowing parts of the other."""
    truth_kind: Literal["matched", "mismatched"] = SyntheticSettings.kind
    """mismatched: glossy skin with a relief, a lamp, clutter, noise, colour casts, JPEG, an abrupt move."""
    held: HeldKind = "none"
    """A thing in the hand: box or cylinder. Its masks stand in the dataset's folder objects/."""

    def synthetic(self) -> SyntheticSettings:
        return SyntheticSettings(
            n_cameras=self.n_cameras,
            n_frames=self.n_frames,
            size=self.size,
            seed=self.settings.seed,
            kind=self.truth_kind,
            held=self.held,
        )


def tell_of_video(truths: Sequence[SyntheticTruth], error_mm: float, console: Console) -> None:
    n_images = len(truths[0].frames) * len(truths[0].cameras)
    console.print(f"{n_images} images and an annotation {error_mm:.2f} mm off")

"""`handrefine synthesize`: a multi-view video with exact truth, annotated with a prescribed error."""

from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from handrefine.cli.synthetic_video import SyntheticVideo, tell_of_video
from handrefine.export.new_output import new_folder
from handrefine.sequence import sides_of


@dataclass(frozen=True, kw_only=True)
class Synthesize(SyntheticVideo):
    """Make a synthetic multi-view video in InterHand2.6M's layout, its annotation perturbed, and truth.npz."""

    out: Path
    """Folder to create."""

    def __call__(self, console: Console) -> None:
        from handrefine.synthetic.video import synthesize

        with new_folder(self.out) as folder:
            truths = synthesize(folder, sides_of(self.hand), self.synthetic(), self.error_mm, self.settings)
        tell_of_video(truths, self.error_mm, console)
        console.print(f"dataset folder: {self.out}", markup=False)

"""`handrefine batch merge`: one annotation of all that a batch has refined."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from rich.console import Console
from tyro.conf import Positional

from handrefine.cli.common import Common, names


@dataclass(frozen=True, kw_only=True)
class BatchMerge(Common):
    """Write one annotation of the whole dataset in its own files, and a verdict on every frame and hand."""

    batch: Annotated[Path, Positional]
    """Folder of the batch."""
    out: Path
    """Folder to create."""
    use: str = "improved,unchanged"
    """Comma-separated verdicts of which frames get the refined annotation; all others keep the dataset's."""

    def __call__(self, console: Console) -> None:
        from handrefine.batch.folder import BatchFolder
        from handrefine.batch.merge import VERDICTS_CSV, merge

        merged = merge(BatchFolder(self.batch), self.out, use=names(self.use))
        for verdict, count in merged.counts.items():
            console.print(f"{count:8d}  {verdict}", highlight=False)
        for of in (of for of in merged.cameras if of.disagrees):
            told = f"the calibration of camera {of.camera} ({of.rig}) disagrees with most of {of.clips} clips"
            console.print(told, markup=False, highlight=False)
        told = f"{merged.used} frames of hands got the refined annotation, in {len(merged.files)} files"
        console.print(told, highlight=False)
        console.print(
            f"written: {self.out}   (every frame: {self.out / VERDICTS_CSV})", markup=False, highlight=False
        )

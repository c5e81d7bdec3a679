"""`handrefine export`: a finished run in the formats of other programs."""

from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from handrefine.cli.common import Common, RunArgument, Which, refuse_in_dataset
from handrefine.export import Format


@dataclass(frozen=True, kw_only=True)
class Export(Common):
    """Write a run in the formats of other programs: a Mitsuba scene, meshes, arrays, InterHand2.6M's files."""

    run: RunArgument
    """Run folder."""
    format: Format
    """xml: a scene for the mitsuba command. glb: the gesture as an animation. obj, ply: a mesh per frame."""
    out: Path
    """What to create: a file for glb and npz, a folder for the rest."""
    frame: int | None = None
    """Frame number of the one frame to export; all when missing (xml: the first)."""
    camera: str | None = None
    """Name of the camera (xml only); the first when missing."""
    which: Which = "after"
    """The hand as it was annotated, or as it was refined."""

    def __call__(self, console: Console) -> None:
        from handrefine.export.formats import export
        from handrefine.runs.reader import open_run

        run = open_run(self.run)
        refuse_in_dataset(self.run, self.out)
        export(run, self.format, self.out, frame=self.frame, camera=self.camera, which=self.which)
        console.print(f"written: {self.out}", markup=False, highlight=False)

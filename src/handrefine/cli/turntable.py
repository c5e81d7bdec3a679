"""`handrefine turntable`: images and an animation of the refined hand, turning."""

from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.progress import track

from handrefine.cli.common import Common, RunArgument, Which, one_hand, refuse_in_dataset
from handrefine.export.turntable import Animation, TurntableSettings, write_turntable


@dataclass(frozen=True, kw_only=True)
class Turntable(Common):
    """Render the refined hand on a turntable, its gesture passing meanwhile: PNG images and an animation."""

    run: RunArgument
    """Run folder."""
    out: Path
    """Folder to create."""
    scene: str = TurntableSettings.scene
    """turntable, studio, or an XML file with the same parameters."""
    frame: int | None = TurntableSettings.frame
    """Frame number of the one frame to show; all when missing."""
    which: Which = TurntableSettings.which
    """The hand as it was annotated, or as it was refined."""
    n_images: int = TurntableSettings.n_images
    """Number of images of one turn."""
    size: int = TurntableSettings.size
    """Width and height of an image in pixels."""
    spp: int = TurntableSettings.spp
    """Samples per pixel."""
    animation: Animation = TurntableSettings.animation
    """Format of the animation."""

    def __call__(self, console: Console) -> None:
        settings = TurntableSettings(
            scene=self.scene,
            frame=self.frame,
            which=self.which,
            n_images=self.n_images,
            size=self.size,
            spp=self.spp,
            animation=self.animation,
        )

        def watched(images):
            return track(images, "turning", total=self.n_images, console=console, transient=True)

        run = one_hand(self.run)
        refuse_in_dataset(self.run, self.out)
        write_turntable(run, self.out, settings, watched)
        console.print(f"written: {self.out}", markup=False, highlight=False)

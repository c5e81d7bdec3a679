"""`handrefine render-scene`: an exported scene as an image."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from rich.console import Console
from tyro.conf import Positional

from handrefine.cli.common import Common
from handrefine.errors import InputError


@dataclass(frozen=True, kw_only=True)
class RenderScene(Common):
    """Render the XML file of a Mitsuba scene, as `export --format xml` writes it.

    It does what the `mitsuba` command does, with an LLVM that works: some systems' own makes that command abort.
    """

    scene: Annotated[Path, Positional]
    """The scene's XML file."""
    out: Path
    """Image to write: .exr keeps linear radiance, .png is sRGB."""
    spp: int | None = None
    """Samples a pixel; the scene's own number when missing."""
    seed: int = 0
    """Another one gives other random numbers."""

    def __call__(self, console: Console) -> None:
        from handrefine.export.new_output import new_file
        from handrefine.io.exr import write_exr
        from handrefine.io.image_files import srgb_bytes, write_image
        from handrefine.render.mitsuba.scene_file import render_scene_file

        kind = self.out.suffix.lower()
        if kind not in (".exr", ".png"):
            raise InputError("no such image format", where=self.out, expected=".exr or .png")
        image = render_scene_file(self.scene, spp=self.spp, seed=self.seed)[..., -3:]  # reflectance comes last
        with new_file(self.out) as temporary:
            if kind == ".exr":
                write_exr(temporary, image)
            else:
                write_image(temporary, srgb_bytes(image))
        console.print(f"written: {self.out}", markup=False, highlight=False)

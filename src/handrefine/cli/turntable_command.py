"""`handrefine turntable`: pictures and an animation of the refined hand, turning."""

import tempfile
from pathlib import Path

from rich.console import Console
from rich.progress import track

from handrefine.errors import InputError
from handrefine.export.meshes import TexturedMesh, write_ply
from handrefine.export.new_folder import new_folder
from handrefine.export.turntable import Animation, scene_file, turning_pictures, upright, write_animation
from handrefine.image_files import write_picture
from handrefine.render.mitsuba.runtime import start_mitsuba
from handrefine.runs.finished_run import FinishedRun, Which


def turntable(
    folder: Path,
    out: Path,
    *,
    scene: str = "turntable",
    frame: int | None = None,
    which: Which = "after",
    pictures: int = 36,
    size: int = 320,
    spp: int = 64,
    animation: Animation = "webp",
    console: Console,
) -> None:
    """Write `out/000.png` ... and `out/turntable.webp`.

    Raises:
        InputError: the run, frame or scene does not exist, `out` does, or a number is not positive.
    """
    for name, value in (("pictures", pictures), ("size", size), ("spp", spp)):
        if value < 1:
            raise InputError(f"--{name} must be at least 1", found=value)
    run, scene_path = FinishedRun.open(folder), scene_file(scene)
    frames, texture = run.frames(frame), run.texture_file.resolve()
    state = run.state(which)
    standing, _ = upright(state.verts_world[list(frames)], state.joints_world[list(frames)])
    mesh = TexturedMesh.of(standing, run.annotation.topology)
    with new_folder(out) as unfinished, tempfile.TemporaryDirectory() as meshes:
        start_mitsuba()
        hands = [Path(meshes) / f"{k}.ply" for k in range(len(frames))]
        for k, path in enumerate(hands):
            write_ply(path, mesh, k)
        turning = turning_pictures(scene_path, hands, texture, pictures=pictures, size=size, spp=spp)
        shown = []
        for k, picture in enumerate(track(turning, "turning", total=pictures, console=console, transient=True)):
            write_picture(unfinished / f"{k:03d}.png", picture)
            shown.append(picture)
        if pictures > 1:
            write_animation(unfinished / f"turntable.{animation}", shown)
    console.print(f"written: {out}", markup=False, highlight=False)

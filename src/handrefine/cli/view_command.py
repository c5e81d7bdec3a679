"""`handrefine view`: a finished run in a browser, in 3D."""

import webbrowser
from pathlib import Path

import numpy as np
from rich.console import Console

from handrefine.errors import InputError
from handrefine.runs.annotation_file import RunAnnotation
from handrefine.runs.finished_run import FinishedRun
from handrefine.runs.view_images import read_view, read_view_index
from handrefine.synthetic.truth_file import load_truth
from handrefine.viewer.scene import WindowPicture
from handrefine.viewer.server import Viewer, ViewerContent


def view(
    folder: Path,
    *,
    truth: Path | None = None,
    host: str = "127.0.0.1",
    port: int = 8080,
    browser: bool = True,
    console: Console,
) -> None:
    """Serve until interrupted.

    Raises:
        InputError: the run or the truth does not exist or does not fit, or viser is not installed.
    """
    viewer = Viewer(viewer_content(folder, truth), host=host, port=port)
    console.print(f"{viewer.url}   (Ctrl+C ends it)", markup=False, highlight=False)
    if browser:
        webbrowser.open(viewer.url)
    viewer.serve()


def viewer_content(folder: Path, truth: Path | None) -> ViewerContent:
    """What the run folder says, and the truth at its frames."""
    run = FinishedRun.open(folder)
    annotation = run.annotation
    return ViewerContent(
        title=f"{folder.resolve().name}, {annotation.side} hand",
        frames=annotation.frames,
        states={"before": annotation.before, "after": annotation.after},
        topology=annotation.topology,
        texture=run.texture(),
        cameras=annotation.cameras,
        pictures=_pictures(folder, annotation),
        truth_verts_world=None if truth is None else _true_vertices(annotation, truth),
    )


def _pictures(folder: Path, annotation: RunAnnotation) -> dict[tuple[int, str], WindowPicture]:
    return {
        (annotation.frames.index(entry.frame), entry.camera): WindowPicture(
            read_view(folder, entry).image, entry.window_px
        )
        for entry in read_view_index(folder)
        if entry.frame in annotation.frames
    }


def _true_vertices(annotation: RunAnnotation, path: Path) -> np.ndarray:
    truth = load_truth(path, annotation.side)
    missing = [frame for frame in annotation.frames if frame not in truth.frames]
    found, expected = truth.verts_world.shape[1], annotation.after.verts_world.shape[1]
    if missing or truth.side != annotation.side or found != expected:
        raise InputError(
            "the truth belongs to another video, hand or hand model",
            where=path,
            expected=f"a {annotation.side} hand of {expected} vertices in frames "
            + ", ".join(map(str, annotation.frames)),
            found=f"a {truth.side} hand of {found} vertices in frames " + ", ".join(map(str, truth.frames)),
        )
    return truth.verts_world[[truth.frames.index(frame) for frame in annotation.frames]]

"""Every view: its images before and after under one slider, and a map of all views by frame and camera."""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from html import escape
from typing import Any

import numpy as np
import torch

from handrefine.errors import InputError
from handrefine.mesh import vertex_normals
from handrefine.report.contents import RunContents
from handrefine.report.figures import RESIDUAL, SHORT, VIEW_MEASURES, change_text
from handrefine.report.markup import LOSSLESS, figure, image_element
from handrefine.report.normals import normal_image
from handrefine.report.view_panels import (
    LABEL_COLOURS,
    contour_path,
    label_image,
    normals_over,
    on_black,
    shrunk,
    signed_residual,
)
from handrefine.runs.reader import HandRun
from handrefine.runs.result import RunAnnotation
from handrefine.runs.view_files import ViewEntry, ViewImages
from handrefine.sequence import Camera

#: Longest side of a view's images; runs with more views get smaller ones, so that the page stays quick.
LARGEST_PX, SMALLEST_PX, ALL_VIEWS_PX = 320, 176, 28_000
VIEW_QUALITY = 78
MOMENTS = ("before", "after")


@dataclass(frozen=True, eq=False)
class _Shown:
    """What a view's card needs besides its images; `key` is its name within the page."""

    entry: ViewEntry
    key: str
    figures: dict[str, Any]
    surfaces: "_Surfaces | None"
    side_px: int

    @property
    def name(self) -> str:
        return f"frame {self.entry.frame}, camera {self.entry.camera}"


@dataclass(frozen=True, eq=False)
class _Surfaces:
    """The hand before and after: vertices and their normals, world frame, at all frames."""

    frames: tuple[int, ...]
    cameras: Mapping[str, Camera]
    faces: np.ndarray
    states: Mapping[str, tuple[np.ndarray, np.ndarray]]

    @classmethod
    def of(cls, annotation: RunAnnotation | None) -> "_Surfaces | None":
        if annotation is None:
            return None
        states = {}
        for moment, state in (("before", annotation.before), ("after", annotation.after)):
            verts = torch.as_tensor(state.verts_world, dtype=torch.float64)
            states[moment] = verts.numpy(), vertex_normals(verts, annotation.topology).numpy()
        cameras = {camera.name: camera for camera in annotation.cameras}
        return cls(annotation.frames, cameras, np.asarray(annotation.topology.faces), states)


def view_cards(contents: RunContents, figures: list[dict[str, Any]]) -> str:
    """The cards of all views; the mean colour residual that their images show is added to `figures`."""
    by_key = {(entry["frame"], str(entry["camera"])): entry for entry in figures}
    side_px = int(np.clip(ALL_VIEWS_PX // max(1, len(contents.views)), SMALLEST_PX, LARGEST_PX))
    surfaces = _Surfaces.of(contents.annotation)
    shown = [
        _Shown(entry, f"view-{k}", by_key[entry.frame, entry.camera], surfaces, side_px)
        for k, entry in enumerate(contents.views)
    ]
    # Reading, drawing and encoding images leaves Python's lock alone for most of the time.
    with ThreadPoolExecutor() as pool:
        made = list(pool.map(lambda view: _card_or_fault(contents.run, view), shown))
    cards, frame = [], None
    for view, card in zip(shown, made, strict=True):
        if isinstance(card, InputError):
            contents.notes.append(f"The images of {view.name} cannot be shown: {card.what}.")
            continue
        if view.entry.frame != frame:
            frame = view.entry.frame
            cards.append(f'<h3 class="frame" id="frame-{frame}">Frame {frame}</h3>')
        cards.append(card)
    return "\n".join(cards)


def view_map(contents: RunContents, figures: list[dict[str, Any]]) -> str:
    """Links to all views: a row a frame, a column a camera, shaded by how much of the residual is left."""
    if not contents.views:
        return ""
    by_key = {(entry["frame"], str(entry["camera"])): entry for entry in figures}
    place = {(view.frame, view.camera): k for k, view in enumerate(contents.views)}
    cameras = list(dict.fromkeys(view.camera for view in contents.views))
    frames = list(dict.fromkeys(view.frame for view in contents.views))
    largest = max((_after(entry) for entry in by_key.values()), default=0.0) or 1.0
    head = "".join(f'<th scope="col">{escape(camera)}</th>' for camera in cameras)
    rows = ""
    for frame in frames:
        cells = ""
        for camera in cameras:
            k = place.get((frame, camera))
            cells += "<td></td>" if k is None else _map_cell(contents.views[k], k, by_key[frame, camera], largest)
        rows += f'<tr><th scope="row">{frame}</th>{cells}</tr>'
    return (
        '<div class="scroll" tabindex="0" role="region" aria-label="views by frame and camera">'
        '<table class="map">'
        f'<thead><tr><th scope="col">frame \\ camera</th>{head}</tr></thead><tbody>{rows}</tbody></table></div>'
        '<p class="small">Numbers: the mean colour residual after refining, in 8-bit levels.</p>'
    )


def legend() -> str:
    """What the colours of the images mean."""
    labels = "".join(
        f'<li><i class="swatch" style="background:rgb{colour}"></i>{name}</li>'
        for name, colour in LABEL_COLOURS.items()
    )
    return (
        '<ul class="legend keys"><li class="before">contour before</li><li class="after">contour after</li>'
        '<li><i class="swatch residual"></i>residual: image brighter … render brighter</li>'
        '<li><i class="swatch normals"></i>normals in the camera\'s frame</li>'
        f"{labels}</ul>"
    )


def _card_or_fault(run: HandRun, shown: _Shown) -> str | InputError:
    try:
        return _card(shown, run.view_images(shown.entry))
    except InputError as error:
        return error


def _card(shown: _Shown, view: ViewImages) -> str:
    entry, name = shown.entry, shown.name
    renders: dict[str, np.ndarray] = {"before": view.before, "after": view.after}
    residuals = {moment: signed_residual(view, render) for moment, render in renders.items()}
    shown.figures[RESIDUAL] = {moment: residual.mean_levels for moment, residual in residuals.items()}
    photo = image_element(shrunk(view.image, shown.side_px), f"image, {name}", quality=VIEW_QUALITY)
    labels = image_element(shrunk(label_image(view.label), shown.side_px), f"labels, {name}", quality=LOSSLESS)
    normals = _normals(shown, view)
    panels = {
        "contour over the image": photo + _contours(renders, entry),
        "render": _pair({moment: on_black(render) for moment, render in renders.items()}, "render", shown),
        "signed residual": _pair({m: residual.image for m, residual in residuals.items()}, "residual", shown),
        **({} if normals is None else {"normals": _pair(normals, "normals", shown)}),
        "labels": labels,
    }
    images = "".join(figure(f'<div class="stack">{inside}</div>', caption) for caption, inside in panels.items())
    numbers = [
        f"{SHORT[key]} {text}&nbsp;{VIEW_MEASURES[key].unit}"
        for key in SHORT
        if (text := change_text(shown.figures, key))
    ]
    return (
        f'<article class="view" id="{shown.key}" style="--aspect:{entry.size_px[0]}/{entry.size_px[1]}">'
        f'<header><h4>{escape(name)}</h4><p class="small">{" · ".join(numbers)}</p></header>'
        f'{wipe(f"share shown before refining, {name}")}<div class="panels">{images}</div></article>'
    )


def wipe(what: str, key: str = "") -> str:
    """A slider that is the border between before, on its left, and after."""
    named = f' id="{key}"' if key else ""
    return (
        '<span class="wipe"><span aria-hidden="true">before ◂</span>'
        f'<input type="range" min="0" max="100" value="50"{named} aria-label="{escape(what, quote=True)}">'
        '<span aria-hidden="true">▸ after</span></span>'
    )


def _pair(images: Mapping[str, np.ndarray], what: str, shown: _Shown) -> str:
    """An image before and one after, one upon the other."""
    return "".join(
        image_element(
            shrunk(images[moment], shown.side_px),
            f"{what} {moment}, {shown.name}",
            quality=VIEW_QUALITY,
            kind=moment,
        )
        for moment in MOMENTS
    )


def _contours(renders: Mapping[str, np.ndarray], entry: ViewEntry) -> str:
    width, height = entry.size_px
    paths = {moment: contour_path(render[..., 3]) for moment, render in renders.items()}
    return "".join(
        f'<svg class="contour {moment}" viewBox="0 0 {width} {height}" role="img" aria-label="contour {moment}">'
        f'<path class="rim" d="{path}"/><path class="line" d="{path}"/></svg>'
        for moment, path in paths.items()
    )


def _normals(shown: _Shown, view: ViewImages) -> dict[str, np.ndarray] | None:
    """Normals over the image before and after; None where the folder does not say where hand and camera are."""
    surfaces, entry = shown.surfaces, shown.entry
    if surfaces is None or entry.camera not in surfaces.cameras or entry.frame not in surfaces.frames:
        return None
    camera = _window_camera(surfaces.cameras[entry.camera].at(entry.frame), entry, shown.side_px)
    k = surfaces.frames.index(entry.frame)
    return {
        moment: normals_over(view.image, *normal_image(verts[k], normals[k], surfaces.faces, camera))
        for moment, (verts, normals) in surfaces.states.items()
    }


def _window_camera(camera: Camera, entry: ViewEntry, side_px: int) -> Camera:
    """The camera of the view's window, at the size of the images (small windows are drawn larger)."""
    x0, y0, x1, y1 = entry.window_px
    scale = side_px / max(entry.size_px)
    width, height = (max(1, round(size * scale)) for size in entry.size_px)
    return camera.cropped(x0, y0, x1 - x0, y1 - y0).resized(width, height)


def _after(entry: Mapping[str, Any]) -> float:
    return (entry.get(RESIDUAL) or {}).get("after") or 0.0


def _map_cell(view: ViewEntry, k: int, figures: Mapping[str, Any], largest: float) -> str:
    value, name = _after(figures), f"frame {view.frame}, camera {escape(view.camera, quote=True)}"
    return (
        f'<td><a href="#view-{k}" style="--heat:{100 * value / largest:.0f}%" '
        f'aria-label="{name}, residual {value:.1f}">{value:.0f}</a></td>'
    )

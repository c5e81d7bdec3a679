"""Every view: its pictures before and after under one slider, and a map of all views by instant and camera."""

from collections.abc import Mapping
from dataclasses import dataclass
from html import escape
from typing import Any

import numpy as np

from handrefine.errors import InputError
from handrefine.output.annotation_file import RunAnnotation
from handrefine.output.report.contents import RunContents
from handrefine.output.report.figures import RESIDUAL, SHORT, VIEW_MEASURES, change_text
from handrefine.output.report.markup import LOSSLESS, figure, image
from handrefine.output.report.normals import normal_picture
from handrefine.output.report.pictures import (
    LABEL_COLOURS,
    contour_path,
    label_picture,
    normals_over,
    on_black,
    shrunk,
    signed_residual,
)
from handrefine.output.view_pictures import ViewEntry, ViewPictures, read_view
from handrefine.sequence import Camera

#: Longest side of a view's pictures; runs with more views get smaller ones, so that the page stays quick.
LARGEST_PX, SMALLEST_PX, ALL_VIEWS_PX = 320, 176, 28_000
VIEW_QUALITY = 78
MOMENTS = ("before", "after")


@dataclass(frozen=True, eq=False)
class _Shown:
    """What a view's card needs besides its pictures."""

    entry: ViewEntry
    figures: dict[str, Any]
    annotation: RunAnnotation | None
    side_px: int

    @property
    def name(self) -> str:
        return f"frame {self.entry.frame}, camera {self.entry.camera}"


def view_cards(contents: RunContents, figures: list[dict[str, Any]]) -> str:
    """The cards of all views; the mean colour residual that their pictures show is added to `figures`."""
    by_key = {(entry["frame"], str(entry["camera"])): entry for entry in figures}
    side_px = int(np.clip(ALL_VIEWS_PX // max(1, len(contents.views)), SMALLEST_PX, LARGEST_PX))
    cards, frame = [], None
    for entry in contents.views:
        try:
            pictures = read_view(contents.run, entry)
        except InputError as error:
            contents.notes.append(f"The pictures of {entry.stem} cannot be shown: {error.what}.")
            continue
        if entry.frame != frame:
            frame = entry.frame
            cards.append(f'<h3 class="instant" id="frame-{frame}">Frame {frame}</h3>')
        shown = _Shown(entry, by_key[entry.frame, entry.camera], contents.annotation, side_px)
        cards.append(_card(shown, pictures))
    return "\n".join(cards)


def view_map(contents: RunContents, figures: list[dict[str, Any]]) -> str:
    """Links to all views: a row an instant, a column a camera, shaded by how much of the residual is left."""
    if not contents.views:
        return ""
    by_key = {(entry["frame"], str(entry["camera"])): entry for entry in figures}
    cameras = list(dict.fromkeys(view.camera for view in contents.views))
    frames = list(dict.fromkeys(view.frame for view in contents.views))
    largest = max((_after(entry) for entry in by_key.values()), default=0.0) or 1.0
    head = "".join(f'<th scope="col">{escape(camera)}</th>' for camera in cameras)
    rows = ""
    for frame in frames:
        cells = ""
        for camera in cameras:
            entry = by_key.get((frame, camera))
            cells += "<td></td>" if entry is None else _map_cell(frame, camera, entry, largest)
        rows += f'<tr><th scope="row">{frame}</th>{cells}</tr>'
    return (
        '<div class="scroll" tabindex="0" role="region" aria-label="views by instant and camera">'
        '<table class="map">'
        f'<thead><tr><th scope="col">frame \\ camera</th>{head}</tr></thead><tbody>{rows}</tbody></table></div>'
        '<p class="small">Numbers: the mean colour residual after refining, in 8-bit levels.</p>'
    )


def legend() -> str:
    """What the colours of the pictures mean."""
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


def _card(shown: _Shown, view: ViewPictures) -> str:
    entry, name = shown.entry, shown.name
    renders = dict(zip(MOMENTS, (view.before, view.after), strict=True))
    residuals = {moment: signed_residual(view, render) for moment, render in renders.items()}
    shown.figures[RESIDUAL] = {moment: residual.mean_levels for moment, residual in residuals.items()}
    photo = shrunk(view.image, shown.side_px)
    contours = _contours({moment: contour_path(render[..., 3]) for moment, render in renders.items()}, entry)
    panels = [
        _panel("contour over the image", image(photo, f"image, {name}", quality=VIEW_QUALITY) + contours),
        _panel(
            "render", _pair({m: shrunk(on_black(r), shown.side_px) for m, r in renders.items()}, "render", name)
        ),
        _panel(
            "signed residual",
            _pair({m: shrunk(r.picture, shown.side_px) for m, r in residuals.items()}, "residual", name),
        ),
    ]
    if (normals := _normals(shown, view)) is not None:
        panels.append(_panel("normals", _pair(normals, "normals", name)))
    panels.append(
        _panel(
            "labels", image(shrunk(label_picture(view.label), shown.side_px), f"labels, {name}", quality=LOSSLESS)
        )
    )
    numbers = [
        f"{SHORT[key]} {text}&nbsp;{VIEW_MEASURES[key].unit}"
        for key in SHORT
        if (text := change_text(shown.figures, key))
    ]
    key, aspect = (
        f"view-{entry.frame}-{escape(entry.camera, quote=True)}",
        f"{entry.size_px[0]}/{entry.size_px[1]}",
    )
    return (
        f'<article class="view" id="{key}" style="--aspect:{aspect}">'
        f'<header><h4>{escape(name)}</h4><p class="small">{" · ".join(numbers)}</p></header>'
        f'<div class="panels">{"".join(panels)}</div>'
        f"<label>{wipe(f'share shown before refining, {name}')}</label></article>"
    )


def wipe(what: str, key: str = "") -> str:
    """A slider between after and before."""
    named = f' id="{key}"' if key else ""
    return (
        '<span class="wipe"><span aria-hidden="true">after</span>'
        f'<input type="range" min="0" max="100" value="50"{named} aria-label="{escape(what, quote=True)}">'
        '<span aria-hidden="true">before</span></span>'
    )


def _panel(caption: str, inside: str) -> str:
    return figure(f'<div class="stack">{inside}</div>', caption)


def _pair(pictures: Mapping[str, np.ndarray], what: str, name: str) -> str:
    return "".join(
        image(pictures[moment], f"{what} {moment}, {name}", quality=VIEW_QUALITY, kind=moment)
        for moment in MOMENTS
    )


def _contours(paths: Mapping[str, str], entry: ViewEntry) -> str:
    width, height = entry.size_px
    return "".join(
        f'<svg class="contour {moment}" viewBox="0 0 {width} {height}" role="img" aria-label="contour {moment}">'
        f'<path class="rim" d="{paths[moment]}"/><path class="line" d="{paths[moment]}"/></svg>'
        for moment in MOMENTS
    )


def _normals(shown: _Shown, view: ViewPictures) -> dict[str, np.ndarray] | None:
    """Normals over the image before and after; None where the folder does not say where the camera is."""
    annotation, entry = shown.annotation, shown.entry
    cameras = {} if annotation is None else {camera.name: camera for camera in annotation.cameras}
    if annotation is None or entry.camera not in cameras or entry.frame not in annotation.frames:
        return None
    camera = _window_camera(cameras[entry.camera], entry, shown.side_px)
    k = annotation.frames.index(entry.frame)
    states = dict(zip(MOMENTS, (annotation.before, annotation.after), strict=True))
    return {
        moment: normals_over(view.image, *normal_picture(state.verts_world[k], annotation.topology, camera))
        for moment, state in states.items()
    }


def _window_camera(camera: Camera, entry: ViewEntry, side_px: int) -> Camera:
    """The camera of the view's window, at the size of the pictures (small windows are drawn larger)."""
    x0, y0, x1, y1 = entry.window_px
    scale = side_px / max(entry.size_px)
    width, height = (max(1, round(size * scale)) for size in entry.size_px)
    return camera.cropped(x0, y0, x1 - x0, y1 - y0).resized(width, height)


def _after(entry: Mapping[str, Any]) -> float:
    return (entry.get(RESIDUAL) or {}).get("after") or 0.0


def _map_cell(frame: int, camera: str, entry: Mapping[str, Any], largest: float) -> str:
    value, name = _after(entry), escape(camera, quote=True)
    return (
        f'<td><a href="#view-{frame}-{name}" style="--heat:{100 * value / largest:.0f}%" '
        f'aria-label="frame {frame}, camera {name}, residual {value:.1f}">{value:.0f}</a></td>'
    )

"""The figures of `metrics.json` that need the truth: errors in space, in the images, and of the texture."""

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from handrefine.errors import InputError
from handrefine.evaluation.metrics import mean_distance_mm, reprojection_px, texture_psnr_db
from handrefine.hand.model import HandGeometry
from handrefine.runs.result import HandState, Metrics, RunAnnotation
from handrefine.sequence import Camera, Side

#: Reflectance of the constant texture that every run starts from.
START_TEXTURE = 0.5
Figures = dict[str, float | None]


@runtime_checkable
class Truth(Protocol):
    """What is known of one hand, at frames among which those of a run are; `SyntheticTruth` is one."""

    @property
    def side(self) -> Side: ...
    @property
    def frames(self) -> tuple[int, ...]: ...
    @property
    def verts_world(self) -> Float[np.ndarray, "frame vertex 3"]: ...
    @property
    def joints_world(self) -> Float[np.ndarray, "frame 21 3"]: ...
    @property
    def texture(self) -> Float[np.ndarray, "height width 3"]: ...


def metrics_with_truth(
    annotation: RunAnnotation,
    texture: Float[np.ndarray, "height width 3"],
    seen: Bool[np.ndarray, "size size"],
    truth: Truth,
    known: Metrics,
    where: object = None,
) -> Metrics:
    """The figures of one hand with those that only the truth tells.

    Args:
        texture, seen: the texture that was found, and where a camera saw it.
        known: what `metrics.json` held before.
        where: where the truth was found, for the message of an error.

    Raises:
        InputError: the truth is of another video, hand or hand model.
    """
    true = geometry_of_truth(truth, annotation, where)
    states = {"before": _geometry(annotation.before), "after": _geometry(annotation.after)}
    cameras = {camera.name: camera for camera in annotation.cameras}
    views = [(row, cameras[name].at(annotation.frames[row])) for row, name in annotation.views]

    def changes(views: Sequence[tuple[int, Camera]], rows: slice = slice(None)) -> dict[str, object]:
        figures = {
            moment: geometry_metrics(_at(state, rows), _at(true, rows), views) for moment, state in states.items()
        }
        return _by_name(figures)

    per_frame = [
        {"frame": frame, **changes([(0, c) for k, c in views if k == row], slice(row, row + 1))}
        for row, frame in enumerate(annotation.frames)
    ]
    return {
        **known,
        **changes(views),
        **_parametric(annotation, true),
        "texture_psnr_db": texture_metrics(texture, seen, truth),
        "per_frame": per_frame,
        "per_view": _per_view(annotation, states, true, known.get("per_view") or []),
    }


def geometry_of_truth(truth: Truth, annotation: RunAnnotation, where: object = None) -> HandGeometry:
    """The true hand at the run's frames, in double precision.

    Raises:
        InputError: the truth is of another video, hand or hand model.
    """
    missing = [frame for frame in annotation.frames if frame not in truth.frames]
    expected = annotation.side, annotation.after.verts_world.shape[1]
    found = truth.side, truth.verts_world.shape[1]
    if missing or expected != found:
        frames, true_frames = (", ".join(map(str, of.frames)) for of in (annotation, truth))
        raise InputError(
            "the truth belongs to another video, hand or hand model",
            where=where,
            expected=f"a {expected[0]} hand of {expected[1]} vertices in frames {frames}",
            found=f"a {found[0]} hand of {found[1]} vertices in frames {true_frames}",
        )
    rows = [truth.frames.index(frame) for frame in annotation.frames]
    return HandGeometry(
        torch.as_tensor(truth.verts_world[rows]).double(), torch.as_tensor(truth.joints_world[rows]).double()
    )


def geometry_metrics(geometry: HandGeometry, truth: HandGeometry, views: Sequence[tuple[int, Camera]]) -> Figures:
    """Errors of one geometry against the truth at the same frames."""
    return {
        "vertex_error_mm": mean_distance_mm(geometry.verts_world, truth.verts_world),
        "joint_error_mm": mean_distance_mm(geometry.joints_world, truth.joints_world),
        "reprojection_px": reprojection_px(geometry.joints_world, truth.joints_world, views),
    }


def texture_metrics(
    texture: Float[np.ndarray, "height width 3"], seen: Bool[np.ndarray, "size size"], truth: Truth
) -> Figures:
    """PSNR of the texture found, and of the constant one that every run starts from."""
    true = torch.from_numpy(np.ascontiguousarray(truth.texture))
    start, found, mask = torch.full_like(true, START_TEXTURE), torch.as_tensor(texture), torch.as_tensor(seen)
    return {"before": texture_psnr(start, true, mask), "after": texture_psnr(found, true, mask)}


def texture_psnr(
    texture: Float[Tensor, "height width 3"],
    truth: Float[Tensor, "t_height t_width 3"],
    seen: Bool[Tensor, "s_height s_width"],
) -> float | None:
    """Eq. 5 on the grid of the seen texels, to which both textures are averaged."""

    def resized(image: Tensor) -> Tensor:
        channels_first = image.permute(2, 0, 1)[None].float()
        small = torch.nn.functional.interpolate(channels_first, size=tuple(seen.shape), mode="area")
        return small[0].permute(1, 2, 0)

    return texture_psnr_db(resized(texture), resized(truth), seen)


def _parametric(annotation: RunAnnotation, true: HandGeometry) -> dict[str, Figures]:
    """The error of what the parameters alone say, where the refined surface is another."""
    states = {"before": annotation.before, "after": annotation.after}
    if all(state.surface == "parametric" for state in states.values()):
        return {}
    surfaces = {
        moment: state.verts_world if state.parametric_verts_world is None else state.parametric_verts_world
        for moment, state in states.items()
    }
    errors = {
        moment: mean_distance_mm(torch.as_tensor(verts).double(), true.verts_world)
        for moment, verts in surfaces.items()
    }
    return {"parametric_vertex_error_mm": errors}


def _per_view(
    annotation: RunAnnotation, states: dict[str, HandGeometry], true: HandGeometry, known: Sequence[Metrics]
) -> list[Metrics]:
    """What is known of every view, by its frame and camera, with its reprojection error added."""
    cameras = {camera.name: camera for camera in annotation.cameras}
    figures = {(entry.get("frame"), entry.get("camera")): entry for entry in known}
    entries: list[Metrics] = []
    for row, name in annotation.views:
        key = annotation.frames[row], name
        errors = {
            moment: reprojection_px(state.joints_world, true.joints_world, [(row, cameras[name].at(key[0]))])
            for moment, state in states.items()
        }
        old = figures.get(key, {"frame": key[0], "camera": name})
        entries.append({**old, "reprojection_px": errors})
    return entries


def _by_name(figures: dict[str, Figures]) -> dict[str, object]:
    return {name: {moment: of[name] for moment, of in figures.items()} for name in next(iter(figures.values()))}


def _at(geometry: HandGeometry, rows: slice) -> HandGeometry:
    return HandGeometry(geometry.verts_world[rows], geometry.joints_world[rows])


def _geometry(state: HandState) -> HandGeometry:
    return HandGeometry(torch.as_tensor(state.verts_world).double(), torch.as_tensor(state.joints_world).double())

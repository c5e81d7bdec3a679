"""`handrefine evaluate`: a finished run against the truth of a synthetic video."""

import json
from pathlib import Path

import imageio.v3 as iio
import numpy as np
import torch
from rich.console import Console

from handrefine.cli.both_hands_command import BOTH, complete_metrics
from handrefine.cli.tables import before_after_table
from handrefine.colour import srgb_to_linear
from handrefine.errors import InputError
from handrefine.evaluation.metrics import reprojection_px
from handrefine.evaluation.run_metrics import geometry_metrics, texture_psnr
from handrefine.files import write_json
from handrefine.hand.model import HandGeometry
from handrefine.report import report_of_finished_run
from handrefine.runs.annotation_file import HandState, RunAnnotation, read_annotation_npz
from handrefine.runs.both_hands import runs_of_hands
from handrefine.sequence import Side
from handrefine.synthetic.truth import SyntheticTruth
from handrefine.synthetic.truth_file import load_truth

#: Texels of `texture_seen.png` are black or white.
SEEN = 0.5


def evaluate_run(run: Path, truth_file: Path, *, console: Console) -> dict[str, object]:
    """Fill in what `metrics.json` lacks without a truth, and show the table; of a run of both hands, hand by hand.

    Raises:
        InputError: the run or the truth is missing or broken, or they are of different videos.
    """
    if len(runs_of_hands(run)) == len(BOTH):
        by_hand: dict[Side, dict[str, object]] = {
            side: evaluate_run(run / side, truth_file, console=console) for side in BOTH
        }
        return complete_metrics(run, by_hand)
    metrics = json.loads(_read(run / "metrics.json"))
    annotation = read_annotation_npz(run / "annotation.npz")
    truth = load_truth(truth_file, annotation.side)
    metrics |= truth_metrics(annotation, truth, truth_file)
    metrics["per_frame"] = frame_metrics(annotation, truth, truth_file)
    metrics["per_view"] = view_metrics(annotation, truth, truth_file, metrics.get("per_view") or [])
    metrics["texture_psnr_db"] = texture_metrics(run, truth)
    write_json(run / "metrics.json", metrics)
    report_of_finished_run(run)
    console.print(before_after_table(metrics, title=f"{annotation.side} hand against {truth_file.name}"))
    return metrics


def truth_metrics(annotation: RunAnnotation, truth: SyntheticTruth, where: Path) -> dict[str, object]:
    """Errors before and after at the run's frames."""
    rows = _matching_frames(annotation, truth, where)
    true = _geometry(truth.verts_world[rows], truth.joints_world[rows])
    cameras = {camera.name: camera for camera in annotation.cameras}
    views = [(frame, cameras[name]) for frame, name in annotation.views]
    before, after = (
        geometry_metrics(_state_geometry(state), true, views) for state in (annotation.before, annotation.after)
    )
    return {name: {"before": before[name], "after": after[name]} for name in before}


def frame_metrics(annotation: RunAnnotation, truth: SyntheticTruth, where: Path) -> list[dict[str, object]]:
    """Errors before and after, one entry an index."""
    rows = _matching_frames(annotation, truth, where)
    true = _geometry(truth.verts_world[rows], truth.joints_world[rows])
    cameras = {camera.name: camera for camera in annotation.cameras}
    entries: list[dict[str, object]] = []
    for k, frame in enumerate(annotation.frames):
        views = [(0, cameras[name]) for index, name in annotation.views if index == k]
        before, after = (
            geometry_metrics(_frame(_state_geometry(state), k), _frame(true, k), views)
            for state in (annotation.before, annotation.after)
        )
        figures = {name: {"before": before[name], "after": after[name]} for name in before}
        entries.append({"frame": frame, **figures})
    return entries


def view_metrics(
    annotation: RunAnnotation, truth: SyntheticTruth, where: Path, known: list[dict[str, object]]
) -> list[dict[str, object]]:
    """What is known of every view, by its frame and camera, with its reprojection error added."""
    rows = _matching_frames(annotation, truth, where)
    true = _geometry(truth.verts_world[rows], truth.joints_world[rows]).joints_world
    states = {
        moment: _state_geometry(state).joints_world
        for moment, state in (("before", annotation.before), ("after", annotation.after))
    }
    cameras = {camera.name: camera for camera in annotation.cameras}
    figures = {(entry.get("frame"), entry.get("camera")): entry for entry in known}
    entries: list[dict[str, object]] = []
    for frame, name in annotation.views:
        key = annotation.frames[frame], name
        errors = {
            moment: reprojection_px(joints, true, [(frame, cameras[name])]) for moment, joints in states.items()
        }
        old = figures.get(key, {"frame": key[0], "camera": name})
        entries.append({**old, "reprojection_px": errors})
    return entries


def texture_metrics(run: Path, truth: SyntheticTruth) -> dict[str, float | None]:
    """PSNR of the texture found, and of the constant one that every run starts from."""
    texture = srgb_to_linear(_picture(run / "texture.png"))
    seen = torch.from_numpy(_picture(run / "texture_seen.png")[..., 0] > SEEN)
    true = torch.from_numpy(np.ascontiguousarray(truth.texture))
    after = texture_psnr(torch.from_numpy(texture), true, seen)
    before = texture_psnr(torch.full_like(true, 0.5), true, seen)
    return {"before": before, "after": after}


def _matching_frames(annotation: RunAnnotation, truth: SyntheticTruth, where: Path) -> list[int]:
    missing = [str(frame) for frame in annotation.frames if frame not in truth.frames]
    expected = truth.side, truth.verts_world.shape[1]
    found = annotation.side, annotation.after.verts_world.shape[1]
    if missing or expected != found:
        frames, true_frames = (", ".join(map(str, of.frames)) for of in (annotation, truth))
        raise InputError(
            "the truth belongs to another video, hand or hand model",
            where=where,
            expected=f"a {found[0]} hand of {found[1]} vertices in frames {frames}",
            found=f"a {expected[0]} hand of {expected[1]} vertices in frames {true_frames}",
        )
    return [truth.frames.index(frame) for frame in annotation.frames]


def _frame(geometry: HandGeometry, k: int) -> HandGeometry:
    return HandGeometry(geometry.verts_world[k : k + 1], geometry.joints_world[k : k + 1])


def _state_geometry(state: HandState) -> HandGeometry:
    return _geometry(state.verts_world, state.joints_world)


def _geometry(verts_world: np.ndarray, joints_world: np.ndarray) -> HandGeometry:
    return HandGeometry(torch.as_tensor(verts_world).double(), torch.as_tensor(joints_world).double())


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise InputError(
            "this is not a finished run folder", where=path, found=error.strerror, fix="give the --out of a refine"
        ) from error


def _picture(path: Path) -> np.ndarray:
    try:
        return np.asarray(iio.imread(path), dtype=np.float32)[..., :3] / 255
    except OSError as error:
        raise InputError("a picture of the run cannot be read", where=path, found=error) from error

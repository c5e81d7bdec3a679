"""`handrefine synthesize`: a multi-view video with exact truth, annotated with a prescribed error."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from rich.console import Console

from handrefine.config import Config
from handrefine.data.interhand26m_video_writer import write_interhand26m_sequence
from handrefine.data.synthetic import SyntheticSettings, SyntheticTruth, make_truth, save_truth
from handrefine.errors import InputError
from handrefine.evaluate.perturb import perturb_annotation
from handrefine.hand.model import HandModel, load_hand_model
from handrefine.refine.job import render_settings
from handrefine.render.backends import create_renderer
from handrefine.render.base import HandSurface, View, ViewSet
from handrefine.render.mitsuba.runtime import start_mitsuba
from handrefine.sequence import HandAnnotation, Side
from handrefine.spherical import latlong_directions, sh_basis

#: Samples a pixel of the pictures that play the part of photographs.
PHOTO_SPP = 64
COVERED = 0.5
TRUTH_FILE = "truth.npz"

Views = dict[tuple[int, str], np.ndarray]


def synthesize(
    out: Path, side: Side, settings: SyntheticSettings, error_mm: float, config: Config, *, console: Console
) -> SyntheticTruth:
    """Write a video in InterHand2.6M's layout, and its truth beside it.

    The dataset's annotation is the truth perturbed to exactly `error_mm` mean vertex error; `truth.npz` holds the
    truth and is read by `evaluate` only.

    Raises:
        InputError: the folder holds something already, or the settings are impossible.
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise InputError("the output folder holds something already", where=out, fix="choose another folder")
    runtime = start_mitsuba(config.render.variant)
    hand = load_hand_model(side, config.hand.model_file, fix_left_shape=config.hand.fix_left_shape)
    truth = make_truth(hand, hand.default_skin(), settings)
    images, masks = photograph(hand, truth, config, runtime.device)
    annotation = imperfect_annotation(hand, truth, error_mm, settings.seed)
    write_interhand26m_sequence(out, truth.cameras, truth.frames, images, {side: annotation}, masks=masks)
    save_truth(out / TRUTH_FILE, truth)
    console.print(f"{len(images)} images and an annotation {error_mm:.2f} mm off: {out}")
    return truth


def photograph(
    hand: HandModel, truth: SyntheticTruth, config: Config, device: torch.device
) -> tuple[Views, Views]:
    """The images, linear RGB, and the masks of a true video, over black."""
    keys = [(k, name) for k in range(len(truth.frames)) for name in truth.cameras]
    views = ViewSet(tuple(View(k, truth.cameras[name]) for k, name in keys))
    settings = replace(render_settings(config.render), spp=PHOTO_SPP, shading="radiance")
    renderer = create_renderer(config.render.backend, [hand.topology], views, settings)
    height = config.light.map_height
    order = int(np.sqrt(len(truth.light))) - 1
    environment = sh_basis(latlong_directions(height, 2 * height), order) @ torch.as_tensor(truth.light).float()
    surface = HandSurface(
        torch.as_tensor(truth.verts_world).float().to(device),
        torch.as_tensor(truth.texture).float().to(device)[None],
    )
    with torch.no_grad():
        picture = renderer.render([surface], environment.clamp(min=0).to(device), seed=config.seed)
    images = [image.cpu().numpy() for image in views.split(picture.rgb)]
    covered = [coverage.cpu().numpy() >= COVERED for coverage in views.split(picture.coverage[:, 0])]
    return dict(zip(keys, images, strict=True)), dict(zip(keys, covered, strict=True))


def imperfect_annotation(hand: HandModel, truth: SyntheticTruth, error_mm: float, seed: int) -> HandAnnotation:
    """The truth's annotation, perturbed to that mean vertex error."""

    def vertices(*parameters: torch.Tensor) -> torch.Tensor:
        return hand(*parameters, flat_hand_mean=truth.mano.flat_hand_mean).verts_world

    perturbed = perturb_annotation(vertices, truth.mano, error_mm, seed)
    return HandAnnotation(truth.side, mano=perturbed, mano_valid=np.ones(len(truth.frames), dtype=bool))

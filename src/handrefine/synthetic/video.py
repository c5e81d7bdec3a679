"""A synthetic video as a dataset on disk: images, an annotation with a prescribed error, and the exact truth."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from handrefine.config import Config
from handrefine.datasets.interhand26m_video_writer import NewVideo, write_interhand26m_sequence
from handrefine.errors import InputError
from handrefine.hand.model import HandGeometry, HandModel, load_hand_model
from handrefine.render.mitsuba.runtime import start_mitsuba
from handrefine.sequence import HandAnnotation, Side
from handrefine.synthetic.perturbation import perturb_annotation
from handrefine.synthetic.truth import SyntheticSettings, SyntheticTruth, make_truths
from handrefine.synthetic.truth_file import save_truth
from handrefine.synthetic.video_images import render_images

#: The truth's file in the dataset's folder.
TRUTH_FILE = "truth.npz"


def synthesize(
    out: Path, sides: Sequence[Side], settings: SyntheticSettings, error_mm: float, config: Config
) -> tuple[SyntheticTruth, ...]:
    """Write a video of some hands in InterHand2.6M's layout, and its truth beside it; returns the truth.

    The dataset's annotation is the truth perturbed to exactly `error_mm` mean vertex error, hand by hand;
    `truth.npz` holds the truth and is read by `evaluate` only.

    Raises:
        InputError: the folder holds something already, or the settings are impossible.
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise InputError("the output folder holds something already", where=out, fix="choose another folder")
    runtime = start_mitsuba(config.render.variant)
    models = [
        load_hand_model(side, config.hand.model_file, fix_left_shape=bool(config.hand.fix_left_shape))
        for side in sides
    ]
    truths = make_truths(models, [model.default_skin() for model in models], settings)
    taken = render_images(models, truths, settings, config, runtime.device)
    annotations: dict[Side, HandAnnotation] = {
        model.side: imperfect_annotation(model, truth, error_mm, settings.seed + k)
        for k, (model, truth) in enumerate(zip(models, truths, strict=True))
    }
    cameras, frames = truths[0].cameras, truths[0].frames
    video = NewVideo(objects=taken.objects, things=taken.things)
    write_interhand26m_sequence(out, cameras, frames, taken.images, annotations, masks=taken.masks, video=video)
    save_truth(out / TRUTH_FILE, *truths)
    return truths


def imperfect_annotation(hand: HandModel, truth: SyntheticTruth, error_mm: float, seed: int) -> HandAnnotation:
    """The truth's annotation, perturbed to that mean vertex error, and the joints of the perturbed hand."""

    def posed(*parameters: torch.Tensor) -> HandGeometry:
        return hand(*parameters, flat_hand_mean=truth.mano.flat_hand_mean)

    mano = perturb_annotation(lambda *of: posed(*of).verts_world, truth.mano, error_mm, seed)
    tensors = (torch.as_tensor(of, dtype=torch.float32) for of in (mano.pose_aa, mano.shape, mano.trans_m))
    with torch.no_grad():
        joints_world = posed(*tensors).joints_world.double().numpy()
    n = len(truth.frames)
    return HandAnnotation(truth.side, mano, np.ones(n, bool), joints_world, np.ones((n, 21), bool))

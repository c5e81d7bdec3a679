"""Camera weights in a refinement: measured from predictions, put into the terms, and worth it."""

import json
import logging
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from made_iterates import camera_weights, iterate_of, pose_of, prediction_of, setup_of, values, video_hand
from made_observations import NAMES, SIZE, observations
from short_schedules import schedule

from handrefine.config import Config
from handrefine.config_files import config_from_mapping
from handrefine.datasets.interhand26m import read_interhand26m
from handrefine.evaluation.monitors import error_monitor
from handrefine.losses.base import Residuals, TermConfig
from handrefine.losses.comparison import Comparison
from handrefine.losses.data import DataConfig, counted
from handrefine.losses.edge import EdgeConfig, pixels_on_edges
from handrefine.losses.norms import PixelNorm
from handrefine.losses.silhouette import SilhouetteConfig
from handrefine.observations import Observations
from handrefine.pipeline import save_run
from handrefine.refinement.camera_weights import CameraWeights, CameraWeightsConfig
from handrefine.refinement.refine import refine
from handrefine.runs.result import CameraResult
from handrefine.scene.video_model import Prediction
from handrefine.synthetic.truth import SyntheticSettings
from handrefine.synthetic.truth_file import load_truth
from handrefine.synthetic.video import synthesize

IMAGE_TERMS: dict[str, TermConfig] = {"data": DataConfig(), "silhouette": SilhouetteConfig(), "edge": EdgeConfig()}


def wrong(seen: Observations, camera: str, fault: str) -> Prediction:
    """The truth in all cameras but one."""
    images = seen.target.clone().reshape(4, SIZE, SIZE, 3)
    k = NAMES.index(camera)
    images[k] = images[k].roll(5, dims=1) if fault == "shift" else images[k].flip(-1)
    return prediction_of(images.reshape(-1, 3))


def terms_of(
    terms: dict[str, TermConfig],
    prediction: Prediction,
    *,
    seen: Observations | None = None,
    weights: CameraWeights | None = None,
    norm: PixelNorm | None = None,
) -> dict[str, float]:
    seen, hand = seen or observations(), video_hand(pose_of(np.zeros((1, 48))))
    iterate = iterate_of([hand], prediction=prediction, seen=seen, weights=weights)
    return {
        name: term.item() for name, term in values(terms, setup_of([hand], seen=seen, norm=norm), iterate).items()
    }


def measured(fault: str, times: int = 3, **settings) -> CameraWeights:
    seen = observations()
    weights = CameraWeights(CameraWeightsConfig(every=3, **settings), NAMES, torch.device("cpu"))
    guess = wrong(seen, "c", fault)
    for _ in range(times):
        weights.watch(guess, Comparison(guess.hand_rgb, guess.hand_rgb, seen.target), seen, 1)
    return weights


def test_weights_are_one_until_they_are_measured():
    assert measured("shift", times=2).colour.tolist() == [1.0] * 4


@pytest.mark.parametrize(
    ("fault", "reason", "silhouette"),
    [("shift", "geometry disagrees", False), ("swap", "colour disagrees", True)],
)
def test_a_wrong_camera_loses_its_weight(fault, reason, silhouette, caplog):
    weights = measured(fault)
    assert weights.colour[2] < 0.3
    assert weights.colour[[0, 1, 3]].tolist() == [1.0] * 3
    assert (weights.silhouette[2] == 1.0).item() == silhouette
    assert weights.trusts[2].reason == reason
    with caplog.at_level(logging.WARNING, logger="handrefine"):
        weights.warn()
    assert [reason in record.getMessage() for record in caplog.records] == [True]
    weights.believe([NAMES[2]])
    assert weights.colour.tolist() == weights.silhouette.tolist() == [1.0] * 4


def test_switched_off_it_tells_and_changes_nothing():
    weights = measured("shift", enabled=False)
    assert weights.colour.tolist() == weights.silhouette.tolist() == [1.0] * 4
    assert weights.trusts[2].reason == "geometry disagrees"


def test_a_camera_without_weight_has_no_say_in_any_term():
    seen, weights = observations(), camera_weights()
    weights.colour = weights.silhouette = torch.tensor([1.0, 1.0, 0.0, 1.0])
    right = terms_of(IMAGE_TERMS, prediction_of(seen.target), weights=weights)
    without = terms_of(IMAGE_TERMS, wrong(seen, "c", "shift"), weights=weights)
    assert sorted(right) == ["data", "edge", "silhouette"]
    assert right == without == dict.fromkeys(right, 0.0)
    weights.colour = weights.silhouette = torch.ones(4)
    assert all(term > 0 for term in terms_of(IMAGE_TERMS, wrong(seen, "c", "shift"), weights=weights).values())


def test_edges_compare_contrast_or_colours():
    """A hand that is a little brighter all over: its colours differ, its edges but for the outline do not."""
    seen = observations()
    brighter = prediction_of(seen.target + 0.05 * seen.hand_share[:, None])
    of_contrast, of_colours = (
        terms_of({"edge": EdgeConfig(contrast_px=px)}, brighter, norm=PixelNorm(norm="l1"))["edge"]
        for px in (2.0, 0.0)
    )
    assert of_colours > 0.02
    assert 0 < of_contrast < 0.6 * of_colours


def test_edges_of_render_and_image_are_united():
    """The term is the mean residual over both; over either's edges alone it would be another."""
    seen, norm = observations(), PixelNorm(norm="l1")
    guess = wrong(seen, "c", "shift")
    term = terms_of({"edge": EdgeConfig(contrast_px=0)}, guess, norm=norm)["edge"]
    of_render, of_image = (pixels_on_edges(seen.views.split(p)) for p in (guess.hand_rgb, seen.target))

    def mean(weight: torch.Tensor) -> float:
        count = counted(weight, guess.coverage, seen.background_known)
        return Residuals(guess.hand_rgb - seen.target, norm, weight, count).value().item()

    assert term == pytest.approx(mean(seen.colour_weight * (of_render | of_image)), rel=1e-5)
    for alone in (of_render, of_image):
        assert term != pytest.approx(mean(seen.colour_weight * alone), rel=0.01)


def test_grey_cameras_compare_luminance_only():
    """A change of hue that keeps luminance costs nothing; a change of luminance does."""
    seen = observations(grey=True)
    hand = seen.hand_share[:, None]
    hue = torch.tensor([0.1, -0.1 * 0.2126 / 0.7152, 0.0])
    exact, hued, brighter = (
        terms_of(
            {"data": DataConfig()},
            prediction_of(seen.target + hand * change),
            seen=seen,
            norm=PixelNorm(norm="l1"),
        )["data"]
        for change in (torch.zeros(3), hue, torch.full((3,), 0.05))
    )
    assert exact < 1e-6
    assert hued < 1e-6
    assert brighter == pytest.approx(0.05 * seen.hand_share.mean().item(), rel=1e-3)


FEW = {
    "texture": {"size": 64},
    "render": {"depth": 2},
    "stages": schedule(environment=5, texture=5, joint=25),
    "camera_weights": {"every": 5},
}


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("video") / "data"
    settings = SyntheticSettings(n_cameras=5, n_frames=1, size=64, texture_size=128)
    synthesize(folder, ("right",), settings, 6.0, Config())
    return folder


def with_fault(
    folder: Path, *, weigh: bool, seed: int = 0, out: Path | None = None
) -> tuple[float, list[CameraResult]]:
    """The final error in mm where one camera's principal point is off by 8 px (a ninth of the image)."""
    sequence, truth = read_interhand26m(folder), load_truth(folder / "truth.npz")
    name = list(sequence.cameras)[2]
    moved = replace(sequence.cameras[name], cx=sequence.cameras[name].cx + 8.0)
    config = config_from_mapping(FEW | {"camera_weights": {"every": 5, "enabled": weigh}, "seed": seed})
    faulty = replace(sequence, cameras={**sequence.cameras, name: moved})
    monitors = {truth.side: error_monitor(truth)}
    result = refine(faulty, truth.side, config, monitors=monitors)
    if out is not None:
        save_run(result, faulty, out)
    return float(result.records[-1]["vertex_error_mm"]), list(result.cameras)


@pytest.mark.slow
def test_one_camera_with_a_wrong_calibration_is_found_and_does_less_harm(video, tmp_path):
    """Two seeds: 0.63 and 0.85 mm are left without the fault, 1.39 and 1.48 with it, 1.03 and 0.67 weighed."""
    believed = [with_fault(video, weigh=False, seed=seed)[0] for seed in (0, 1)]
    first, trusts = with_fault(video, weigh=True, out=tmp_path / "run")
    second, _ = with_fault(video, weigh=True, seed=1)
    assert first + second < 0.7 * sum(believed)
    assert trusts[2].weight < 0.5
    assert trusts[2].reason == "geometry disagrees"
    assert min(t.weight for k, t in enumerate(trusts) if k != 2) > 0.5
    written = json.loads((tmp_path / "run" / "cameras.json").read_text())
    assert [entry["camera"] for entry in written] == [t.camera.name for t in trusts]
    assert sorted(written[2]) == ["agreement", "camera", "reason", "visible_share", "weight"]
    assert written[2]["reason"] == "geometry disagrees"

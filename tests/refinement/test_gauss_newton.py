"""Second-order stages: their direction against finite differences, recovery, two hands, and what they refuse."""

from pathlib import Path
from typing import Any

import pytest
import torch

from handrefine.config import Config
from handrefine.config_files import config_from_mapping
from handrefine.datasets.interhand26m import read_interhand26m
from handrefine.errors import InputError
from handrefine.evaluation.monitors import error_monitor
from handrefine.losses.base import Iterate
from handrefine.optimizers.information import vertex_information
from handrefine.optimizers.picture_motion import linearised, picture_gradient
from handrefine.optimizers.surface_points import PointFinder
from handrefine.optimizers.vertex_metric import jacobians
from handrefine.refinement.camera_weights import CameraWeights, CameraWeightsConfig
from handrefine.refinement.problem import Problem, prepare
from handrefine.refinement.refine import refine
from handrefine.refinement.view_batches import batches
from handrefine.refinement.watchers import Monitor
from handrefine.sequence import Side
from handrefine.synthetic.truth import SyntheticSettings
from handrefine.synthetic.truth_file import load_truth
from handrefine.synthetic.video import synthesize

BOTH: tuple[Side, ...] = ("right", "left")
OUTLINE = {
    "name": "outline", "iterations": 5, "gradient": "image", "closed_form": True, "blur_px": 1.5,
    "texture_levels": 3, "skip_losses": ["edge"],
}  # fmt: skip


def second_order(*stages: dict[str, Any], **more: object) -> Config:
    optimizer = {"optimizer": {"geometry": "gauss_newton"}}
    return config_from_mapping({"texture": {"size": 64}, **optimizer, "stages": list(stages), **more})


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("video") / "data"
    settings = SyntheticSettings(n_cameras=4, n_frames=2, size=48, texture_size=128)
    synthesize(folder, BOTH, settings, 10.0, Config())
    return folder


def silhouettes(problem: Problem) -> tuple[float, torch.Tensor]:
    """The blurred silhouettes' value at the problem's pose, and their image-space gradient by all variables."""
    (stage,) = problem.stages.values()
    (batch,) = batches(problem, stage)
    model, seen = problem.model, batch.observations
    cameras = CameraWeights(CameraWeightsConfig(), seen.camera_names, seen.image.device)
    with torch.no_grad():
        prediction = model.predict(batch.renderer, seen, texture_levels=1, seed=0)
        finder = PointFinder(model.hands, seen.views, seen.image.device)
        hits = batch.renderer.first_hits(model.surfaces(prediction.geometries))  # pyright: ignore
        points = finder.find(hits, prediction.geometries, beside_px=4)
        gradient = picture_gradient(prediction, seen, finder.stack)
    iterate = Iterate(model, prediction, problem.compare(prediction, seen), cameras)
    blocks = [
        of for of in linearised(batch.objective, iterate, seen, gradient, protect=False) if of.term == "silhouette"
    ]
    found = vertex_information(blocks, points, prediction.coverage, int(finder.first_vertex[-1]))
    (hand,) = model.hands
    jacobian = jacobians(hand)[0]
    force = found.gradient.reshape(len(jacobian), -1, 1)
    return float(blocks[0].scale * blocks[0].block.value()), (jacobian.mT @ force)[..., 0]


def test_the_direction_is_that_of_finite_differences(data: Path) -> None:
    """Blurred silhouettes 10 mm off, over all cameras: the three translations of each frame, moved by 1 mm."""
    config = second_order(OUTLINE, render={"spp": 64, "shading": "albedo"}, losses={"terms": ["silhouette"]})
    problem = prepare(read_interhand26m(data), ["right"], config)
    _, slope = silhouettes(problem)
    translation = problem.model.hands[0].pose.translation
    measured = torch.zeros(2, 3, dtype=torch.float64)
    for frame in range(2):
        for axis in range(3):
            values = []
            for sign in (1.0, -1.0):
                with torch.no_grad():
                    translation[frame, axis] += sign * 1e-3
                    values.append(silhouettes(problem)[0])
                    translation[frame, axis] -= sign * 1e-3
            measured[frame, axis] = (values[0] - values[1]) / 2e-3
    found = slope[:, 3:6]
    assert float((found * measured).sum() / found.norm() / measured.norm()) > 0.9
    assert 0.6 < float(found.norm() / measured.norm()) < 1.6


def errors_mm(data: Path, config: Config) -> list[float]:
    monitors: dict[Side, Monitor] = {s: error_monitor(load_truth(data / "truth.npz", s)) for s in BOTH}
    records = refine(read_interhand26m(data), BOTH, config, monitors=monitors).records
    return [float(str(record["vertex_error_mm"])) for record in records]


def test_two_hands_come_closer(data: Path) -> None:
    """By pictures alone, then by the renderer's own gradient in the same metric."""
    joint = {"name": "joint", "iterations": 2, "closed_form": True, "texture_levels": 3}
    errors = errors_mm(data, second_order(OUTLINE, joint))
    assert errors[0] == pytest.approx(10.0, abs=1e-3)
    assert errors[-1] < 7.5


def test_frames_alone_come_closer(data: Path) -> None:
    alone = OUTLINE | {"variables": ["rotation", "translation", "articulation", "shape", "texture"]}
    terms = ["data", "silhouette", "joint_limits", "usual_pose", "usual_shape", "penetration"]
    more = {"frame_coupling": "independent", "render": {"shading": "albedo"}, "losses": {"terms": terms}}
    assert errors_mm(data, second_order(alone, **more))[-1] < 7.5


@pytest.mark.parametrize("change", [{"gradient": "image"}, {"closed_form": True}])
def test_first_order_optimizers_need_the_renderer(data: Path, change: dict[str, Any]) -> None:
    config = config_from_mapping({"stages": [{"name": "joint", "iterations": 1, **change}]})
    with pytest.raises(InputError, match="gauss_newton"):
        prepare(read_interhand26m(data), ["right"], config)

"""Every object with a state goes on, from a file, exactly as the one that gave it."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from made_iterates import camera_weights, pose_of, video_hand

from handrefine.camera import Camera, CameraPath
from handrefine.hand.model import HandGeometry
from handrefine.lens import Lens
from handrefine.optimizers.adam import Adam
from handrefine.optimizers.stage_optimizer import OptimizerConfig, StageOptimizer
from handrefine.optimizers.vertex_metric_descent import VertexMetricConfig
from handrefine.progress import SilentProgress
from handrefine.refinement.around import Around
from handrefine.refinement.camera_evidence import CameraTrust
from handrefine.refinement.camera_mending import MendCameras
from handrefine.refinement.pace import Pace
from handrefine.refinement.schedule import StageConfig
from handrefine.refinement.visibility import Visibility
from handrefine.refinement.watchers import KeepRandomNumbers, KeepWarnings, WriteLog
from handrefine.runs.result import MendedCamera
from handrefine.scene.colour_transforms import ColourTransforms
from handrefine.scene.light import SphericalLight
from handrefine.scene.variables import learning_rates
from handrefine.scene.video_model import VideoModel
from handrefine.state import State, Stateful, read_state, write_state


@pytest.fixture
def filed(tmp_path: Path) -> Callable[[State], dict[str, Any]]:
    """The state as a later process reads it."""

    def through(state: State) -> dict[str, Any]:
        write_state(tmp_path / "state.npz", state)
        return read_state(tmp_path / "state.npz")

    return through


def same(a: object, b: object) -> bool:
    if isinstance(a, torch.Tensor | np.ndarray):
        return np.array_equal(np.asarray(a), np.asarray(b), equal_nan=True)
    if isinstance(a, Mapping) and isinstance(b, Mapping):
        return set(a) == set(b) and all(same(a[name], b[name]) for name in a)
    if isinstance(a, list | tuple) and isinstance(b, list | tuple):
        return len(a) == len(b) and all(map(same, a, b))
    return a == b


def model() -> VideoModel:
    hand = video_hand(pose_of(np.random.default_rng(1).normal(0, 0.2, (2, 48))))
    return VideoModel([hand], SphericalLight(1), 4, ColourTransforms(2))


def give_gradients(of: VideoModel, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    for parameter in of.parameters():
        parameter.grad = torch.randn(parameter.shape, generator=generator)


@pytest.mark.parametrize("geometry", ["adam", "vertex_metric"])
def test_optimizers_step_on(filed: Callable[[State], dict[str, Any]], geometry: str) -> None:
    """Over a refresh of the metric, and with a texture that the images hardly show."""
    names = ("rotation", "translation", "articulation", "shape", "texture", "environment", "colour")
    config = OptimizerConfig(geometry=geometry, vertex_metric=VertexMetricConfig(refresh=3))
    models = [model(), model()]
    first, second = (StageOptimizer(of, names, learning_rates(), config) for of in models)
    for seed in range(4):
        give_gradients(models[0], seed)
        first.step(0.7)
    state = filed({"model": models[0].state_dict(), "optimizer": first.state()})
    models[1].load_state_dict(state["model"])
    second.load_state(state["optimizer"])
    assert same(second.state(), first.state())
    for seed in range(4, 7):
        for of, optimizer in zip(models, (first, second), strict=True):
            give_gradients(of, seed)
            optimizer.step(0.7)
    assert same(models[0].state_dict(), models[1].state_dict())


def test_adam_without_anything_to_move_has_no_state(filed: Callable[[State], dict[str, Any]]) -> None:
    of = Adam(model(), (), {})
    of.load_state(filed(of.state()))
    of.step(1.0)


def test_a_pace_goes_on(filed: Callable[[State], dict[str, Any]]) -> None:
    config = StageConfig(iterations=20, most_iterations=30, final_rate=0.1)
    losses = np.random.default_rng(0).normal(1, 1e-3, 60)
    for stop in range(25):
        first, second = Pace(config, 2), Pace(config, 2)
        for loss in losses[:stop]:
            first.advance(loss)
        second.load_state(filed(first.state()))
        for loss in losses[stop:]:
            if first.ended is None:
                first.advance(loss)
                second.advance(loss)
            assert (first.rate, first.ended) == (second.rate, second.ended)
        assert first.ended is not None


def test_camera_weights_come_back(filed: Callable[[State], dict[str, Any]]) -> None:
    first, second = camera_weights(), camera_weights()
    first.colour, first.silhouette = torch.rand(len(first.trusts)), torch.rand(len(first.trusts))
    first.trusts = [CameraTrust(of.camera, 0.5, 0.25, 0.5, 1.0, "colour disagrees") for of in first.trusts]
    first.visible_share = np.array([1.0, np.nan, *[0.5] * (len(first.trusts) - 2)])[: len(first.trusts)]
    second.load_state(filed(first.state()))
    assert same(second.state(), first.state())
    assert second.trusts == first.trusts


def test_what_was_looked_at_comes_back(filed: Callable[[State], dict[str, Any]]) -> None:
    hand = HandGeometry(torch.randn(2, 5, 3), torch.full((2, 21, 3), torch.nan))
    lens = Lens("opencv", (0.1, -0.2, 0.0, 0.01))
    path = CameraPath((3, 7), np.stack([np.eye(3)] * 2), np.array([[0.0, 0.1, 0.5], [0.0, 0.2, 0.5]]))
    cameras = {
        name: Camera(name, 8, 6, 9.0, 9.5, 4.0, 3.0, np.eye(3), np.array([0.0, 0.1, 0.5]), True, *further)
        for name, further in (("a", ()), ("b", (lens, path)))
    }
    around = Around([hand], cameras, cameras)
    found = Around.from_state(filed(around.state()))
    assert same(found.state(), around.state())
    assert found.cameras["b"].lens == lens
    assert found.turned["b"].at(7).t_cam_world[1] == 0.2
    assert list(found.cameras) == ["a", "b"]
    seen = Visibility((torch.rand(2, 15),), np.array([1.0, np.nan]))
    assert same(Visibility.from_state(filed(seen.state()), torch.device("cpu")).state(), seen.state())


def reloaded(of: Stateful, other: Stateful, filed: Callable[[State], dict[str, Any]]) -> bool:
    other.load_state(filed(of.state()))
    return same(other.state(), of.state())


def test_hooks_come_back(filed: Callable[[State], dict[str, Any]]) -> None:
    mending, other = MendCameras(camera_weights()), MendCameras(camera_weights())
    mending.mended = {"a": MendedCamera("a", 1.0, 2.0, 3.0, 1.0, 0.5, 0.25)}
    assert reloaded(mending, other, filed)
    assert other.mended == mending.mended
    warnings = {"twice": 2}
    assert reloaded(KeepWarnings({"once": 1}), KeepWarnings(warnings), filed)
    assert warnings == {"once": 1}


def test_the_log_tells_what_an_earlier_process_did(filed: Callable[[State], dict[str, Any]]) -> None:
    told: list[object] = []
    first, second = (WriteLog([listener], [None], SilentProgress()) for listener in (print, told.append))
    first.records = [{"iteration": k, "loss": np.float64(0.5), "stage": "joint"} for k in range(3)]
    second.load_state(filed(first.state()))
    assert told == first.records == second.records
    assert second.earlier_s > 0


def test_random_numbers_go_on(filed: Callable[[State], dict[str, Any]]) -> None:
    torch.manual_seed(3)
    np.random.seed(3)
    np.random.normal()
    state = filed(KeepRandomNumbers().state())
    expected = torch.rand(3).tolist(), np.random.normal(size=3).tolist()
    torch.manual_seed(4)
    np.random.seed(4)
    KeepRandomNumbers().load_state(state)
    assert (torch.rand(3).tolist(), np.random.normal(size=3).tolist()) == expected

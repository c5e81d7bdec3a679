"""What is not finite costs the view or variable in which it stands, is counted, and ends a run if it stays."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
from short_schedules import schedule
from torch import nn

from handrefine.config import Config
from handrefine.config_files import config_from_mapping
from handrefine.datasets.interhand26m import read_interhand26m
from handrefine.errors import InputError
from handrefine.evaluation.run_metrics import metrics_without_truth
from handrefine.losses.base import Residuals
from handrefine.losses.norms import Squared
from handrefine.optimizers.vertex_metric import Motion, VertexMetric
from handrefine.refinement.numerical_safety import NumericalSafety
from handrefine.refinement.problem import Extensions, prepare
from handrefine.refinement.refine import refine
from handrefine.runs.result import RunResult
from handrefine.scene.scene_module import RenderedViews, SceneModule
from handrefine.sequence import HandSequence
from handrefine.synthetic.truth import SyntheticSettings
from handrefine.synthetic.video import synthesize

ITERATIONS = 12


class Trouble(SceneModule):
    """Breaks the pictures, or its own gradient, at the iterations that it is asked to."""

    variable, learning_rate = "trouble", 1e-3

    def __init__(self, picture: Callable[[int], bool], gradient: Callable[[int], bool]) -> None:
        super().__init__()
        self.gain = nn.Parameter(torch.zeros(3))
        self._picture, self._gradient, self.calls = picture, gradient, 0

    def adjust(self, views: RenderedViews, observations) -> RenderedViews:
        call, self.calls = self.calls, self.calls + 1
        rgb = views.hand_rgb * (1 + self.gain)
        if self._gradient(call) and rgb.requires_grad:
            self.gain.register_hook(lambda gradient: gradient * torch.nan if self.calls == call + 1 else gradient)
        if self._picture(call):
            first = observations.views.view_of_pixel() == 0
            rgb = torch.where(first[:, None], torch.nan, rgb)
        return RenderedViews(rgb, views.by_hand)


@dataclass(frozen=True)
class BrokenTerm:
    """A term that is infinite now and then."""

    broken: Callable[[], bool]
    weight: float = 1.0
    reads = ("trouble",)
    judges_frames = False

    def build(self, setup) -> "BrokenTerm":
        return self

    def residuals(self, iterate) -> list[Residuals]:
        value = torch.full((1, 1), torch.inf if self.broken() else 0.0)
        return [Residuals(value, Squared())]


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> HandSequence:
    folder: Path = tmp_path_factory.mktemp("video") / "data"
    settings = SyntheticSettings(n_cameras=3, n_frames=1, size=48, texture_size=32)
    synthesize(folder, ("right",), settings, 8.0, Config())
    return read_interhand26m(folder)


def never(_: int) -> bool:
    return False


def refined(
    video: HandSequence,
    optimizer: str = "vertex_metric",
    *,
    picture: Callable[[int], bool] = never,
    gradient: Callable[[int], bool] = never,
    term: Callable[[int], bool] = never,
    **settings: object,
) -> RunResult:
    stages = schedule(joint=ITERATIONS)
    stages["joint"] |= {"variables": ["rotation", "translation", "articulation", "texture", "trouble"]}
    mapping = {"texture": {"size": 16}, "schedule": stages, "optimizer": {"geometry": optimizer}, **settings}
    trouble = Trouble(picture, gradient)
    broken = BrokenTerm(lambda: term(trouble.calls - 1))
    extensions = Extensions(terms={"broken": broken}, modules=[trouble])
    return refine(video, "right", config_from_mapping(mapping), extensions=extensions)


@pytest.mark.parametrize("optimizer", ["vertex_metric", "adam", "gauss_newton"])
def test_what_is_broken_once_costs_only_itself_and_is_counted(video: HandSequence, optimizer: str) -> None:
    faults = {"picture": 2, "gradient": 4, "term": 6}
    result = refined(video, optimizer, **{fault: at.__eq__ for fault, at in faults.items()})
    assert torch.isfinite(torch.as_tensor(result.hands[0].after.verts_world)).all()
    assert all(record["loss"] == pytest.approx(record["loss"]) for record in result.records)
    assert len(result.records) == ITERATIONS
    frame = video.frames[0]
    assert result.left_out == {
        f"the picture of camera 00 at frame {frame}": 1,
        "the gradient of trouble": 1,
        "the term broken of the objective": 1,
    }
    assert metrics_without_truth(result, video)["left_out"] == result.left_out
    assert {name for name in result.warnings if "was not finite and was left out" in name} == {
        f"{name} was not finite and was left out of that iteration" for name in result.left_out
    }


def test_equations_without_a_solution_cost_one_step(video: HandSequence, monkeypatch: pytest.MonkeyPatch) -> None:
    solve, calls = VertexMetric.solve, []

    def singular(self: VertexMetric, *equations: object) -> Motion:
        calls.append(equations)
        if len(calls) == 3:
            raise torch.linalg.LinAlgError("singular")
        return solve(self, *equations)

    monkeypatch.setattr(VertexMetric, "solve", singular)
    assert refined(video).left_out == {"the step of the geometry": 1}


def test_what_is_broken_all_the_time_ends_the_run(video: HandSequence) -> None:
    with pytest.raises(InputError) as caught:
        refined(video, picture=lambda call: call >= 1)
    for told in ("does not stay finite", "stage joint, iteration 10", "camera 00 at frame", "10 times running"):
        assert told in str(caught.value)


def test_values_that_a_step_broke_go_back(video: HandSequence) -> None:
    problem = prepare(video, ["right"], config_from_mapping({"texture": {"size": 16}}))
    pose, safety = problem.model.hands[0].pose, NumericalSafety()
    before = pose.rotation.detach().clone()
    safety.iteration_begins(problem.model)
    with torch.no_grad():
        pose.rotation += torch.tensor([torch.nan, 0.5, torch.inf])
    safety.iteration_ends(0, "joint", 0)
    torch.testing.assert_close(pose.rotation.detach(), before + torch.tensor([0.0, 0.5, 0.0]))
    assert safety.counts == {"the step of rotation": 1}

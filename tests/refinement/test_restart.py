"""Fingers that begin anew: between which poses, and which frames stay with it."""

from pathlib import Path

import pytest
import torch
from handrefine.losses.energy import Energy
from short_schedules import schedule

from handrefine.config import Config
from handrefine.config_files import config_from_mapping
from handrefine.datasets.interhand26m import read_interhand26m
from handrefine.refinement.camera_weights import CameraWeights
from handrefine.refinement.problem import Job, prepare
from handrefine.refinement.restart import SecondStart, between_neighbours
from handrefine.refinement.view_batches import Batch
from handrefine.synthetic.truth import SyntheticSettings
from handrefine.synthetic.video import synthesize

FRAMES = 4
#: Angles of the middle finger's three joints: bent far back.
FINGER, BENT = slice(9, 18), 1.0


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A video whose annotation is the truth."""
    data = tmp_path_factory.mktemp("second") / "data"
    settings = SyntheticSettings(n_cameras=4, n_frames=FRAMES, size=48, texture_size=128)
    synthesize(data, ("right",), settings, 0.0, Config())
    return data


def job_with_a_finger_astray(folder: Path, frame: int) -> tuple[Job, list[tuple[Batch, Energy]]]:
    job = prepare(
        read_interhand26m(folder),
        ["right"],
        config_from_mapping({"texture": {"size": 16}, "schedule": schedule()}),
    )
    weights = CameraWeights(job.config.trust, job.observations.camera_names, job.runtime.device)
    energy = Energy(job.config.objective, job.observations, job.frames, weights)
    with torch.no_grad():
        job.model.hands[0].pose.articulation[frame, FINGER] += BENT
    return job, [(Batch(job.observations, job.renderer), energy)]


def test_only_the_frame_whose_finger_went_astray_starts_again(folder: Path) -> None:
    job, looks = job_with_a_finger_astray(folder, 1)
    pose = job.model.hands[0].pose
    before = pose.articulation.detach().clone()
    second = SecondStart(job.model, looks, job.frames, texture_levels=1, seed=5)
    begun = pose.articulation.detach().clone()
    assert not torch.equal(begun, before)
    assert second.keep_the_better() == 1
    kept = pose.articulation.detach()
    assert torch.equal(kept[1], begun[1])
    assert kept[1, FINGER].abs().max() < 0.5 * BENT
    others = [k for k in range(FRAMES) if k != 1]
    assert torch.equal(kept[others], before[others])


def test_without_neighbours_fingers_start_at_the_annotation(folder: Path) -> None:
    job, looks = job_with_a_finger_astray(folder, 2)
    second = SecondStart(job.model, looks, None, texture_levels=1, seed=5)
    assert job.model.hands[0].pose.articulation.abs().max() == 0
    assert second.keep_the_better() == 1
    assert job.model.hands[0].pose.articulation.abs().max() == 0


def test_neighbours_predict_a_steady_motion_exactly_whatever_the_gaps() -> None:
    time = torch.tensor([0.0, 1.0, 4.0, 6.0])
    values = torch.stack([2 * time + 1, -time], dim=1)
    found = between_neighbours(values, time)
    torch.testing.assert_close(found[1:-1], values[1:-1])
    torch.testing.assert_close(found[[0, -1]], values[[1, -2]])

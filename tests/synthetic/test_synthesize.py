"""`handrefine synthesize`: what lies on disk is what a reader of the dataset finds."""

# Positions of frames are plain numbers here.
# pyright: reportArgumentType=false

from pathlib import Path

import numpy as np
import pytest
import torch

from handrefine.cli.main import main
from handrefine.datasets.interhand26m import read_interhand26m
from handrefine.synthetic.truth_file import load_truth
from handrefine.things import region_of


@pytest.mark.usefixtures("runtime")
def test_a_mismatched_video(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    """Clutter behind the hand in every view, still over time; masks that fit; the truth beside it."""
    size = ["--n-cameras", "2", "--n-frames", "2", "--size", "48", "--seed", "3"]
    main(["synthesize", "--out", str(tmp_path / "data"), "--truth-kind", "mismatched", *size])
    sequence, truth = read_interhand26m(tmp_path / "data"), load_truth(tmp_path / "data" / "truth.npz")
    assert truth.light.shape == (25, 3)
    assert len(sequence.masks) == len(sequence.images) == 4
    for name, camera in sequence.cameras.items():
        both = [(sequence.images[k, name](), sequence.masks[k, name]()) for k in range(2)]
        nowhere = ~both[0][1] & ~both[1][1]
        background = both[0][0][nowhere]
        assert background.std() > 0.05
        # Noise only: two readings at 2000 electrons, compressed twice.
        assert np.abs(background - both[1][0][nowhere]).mean() < 0.03
        for k, (_, mask) in enumerate(both):
            u, v = camera.project(torch.as_tensor(truth.verts_world[k])).numpy().T
            assert np.count_nonzero(mask) > 0.1 * mask.size
            assert abs(np.nonzero(mask)[1].min() - u.min()) < 2
            assert abs(np.nonzero(mask)[0].max() + 1 - v.max()) < 2
    joints_world = sequence.annotation("right").joints_world
    assert joints_world is not None
    assert (
        2 < 1e3 * np.linalg.norm(joints_world - truth.joints_world, axis=2).mean() < 25
    )  # those of the annotation
    assert "10.00 mm off" in " ".join(capsys.readouterr().out.split())


@pytest.mark.usefixtures("runtime")
def test_what_is_synthesized_can_be_fitted(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    """Joints stand beside the parameters, and the fit to them is the annotated hand."""
    main(["synthesize", "--out", str(tmp_path / "data"), "--n-cameras", "1", "--n-frames", "1", "--size", "24"])
    main(["fit", "--data", str(tmp_path / "data"), "--out", str(tmp_path / "fitted")])
    residual_mm = float(capsys.readouterr().out.split("all")[-1].split()[1])
    assert residual_mm < 1
    assert list((tmp_path / "fitted").rglob("*MANO*.json"))


@pytest.mark.usefixtures("runtime")
def test_a_held_thing_is_read_as_it_was_held(tmp_path: Path):
    """Its mesh and poses stand beside its masks, and cover what these show, and fingers before it."""
    size = ["--n-cameras", "2", "--n-frames", "2", "--size", "64", "--seed", "1000"]
    main(["synthesize", "--out", str(tmp_path / "data"), "--held", "cylinder", *size])
    sequence = read_interhand26m(tmp_path / "data")
    (thing,) = sequence.things
    assert thing.known.all()
    assert set(sequence.objects) == set(sequence.images)
    for (k, name), read in sequence.objects.items():
        mask, covered = read(), region_of([thing], k, sequence.cameras[name])
        assert mask.sum() > 20
        assert (mask & ~covered).sum() < 0.02 * mask.sum()
        assert (covered & ~mask & ~sequence.masks[k, name]()).sum() < 0.1 * covered.sum()

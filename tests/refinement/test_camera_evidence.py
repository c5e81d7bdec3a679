"""Which camera is not believed, and why."""

import numpy as np
import pytest
import torch

from handrefine.refinement.camera_evidence import CameraEvidence, camera_trust
from handrefine.refinement.colour_misfit import ColourMoments

NAMES = ("a", "b", "c", "d", "e", "f")


def evidence(**changes: dict[int, float]) -> CameraEvidence:
    """Six cameras that agree as cameras do (misfits spread by a tenth), some values changed."""
    spread = 1 + 0.1 * np.linspace(-1, 1, len(NAMES))
    usual = {
        "silhouette": 0.08 * spread,
        "colour": 0.15 * spread,
        "refitted": 0.12 * spread,
        "visible": spread / 1.1,
    }
    for name, values in changes.items():
        for camera, value in values.items():
            usual[name][camera] = value
    return CameraEvidence(**usual)


def test_cameras_that_agree_count_fully():
    trusts = camera_trust(NAMES, evidence())
    assert [t.camera for t in trusts] == list(NAMES)
    assert all(t.weight == t.silhouette_weight == 1.0 and t.reason is None for t in trusts)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"silhouette": {2: 0.5}}, "geometry disagrees"),
        ({"colour": {2: 0.8}, "refitted": {2: 0.6}, "silhouette": {2: 0.4}}, "geometry disagrees"),
        ({"colour": {2: 0.8}, "refitted": {2: 0.7}, "silhouette": {2: np.nan}}, "geometry disagrees"),
        ({"colour": {2: 0.7}}, "colour disagrees"),
        ({"visible": {2: 0.02}}, "sees little of the hand"),
        ({"visible": {2: np.nan}}, "sees little of the hand"),
    ],
)
def test_a_camera_that_disagrees_or_sees_little_loses_weight_and_the_reason_is_told(changes, reason):
    trusts = camera_trust(NAMES, evidence(**changes))
    assert trusts[2].reason == reason
    assert trusts[2].weight < 0.3
    assert all(t.weight == 1.0 for k, t in enumerate(trusts) if k != 2)
    assert (trusts[2].silhouette_weight == 1.0) == (reason == "colour disagrees")


def test_small_differences_between_good_fits_mean_nothing():
    """At convergence misfits are tiny, and twice a tiny misfit is no fault."""
    tiny = np.array([0.01, 0.01, 0.011, 0.03, 0.012, 0.01])
    trusts = camera_trust(NAMES, CameraEvidence(tiny, tiny, tiny, np.ones(6)))
    assert all(t.weight == 1.0 for t in trusts)


def test_two_cameras_cannot_tell_which_is_wrong():
    trusts = camera_trust(("a", "b"), CameraEvidence(*(np.array([0.05, 0.9]) for _ in range(3)), np.ones(2)))
    assert [t.weight for t in trusts] == [1.0, 1.0]


def test_moments_tell_colours_that_a_transform_mends_from_those_that_none_does():
    generator = torch.Generator().manual_seed(0)
    rendered = torch.rand(900, 3, generator=generator)
    camera = torch.arange(3).repeat_interleave(300)
    image = rendered.clone()
    image[300:600] = image[300:600][:, [2, 1, 0]] * 0.8 + 0.05  # channels swapped, exposure and black level wrong
    image[600:] = rendered[600:].roll(17, dims=0)  # other places than those rendered
    counted = torch.rand(900, generator=generator) > 0.2
    moments = ColourMoments(4)
    for part in (slice(0, 450), slice(450, 900)):  # in any number of parts
        moments.add(rendered[part], image[part], counted[part], camera[part])
    as_is, best = moments.misfit()
    assert moments.pixels().tolist() == [*(counted[camera == k].sum().item() for k in range(3)), 0]
    chosen = counted & (camera == 1)
    expected = ((rendered - image)[chosen].square().sum() / image[chosen].square().sum()).sqrt()
    assert as_is[1].item() == pytest.approx(expected.item(), rel=1e-5)
    assert max(as_is[0].item(), best[0].item(), best[1].item()) < 1e-4
    assert best[2].item() > 0.4
    assert torch.isnan(as_is[3])
    assert torch.isnan(best[3])

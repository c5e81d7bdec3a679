"""Views dealt into batches, and observations at lower resolution."""

from itertools import product

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from handrefine.observations import CropWindow, Observations
from handrefine.refinement.view_batches import SMALLEST_BATCH, deal
from handrefine.sequence import Camera
from handrefine.views import View, ViewSet


def frames_of(frames: int, cameras: int) -> list[int]:
    return [k for k, _ in product(range(frames), range(cameras))]


@given(st.integers(1, 12), st.integers(1, 20), st.integers(1, 8), st.integers(0, 5))
def test_batches_share_all_views_evenly(n_frames: int, cameras: int, per_frame: int, seed: int) -> None:
    frames = frames_of(n_frames, cameras)
    dealt = deal(frames, per_frame, seed)
    assert sorted(k for batch in dealt for k in batch) == list(range(len(frames)))
    assert max(map(len, dealt)) - min(map(len, dealt)) <= n_frames
    for batch in dealt:
        seen = np.bincount([frames[k] for k in batch], minlength=n_frames)
        assert seen.max() - seen.min() <= 1
        assert len(dealt) == 1 or len(batch) >= SMALLEST_BATCH // 2


def test_sixteen_cameras_are_looked_at_four_at_a_time() -> None:
    dealt = deal(frames_of(10, 16), 4, seed=0)
    assert [len(batch) for batch in dealt] == [40] * 4
    assert deal(frames_of(10, 16), 4, seed=0) == dealt
    assert deal(frames_of(10, 16), 4, seed=1) != dealt


def test_few_views_are_looked_at_together() -> None:
    assert len(deal(frames_of(1, 16), 4, seed=0)) == 1
    assert len(deal(frames_of(10, 16), None, seed=0)) == 1


def observations(sizes: list[tuple[int, int]]) -> Observations:
    def camera(k: int, width: int, height: int) -> Camera:
        return Camera(f"{k}", width, height, 90.0, 95.0, width / 3, height / 2, np.eye(3), np.zeros(3))

    cameras = [camera(k, w, h) for k, (w, h) in enumerate(sizes)]
    views = ViewSet(tuple(View(k % 2, c) for k, c in enumerate(cameras)))
    rng = torch.Generator().manual_seed(0)

    def random(*channels: int) -> torch.Tensor:
        return torch.rand(views.n_pixels, *channels, generator=rng)

    return Observations(
        views=views,
        keys=tuple((v.frame, v.camera.name) for v in views.views),
        windows=tuple(CropWindow(5, 7, 5 + 2 * c.width, 7 + 2 * c.height, c) for c in cameras),
        camera_names=tuple(c.name for c in cameras),
        image=random(3),
        target=random(3),
        background=random(3),
        colour_weight=(random() > 0.2).float(),
        background_known=random() > 0.2,
        hand_share=random(),
        silhouette_weight=(random() > 0.2).float(),
        grey_pixel=views.view_of_pixel() == 1,
        camera_of_pixel=views.view_of_pixel(),
    )


def test_a_view_keeps_its_pixels_in_a_batch() -> None:
    whole = observations([(12, 10), (9, 14), (16, 8)])
    part = whole.select([2, 0])
    assert [key[1] for key in part.keys] == ["2", "0"]
    torch.testing.assert_close(part.views.split(part.image)[1], whole.views.split(whole.image)[0])
    assert part.camera_of_pixel.unique().tolist() == [0, 2]
    assert part.camera_names == whole.camera_names


def test_a_shrunk_view_shows_the_same_scene() -> None:
    whole = observations([(20, 16), (18, 24)])
    small = whole.resized(0.5)
    assert [(v.camera.width, v.camera.height) for v in small.views.views] == [(10, 8), (9, 12)]
    block = whole.views.split(whole.image)[0].reshape(8, 2, 10, 2, 3).mean(dim=(1, 3))
    torch.testing.assert_close(small.views.split(small.image)[0], block, atol=1e-6, rtol=0)
    point = torch.tensor([[0.3, 0.2, 2.0]])
    expected = whole.views.views[1].camera.project(point) / 2
    torch.testing.assert_close(small.views.views[1].camera.project(point), expected)
    assert small.grey_pixel.tolist() == (small.views.view_of_pixel() == 1).tolist()


def test_a_shrunk_pixel_counts_only_when_all_of_it_does() -> None:
    whole = observations([(20, 16)])
    blocks = whole.views.split(whole.colour_weight)[0].reshape(8, 2, 10, 2)
    expected = blocks.amin(dim=(1, 3))
    assert whole.resized(0.5).colour_weight.tolist() == expected.flatten().tolist()
    assert 0 < expected.mean() < 1


@pytest.mark.parametrize("factor", [1.0, 0.3])
def test_no_view_vanishes(factor: float) -> None:
    small = observations([(20, 16), (9, 24)]).resized(factor)
    assert min(min(v.camera.width, v.camera.height) for v in small.views.views) >= 8
    assert len(small.image) == small.views.n_pixels

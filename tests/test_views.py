"""View sets: one flat buffer for images of different sizes."""

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from handrefine.sequence import Camera
from handrefine.views import View, ViewSet

sizes = st.lists(st.tuples(st.integers(1, 9), st.integers(1, 7), st.integers(0, 3)), min_size=1, max_size=5)


def _views(sizes: list[tuple[int, int, int]]) -> ViewSet:
    return ViewSet(
        tuple(View(f, Camera("", w, h, 10.0, 10.0, w / 2, h / 2, np.eye(3), np.zeros(3))) for w, h, f in sizes)
    )


@settings(max_examples=30, deadline=None)
@given(sizes)
def test_split_and_flatten_are_inverse(sizes):
    views = _views(sizes)
    pixels = torch.arange(views.n_pixels * 3.0).reshape(-1, 3)
    images = views.split(pixels)
    assert [image.shape for image in images] == [(h, w, 3) for w, h, _ in sizes]
    assert torch.equal(views.flatten(images), pixels)


@settings(max_examples=30, deadline=None)
@given(sizes)
def test_offsets_and_owners_agree_with_the_images(sizes):
    views = _views(sizes)
    owner = views.view_of_pixel()
    for index, image in enumerate(views.split(torch.arange(views.n_pixels).float())):
        assert image.flatten()[0] == views.offsets[index]
        assert (owner[image.flatten().long()] == index).all()
    assert views.n_pixels == sum(w * h for w, h, _ in sizes)
    assert views.n_frames == 1 + max(f for *_, f in sizes)


def test_a_row_of_an_image_is_contiguous_in_the_buffer():
    views = _views([(4, 2, 0), (3, 3, 1)])
    image = views.split(torch.arange(17.0))[1]
    assert image[1].tolist() == [11, 12, 13]

"""Observations made by hand."""

import numpy as np
import torch

from handrefine.observations import CropWindow, Observations
from handrefine.sequence import Camera
from handrefine.views import View, ViewSet

SIZE = 24
NAMES = ("a", "b", "c", "d")


def observations(*, grey: bool = False) -> Observations:
    """One frame, four cameras, a textured square of 12 x 12 px over black in each, labelled everywhere."""
    camera = Camera("x", SIZE, SIZE, 100.0, 100.0, 12.0, 12.0, np.eye(3), np.zeros(3), grey=grey)
    image = torch.zeros(4, SIZE, SIZE, 3)
    image[:, 6:18, 6:18] = torch.rand(12, 12, 3, generator=torch.Generator().manual_seed(0)) * 0.5 + 0.2
    if grey:
        image = (image @ torch.tensor([0.2126, 0.7152, 0.0722]))[..., None].expand(-1, -1, -1, 3)
    flat, ones = image.reshape(-1, 3), torch.ones(4 * SIZE * SIZE)
    return Observations(
        views=ViewSet((View(0, camera),) * 4),
        keys=tuple((0, name) for name in NAMES),
        windows=(CropWindow(0, 0, SIZE, SIZE, camera),) * 4,
        camera_names=NAMES,
        image=flat,
        target=flat,
        background=torch.zeros_like(flat),
        colour_weight=ones,
        background_known=ones.bool(),
        hand_share=(flat.sum(dim=1) > 0).float(),
        silhouette_weight=ones,
        grey_pixel=ones.bool() if grey else ~ones.bool(),
        camera_of_pixel=torch.arange(4).repeat_interleave(SIZE * SIZE),
    )

"""Pictures of twice the size are PyTorch's bilinear ones, and so is their gradient."""

import torch
from torch.nn.functional import interpolate

from handrefine.scene.doubling import doubled


def test_doubling_is_bilinear_interpolation() -> None:
    pictures = torch.rand(2, 5, 8, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    expected = interpolate(pictures.permute(0, 3, 1, 2), scale_factor=2, mode="bilinear", align_corners=False)
    torch.testing.assert_close(doubled(pictures), expected.permute(0, 2, 3, 1))


def test_its_gradient_is_its_transpose() -> None:
    pictures = torch.rand(1, 4, 3, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    assert torch.autograd.gradcheck(doubled, pictures.requires_grad_(), fast_mode=False)

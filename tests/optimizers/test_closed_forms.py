"""Light, colours and texture in closed form: each finds what pictures were made with."""

import pytest
import torch
from made_iterates import pose_of

from handrefine.hand.model import load_hand_model
from handrefine.optimizers.closed_form_light import COSINE_LOBE, fit_colours, fit_light
from handrefine.optimizers.closed_form_texture import fit_textures
from handrefine.optimizers.seen_skin import SeenSkin, sampled
from handrefine.optimizers.surface_points import SurfacePoints
from handrefine.scene.colour_transforms import ColourTransforms
from handrefine.scene.light import SphericalLight
from handrefine.scene.texture import TexturePyramid
from handrefine.scene.video_model import VideoHand, VideoModel
from handrefine.spherical import sh_basis

N, CAMERAS = 20_000, 3


def skin(shown: torch.Tensor, image: torch.Tensor) -> SeenSkin:
    generator = torch.Generator().manual_seed(0)
    normal = torch.nn.functional.normalize(torch.randn(N, 3, generator=generator), dim=1)
    none, zero = torch.zeros(N, 3), torch.zeros(N, dtype=torch.long)
    points = SurfacePoints(
        torch.arange(N), zero == 0, zero, zero[:, None].expand(-1, 3), none, torch.rand(N, 2, generator=generator),
        normal, none, torch.zeros(N, 2, 3), zero,
    )  # fmt: skip
    return SeenSkin(points, torch.arange(N) % CAMERAS, torch.ones(N), shown, image)


def test_light_is_found_in_a_few_steps() -> None:
    """Pixels in unoccluded light: linear least squares, but for the norm."""
    true = torch.tensor([[1.9, 1.5, 1.2], [0.3, 0.2, -0.3], [0.4, 0.3, 0.1], [-0.2, 0.1, 0.3]])
    light, normal = SphericalLight(1), skin(torch.zeros(N, 3), torch.zeros(N, 3)).points.normal
    basis = sh_basis(normal, 1) * torch.tensor([COSINE_LOBE[0], *[COSINE_LOBE[1]] * 3])
    wanted, shown = 0.5 * basis @ true, 0.5 * basis @ light.coefficients.detach()
    for _ in range(4):
        shown = shown * fit_light(light, skin(shown, wanted), wanted)
    torch.testing.assert_close(light.coefficients.detach(), true, rtol=0.01, atol=0.01)


def test_colours_of_cameras_are_found_and_their_mean_stays() -> None:
    shown = 0.2 + 0.5 * torch.rand(N, 3, generator=torch.Generator().manual_seed(1))
    true = ColourTransforms(CAMERAS)
    with torch.no_grad():
        true.free.add_(0.1 * torch.randn(CAMERAS, 3, 4, generator=torch.Generator().manual_seed(2)))
    found = ColourTransforms(CAMERAS)
    image = true.transform(shown, torch.arange(N) % CAMERAS).detach()
    for _ in range(5):
        fit_colours(found, skin(shown, image), shown, ridge=1.0)
    torch.testing.assert_close(found.matrices().detach(), true.matrices().detach(), rtol=0, atol=0.01)


@pytest.mark.parametrize("n_textures", [1, 2])
def test_a_smooth_texture_is_found(n_textures: int) -> None:
    pose = pose_of(torch.zeros(n_textures, 48).numpy())
    hand = VideoHand(load_hand_model("right"), pose, TexturePyramid(64, n_textures=n_textures))
    model = VideoModel([hand], SphericalLight(1), 4, ColourTransforms(CAMERAS))
    coarse = 0.2 + 0.6 * torch.rand(n_textures, 3, 8, 8, generator=torch.Generator().manual_seed(3))
    true = torch.nn.functional.interpolate(coarse, size=64, mode="bicubic").permute(0, 2, 3, 1)
    seen = skin(torch.full((N, 3), 0.25), torch.zeros(N, 3))
    rows = torch.arange(N) % n_textures
    corners = (rows * hand.hand.n_vertices)[:, None].expand(-1, 3)
    seen = SeenSkin(SurfacePoints(**{**vars(seen.points), "corners": corners}), *list(vars(seen).values())[1:])
    wanted = 0.5 * sampled(true, seen.points.uv, rows)
    fit_textures(model, seen, torch.full((N, 3), 0.5), wanted, levels=4, sweeps=3, hold_px=0.1)
    found = hand.texture().detach()
    assert float((found - true).abs().mean()) < 0.01

"""Light, colours and texture in closed form: each finds what pictures were made with."""

from dataclasses import replace

import pytest
import torch
from made_iterates import iterate_of, pose_of, prediction_of, video_hand  # pyright: ignore[reportMissingImports]
from made_observations import SIZE, observations  # pyright: ignore[reportMissingImports]

from handrefine.hand.model import load_hand_model
from handrefine.optimizers.closed_form_light import COSINE_LOBE, fit_exposures, fit_light_and_colours
from handrefine.optimizers.closed_form_texture import Levels, fit_textures
from handrefine.optimizers.seen_skin import Patches, SeenSkin, sampled, seen_skin
from handrefine.optimizers.surface_points import PointFinder, SurfacePoints
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
        seen = skin(shown, wanted)
        shown = shown * fit_light_and_colours(ColourTransforms(CAMERAS), seen, None, light=light, ridge=None)
    torch.testing.assert_close(light.coefficients.detach(), true, rtol=0.01, atol=0.01)


def test_light_is_found_beside_a_texture_that_starts_wrong() -> None:
    """Uneven patches that turn in the light; fitted in turn, five steps leave most of what is wrong."""
    n_patches, generator = 500, torch.Generator().manual_seed(4)
    index = torch.arange(N) % n_patches
    side = torch.nn.functional.normalize(torch.randn(n_patches, 3, generator=generator), dim=1)
    turned = side[index] + 0.4 * torch.randn(N, 3, generator=generator)
    normal = torch.nn.functional.normalize(turned, dim=1)
    basis = sh_basis(normal, 1) * torch.tensor([COSINE_LOBE[0], *[COSINE_LOBE[1]] * 3])
    true_light = torch.tensor([[1.9], [0.6], [0.8], [-0.4]]).expand(4, 3)
    reflectance = 0.3 + 0.4 * torch.rand(n_patches, 1, generator=generator)
    wanted = reflectance[index] * (basis @ true_light)

    def off(patches: Patches | None) -> float:
        light = SphericalLight(1)
        texture = painted(light)
        for _ in range(5):
            seen = skin(texture[index] * (basis @ light.coefficients.detach()), wanted)
            seen = replace(seen, points=replace(seen.points, normal=normal))
            fit_light_and_colours(ColourTransforms(CAMERAS), seen, patches, light=light, ridge=None)
            texture = painted(light)
        found = light.coefficients.detach()[:, 0]
        return float((found / found[0] - true_light[:, 0] / true_light[0, 0]).abs().max())

    def painted(light: SphericalLight) -> torch.Tensor:
        """The mean reflectance of every patch in that light."""
        ratio = (wanted / (basis @ light.coefficients.detach()).clamp(min=0.02))[:, :1]
        return torch.zeros(n_patches, 1).index_add_(0, index, ratio) / (N / n_patches)

    assert off(Patches(index, n_patches)) < 0.03
    assert off(None) > 0.06


def test_colours_of_cameras_are_found_and_their_mean_stays() -> None:
    shown = 0.2 + 0.5 * torch.rand(N, 3, generator=torch.Generator().manual_seed(1))
    true = ColourTransforms(CAMERAS)
    with torch.no_grad():
        true.free.add_(0.1 * torch.randn(CAMERAS, 3, 4, generator=torch.Generator().manual_seed(2)))
    found = ColourTransforms(CAMERAS)
    image = true.transform(shown, torch.arange(N) % CAMERAS).detach()
    for _ in range(5):
        fit_light_and_colours(found, skin(shown, image), None, light=None, ridge=1.0)
    torch.testing.assert_close(found.matrices().detach(), true.matrices().detach(), rtol=0, atol=0.01)


def test_exposures_are_found_beside_transforms() -> None:
    """A camera that is 2.5 times as bright, and another hue in each."""
    shown = 0.1 + 0.2 * torch.rand(N, 3, generator=torch.Generator().manual_seed(1))
    true, found = ColourTransforms(CAMERAS), ColourTransforms(CAMERAS)
    with torch.no_grad():
        true.log_exposure.copy_(torch.tensor([2.5, 1.0, 1.0]).log())
        true.free.add_(0.05 * torch.randn(CAMERAS, 3, 4, generator=torch.Generator().manual_seed(2)))
    camera = torch.arange(N) % CAMERAS
    image = true.transform(shown, camera).detach()
    fit_exposures(found, skin(shown, image), shown, ridge=1.0)
    assert float((found.deviations() - true.deviations())[:, 12].abs().max()) < 0.15
    for _ in range(5):
        fit_exposures(found, skin(shown, image), shown, ridge=1.0)
        fit_light_and_colours(found, skin(shown, image), None, light=None, ridge=1.0)
    # The scale of a transform and its camera's exposure are one freedom, and so is the light's.
    missing = image - found.transform(shown, camera).detach()
    assert float(missing.abs().mean() / image.mean()) < 0.02


def test_bounds_that_are_kept_say_nothing_and_others_say_what_they_are() -> None:
    """Every pixel is saturated: a brighter render is right, for a darker one the bound is wanted."""
    n, half = 4 * SIZE**2, 2 * SIZE**2
    bright = torch.where(torch.arange(n)[:, None] < half, 1.2, 0.7).expand(n, 3).contiguous()
    seen = replace(
        observations(), target=torch.ones(n, 3), clipped=torch.ones(n, 3, dtype=torch.int8),
        colour_weight=torch.ones(n),
    )  # fmt: skip
    hand = video_hand(pose_of(torch.zeros(1, 48).numpy()))
    iterate = iterate_of([hand], prediction=prediction_of(bright), seen=seen)
    finder = PointFinder([hand], seen.views, torch.device("cpu"))
    zero, ahead = torch.zeros(n, dtype=torch.long), torch.tensor([0.0, 0.0, 1.0]).expand(n, 3)
    points = SurfacePoints(
        torch.arange(n), zero == 0, zero, zero[:, None].expand(-1, 3), ahead, ahead[:, :2], -ahead, ahead,
        torch.zeros(n, 2, 3), finder.view_of_pixel,
    )  # fmt: skip
    skin = seen_skin(iterate, seen, points, finder, protect=False)
    weight = torch.zeros(n).index_add(0, skin.points.pixel, skin.weight)
    assert (weight[:half] == 0).all()
    assert (weight[half:] > 0).all()
    assert (skin.image[skin.points.pixel >= half] == 1).all()


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
    fit_textures(model, seen, torch.full((N, 3), 0.5), wanted, Levels(4, hold_px=0.1, sweeps=3))
    found = hand.texture().detach()
    assert float((found - true).abs().mean()) < 0.01


def test_a_texture_goes_on_from_where_it_is() -> None:
    """Shares that fall average noisy renders: closer than any one of them, and nothing is forgotten."""
    hand = VideoHand(load_hand_model("right"), pose_of(torch.zeros(1, 48).numpy()), TexturePyramid(64))
    model = VideoModel([hand], SphericalLight(1), 4, ColourTransforms(CAMERAS))
    generator, half = torch.Generator().manual_seed(3), torch.full((N, 3), 0.5)
    true = torch.nn.functional.interpolate(
        0.2 + 0.6 * torch.rand(1, 3, 8, 8, generator=generator), size=64, mode="bilinear"
    ).movedim(1, 3)
    seen = skin(half, half)
    wanted, rows = 0.5 * sampled(true, seen.points.uv, seen.points.pixel * 0), seen.points.pixel * 0

    def off() -> float:
        return float((hand.texture().detach() - true).abs().mean())

    errors = []
    for k in range(8):
        albedo = sampled(hand.texture().detach(), seen.points.uv, rows)
        noise = 1 + 0.3 * torch.randn(N, 1, generator=generator)
        shown = replace(seen, shown=0.5 * albedo)
        fit_textures(model, shown, half, wanted * noise, Levels(4, hold_px=1.0), onto=(albedo, 1 / (k + 1)))
        errors.append(off())
    assert errors[-1] < 0.75 * errors[0]
    assert errors[-1] < 0.05

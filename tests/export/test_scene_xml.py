"""An exported scene, rendered by Mitsuba's own command, is the picture that handrefine renders."""

import subprocess
import sys
from pathlib import Path
from typing import Any, Literal
from xml.etree import ElementTree as ET

import numpy as np
import pytest
import torch
from made_run import environment, make_run

from handrefine.cli.main import main
from handrefine.errors import InputError
from handrefine.export.formats import export as export_run
from handrefine.export.scene_xml import square_pixels
from handrefine.hand.model import load_hand_model
from handrefine.io.exr import worker_thread
from handrefine.io.image_files import read_image
from handrefine.render.base import HandSurface, RenderConfig
from handrefine.render.mitsuba import scene_file
from handrefine.render.mitsuba.scene_file import render_scene_file
from handrefine.runs.reader import open_run
from handrefine.views import View, ViewSet

MITSUBA = Path(sys.executable).with_name("mitsuba")
SPP = 256


def export(folder: Path, kind: Literal["xml"], out: Path, **choice: Any) -> None:
    export_run(open_run(folder), kind, out, **choice)


#: Our render is averaged over this many times as many samples, so that the difference shows the exported scene.
REPEATS = 32


def rendered_by_mitsuba(scene: Path, out: Path, seed: int = 0) -> np.ndarray:
    import mitsuba as mi

    command = [MITSUBA, "-m", "scalar_rgb", "-D", f"spp={SPP}", "-D", f"seed={seed}", "-o", out, scene]
    subprocess.run(command, check=True, capture_output=True, timeout=100, cwd="/")
    with worker_thread():
        return np.array(mi.Bitmap(str(out)))[..., -3:]  # reflectance comes after an empty picture


def rendered_by_us(
    run, frame: int, camera, texture: np.ndarray, shading="radiance", repeats=REPEATS
) -> np.ndarray:
    """`repeats` pictures of `SPP` samples a pixel, each with random numbers of its own."""
    from handrefine.render.mitsuba.reference import ReferenceRenderer

    settings = RenderConfig(spp=SPP, depth=3, shading=shading)
    renderer = ReferenceRenderer([run.topology], ViewSet((View(0, camera),)), settings)
    hand = HandSurface(
        torch.as_tensor(run.after.verts_world[frame : frame + 1]), torch.from_numpy(np.array(texture[None]))
    )
    light = torch.from_numpy(environment())
    with torch.no_grad():
        pictures = [renderer.render([hand], light, seed=seed).rgb for seed in range(repeats)]
    return torch.stack(pictures).reshape(repeats, camera.height, camera.width, 3).numpy()


@pytest.fixture(scope="module")
def skin() -> np.ndarray:
    return np.ascontiguousarray(load_hand_model("right").default_skin()[::4, ::4])


@pytest.fixture(scope="module")
def run(runtime, skin, tmp_path_factory):
    folder = tmp_path_factory.mktemp("scene") / "run"
    return folder, make_run(folder, texture=skin)


def test_the_mitsuba_command_renders_our_picture(runtime, run, skin, tmp_path):
    """Three statements about one picture of Mitsuba's command at 256 samples a pixel:

    - it is within 1 % of our render without noise (32 pictures averaged); that 1 % is mostly its own noise;
    - it is as close to *one* picture of ours at 256 samples as another one of ours is, so whoever has the two
      cannot tell which came from where;
    - what is left without noise, the root of the mean product of the differences of independent pairs, whose noise
      has mean zero, is below 1 %, too.

    Differences are relative to the mean radiance. The texture that we render with never went through the run
    folder's 8-bit file, the exported one did.
    """
    folder, annotation = run
    export(folder, "xml", tmp_path / "scene", frame=19, camera="odd-- name")
    theirs, again = (
        rendered_by_mitsuba(tmp_path / "scene" / "scene.xml", tmp_path / f"theirs{seed}.exr", seed)
        for seed in (0, 1)
    )
    pictures = rendered_by_us(annotation, 1, square_pixels(annotation.cameras[1]), skin)
    ours, radiance = pictures.mean(axis=0), pictures.mean()
    assert ours.max() > 0.1
    assert theirs.shape == ours.shape
    assert np.abs(theirs - again).max() > 0  # two seeds are two pictures

    def difference(a: np.ndarray, b: np.ndarray) -> float:
        return float(np.abs(a - b).mean() / radiance)

    half = len(pictures) // 2
    product = (theirs - pictures[:half].mean(axis=0)) * (again - pictures[half:].mean(axis=0))
    systematic = float(np.sqrt(max(0.0, product.mean())) / radiance)
    converged, single = difference(theirs, ours), difference(theirs, pictures[0])
    own = difference(pictures[1], pictures[0])
    print(
        f"{SPP} spp: {100 * converged:.2f} % from our converged picture, {100 * single:.2f} % from one of ours; "
        f"those differ by {100 * own:.2f} % among themselves; {100 * systematic:.2f} % rms without noise"
    )
    assert converged < 0.01
    assert single < own
    assert systematic < 0.01
    # Noise averages out over the picture; an error of the light's or the texture's scale would not.
    assert abs(theirs.mean() / radiance - 1) < 0.002


def test_a_run_without_light_shows_the_bare_reflectance(runtime, run, skin, tmp_path):
    folder, annotation = run
    config = folder / "config.yaml"
    before = config.read_text()
    config.write_text(before.replace("shading: radiance", "shading: albedo"))
    try:
        export(folder, "xml", tmp_path / "scene", frame=7, camera="front")
    finally:
        config.write_text(before)
    theirs = rendered_by_mitsuba(tmp_path / "scene" / "scene.xml", tmp_path / "theirs.exr")
    ours = rendered_by_us(annotation, 0, square_pixels(annotation.cameras[0]), skin, "albedo", repeats=4).mean(
        axis=0
    )
    assert np.abs(theirs - ours).mean() / ours.mean() < 0.01


def test_paths_are_relative_and_the_folder_can_move(runtime, run, tmp_path):
    export(run[0], "xml", tmp_path / "scene")
    names = {element.get("value") for element in ET.parse(tmp_path / "scene" / "scene.xml").iter("string")}
    files = {name for name in names if name and Path(name).suffix}
    assert files == {"hand.ply", "texture.png", "environment.exr"}
    assert {path.name for path in (tmp_path / "scene").iterdir()} == {*files, "scene.xml"}


def test_square_pixels_see_the_same(run):
    camera = run[1].cameras[0]
    square = square_pixels(camera)
    assert square.fx == pytest.approx(square.fy)
    points = torch.as_tensor(run[1].after.joints_world[0]).double()
    scale = torch.tensor([square.fx / camera.fx, square.fy / camera.fy], dtype=torch.float64)
    torch.testing.assert_close(square.project(points), camera.project(points) * scale)
    assert abs(square.width - camera.width * scale[0]) <= 0.5
    assert abs(square.height - camera.height * scale[1]) <= 0.5


def test_our_command_renders_the_exported_scene(runtime, run, skin, tmp_path):
    import mitsuba as mi

    folder, annotation = run
    export(folder, "xml", tmp_path / "scene", frame=19, camera="odd-- name")
    scene = str(tmp_path / "scene" / "scene.xml")
    main(["render-scene", scene, "--out", str(tmp_path / "ours.exr"), "--spp", "1024"])
    with worker_thread():
        exported = np.array(mi.Bitmap(str(tmp_path / "ours.exr")))
    pictures = rendered_by_us(annotation, 1, square_pixels(annotation.cameras[1]), skin, repeats=4)
    # Two halves of our own pictures tell the noise of 512 samples; the exported picture's of 1024 is smaller.
    noise = np.abs(pictures[:2].mean(axis=0) - pictures[2:].mean(axis=0)).mean()
    assert np.abs(exported - pictures.mean(axis=0)).mean() < noise < 0.05 * pictures.mean()
    main(["render-scene", scene, "--out", str(tmp_path / "ours.png"), "--spp", "4"])
    assert read_image(tmp_path / "ours.png").shape == exported.shape


def test_more_samples_than_memory_holds_are_taken_in_passes(runtime, run, tmp_path, monkeypatch):
    export(run[0], "xml", tmp_path / "scene")
    (scene,) = (tmp_path / "scene").rglob("*.xml")
    whole = render_scene_file(scene, spp=64)
    monkeypatch.setattr(scene_file, "MOST_SAMPLES", 16 * whole.shape[0] * whole.shape[1])
    passes = render_scene_file(scene, spp=64)
    assert 0 < np.abs(passes - whole).mean() < 0.1 * np.abs(whole).mean()
    for spp, pixels, told in ((0, 2**24, "out of range"), (10**9, 2**24, "out of range"), (1, 9, "too large")):
        monkeypatch.setattr(scene_file, "MOST_PIXELS", pixels)
        with pytest.raises(InputError, match=told):
            render_scene_file(scene, spp=spp)


def test_a_scene_that_is_none_is_told(runtime, tmp_path):
    (tmp_path / "broken.xml").write_text("<scene")
    with pytest.raises(InputError, match="Mitsuba cannot load the scene"):
        render_scene_file(tmp_path / "broken.xml")
    with pytest.raises(InputError, match="the scene does not exist"):
        render_scene_file(tmp_path / "absent.xml")

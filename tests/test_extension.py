"""A stranger's package adds a dataset, a renderer, a variable and a term, and edits nothing of handrefine."""

import configparser
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from short_schedules import schedule

import handrefine as hr
from handrefine.config_files import config_from_mapping
from handrefine.errors import InputError
from handrefine.refinement.check import check_config
from handrefine.render.base import HandSurface
from handrefine.scene.variables import VARIABLES
from handrefine.sequence import Camera, FrameIndex
from handrefine.views import View, ViewSet

REPOSITORY = Path(__file__).parents[1]
PLUGIN = REPOSITORY / "tests" / "plugin"
SIZE_PX, FRAME = 32, 7


@pytest.fixture
def stranger(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Installs the package as pip would: importable, its entry points told by a `.dist-info` folder."""
    project = configparser.ConfigParser()
    project.read(PLUGIN / "pyproject.toml")
    entries = []
    for section in project.sections():
        if group := re.fullmatch(r'project\.entry-points\."(.+)"', section):
            entries += [
                f"[{group[1]}]",
                *(f"{name} = {value.strip(chr(34))}" for name, value in project[section].items()),
            ]
    info = tmp_path / "site" / "handrefine_stranger-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: handrefine-stranger\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("\n".join(entries) + "\n")
    monkeypatch.syspath_prepend(tmp_path / "site")
    monkeypatch.syspath_prepend(PLUGIN)


@pytest.fixture
def clip(tmp_path: Path, stranger: None) -> Path:
    """A folder with one clip: 2 cameras, 1 frame, a hand 2 mm thicker and 3 mm away from its annotation."""
    from handrefine_stranger.displacement import Displacement
    from handrefine_stranger.renderer import DotRenderer

    hand = hr.load_hand_model("right")
    nothing = [torch.zeros(1, n) for n in (48, 10, 3)]
    annotated = hand(*nothing, flat_hand_mean=False)
    thicker = Displacement(hand.topology)
    with torch.no_grad():
        thicker.along_normal_m += 0.002
        (true,) = thicker.deform((annotated,))
        verts_world = true.verts_world + torch.tensor([0.003, 0.0, 0.0])
    cameras = [look_at(verts_world[0].mean(dim=0).numpy(), name) for name in ("front", "side")]
    views = ViewSet(tuple(View(FrameIndex(0), camera) for camera in cameras))
    skin = torch.full((1, 8, 8, 3), 0.6)
    rendering = DotRenderer([hand.topology], views, None).render([HandSurface(verts_world, skin)], None, seed=0)
    images = [image.numpy() for image in views.split(rendering.rgb)]
    folder = tmp_path / "clips"
    folder.mkdir()
    np.savez(
        folder / "wave.clip.npz",
        camera=[camera.name for camera in cameras],
        intrinsics=[camera.intrinsics for camera in cameras],
        R_cam_world=[camera.R_cam_world for camera in cameras],
        t_cam_world=[camera.t_cam_world for camera in cameras],
        frames=[FRAME],
        images=np.stack(images)[None].astype(np.float32),
        **dict(zip(("pose_aa", "shape", "trans_m"), (x.double().numpy() for x in nothing), strict=True)),
    )
    return folder


def look_at(target_world: np.ndarray, name: str) -> Camera:
    """Half a metre away, along z or along x; up is y."""
    axes = {"front": np.diag([1.0, -1.0, -1.0]), "side": np.array([[0.0, 0, -1], [0, -1, 0], [-1, 0, 0]])}
    R = axes[name]
    t = np.array([0, 0, 0.5]) - R @ target_world
    return Camera(name, SIZE_PX, SIZE_PX, 60.0, 60.0, SIZE_PX / 2, SIZE_PX / 2, R, t)


def test_the_stranger_refines(clip: Path) -> None:
    from handrefine_stranger.refine import refine_with_displacement

    settings = {"texture": {"size": 16}, "labels": {"background": "black"}, "optimizer": {"geometry": "adam"}}
    config = config_from_mapping({**settings, "stages": schedule(texture=4, joint=16)})
    result, along_normal_m = refine_with_displacement(clip, config)

    assert result.sequence_name == "wave"
    assert result.hand("right").frames == (FRAME,)
    assert {camera.camera.name for camera in result.cameras} == {"front", "side"}

    terms = [record["terms"]["displacement_ridge"] for record in result.records]
    assert terms[0] == 0
    assert terms[-1] == pytest.approx(1e-3 * float((1e3 * along_normal_m).square().mean()), rel=0.2)
    assert result.records[-1]["loss"] < 0.7 * result.records[0]["loss"]
    assert 0 < float(along_normal_m.mean()) < 0.004  # thicker, as it is
    hand = result.hand("right")
    assert (hand.after.joints_world - hand.before.joints_world)[..., 0].mean() > 0.001  # and over to where it is

    surfaces = hr.metrics_without_truth(result, hr.read_dataset(clip))["surface"]
    assert surfaces == {"before": "parametric", "after": "displaced"}
    apart_m = np.linalg.norm(hand.after.verts_world - hand.after.parametric_verts_world, axis=-1)
    np.testing.assert_allclose(apart_m[0], along_normal_m.abs(), atol=1e-6)
    model = hr.load_hand_model("right")
    annotated = model(*(torch.zeros(1, n) for n in (48, 10, 3)), flat_hand_mean=False).verts_world.numpy()
    np.testing.assert_allclose(hand.before.verts_world, annotated, atol=1e-6)  # as annotated: not displaced

    for view in hand.views:  # unlit: one colour
        covered = view.after.coverage > 0.5
        colours = view.after.rgb[covered] / view.after.coverage[covered, None]
        assert np.ptp(colours, axis=0).max() < 1e-3


def test_nothing_of_handrefine_knows_the_stranger(stranger: None) -> None:
    assert "displacement" not in {variable.name for variable in VARIABLES}
    assert "displacement_ridge" not in hr.Config().losses.known()
    for file in (REPOSITORY / "src").rglob("*.py"):
        assert "stranger" not in file.read_text(encoding="utf-8"), file


def test_without_the_package_there_is_nothing_of_it(tmp_path: Path) -> None:
    (tmp_path / "wave.clip.npz").touch()
    with pytest.raises(InputError, match="layout of the dataset is not known"):
        hr.read_dataset(tmp_path)
    with pytest.raises(InputError, match=r"no variable 'displacement'"):
        check_config(config_from_mapping({"stages": {"joint": {"variables": ["displacement"]}}}), [])


def shown_files() -> list[tuple[str, str]]:
    """Of docs/architecture.md: every block of code under a comment that names a file, with that name."""
    text = (REPOSITORY / "docs" / "architecture.md").read_text(encoding="utf-8")
    return re.findall(r"<!-- (tests/plugin/\S+) -->\n\n?```\w+\n(.*?)```\n", text, flags=re.DOTALL)


def test_the_documentation_shows_these_very_lines() -> None:
    shown = dict(shown_files())
    written = [
        path for path in PLUGIN.rglob("*") if path.suffix in (".py", ".toml") and path.name != "__init__.py"
    ]
    assert set(shown) == {path.relative_to(REPOSITORY).as_posix() for path in written}
    for name, code in shown.items():
        assert code == (REPOSITORY / name).read_text(encoding="utf-8"), name

"""A run that is killed anywhere and gone on with ends as if it had not been."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from short_schedules import schedule

import handrefine as hr
from handrefine.config import Config
from handrefine.config_files import config_from_mapping
from handrefine.synthetic.truth import SyntheticSettings
from handrefine.synthetic.video import synthesize

#: Everything that has a state: restart, mended cameras, renewed labels, cameras that are turned, a surface.
SCHEDULE: dict[str, Any] = schedule(environment=1, texture=2, coarse=4, again=2, joint=3, finish=2)
SCHEDULE["coarse"] |= {"mend_cameras": True, "renew_labels": True, "views_per_frame": 4}
SCHEDULE["joint"] |= {"variables": ["rotation", "translation", "shape", "texture", "colour", "calibration"]}
DESCENT: dict[str, Any] = {
    "texture": {"size": 16},
    "surface": {"modes": 5},
    "camera_weights": {"every": 3},
    "optimizer": {"vertex_metric": {"refresh": 3}},
    "stages": SCHEDULE,
}
SECOND_ORDER: dict[str, Any] = {
    "texture": {"size": 16},
    "optimizer": {"geometry": "gauss_newton"},
    "stages": [
        {"name": "coarse", "iterations": 4, "gradient": "image", "closed_form": True, "texture_levels": 2},
        {"name": "joint", "iterations": 3, "texture_levels": 2},
    ],
}


class Killed(BaseException):
    """Not even `except Exception` sees it."""


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("video") / "data"
    settings = SyntheticSettings(n_cameras=3, n_frames=2, size=48, texture_size=32)
    synthesize(folder, ("right",), settings, 10.0, Config(seed=1000))
    return folder


def killed_after(iterations: int) -> Callable[[], bool]:
    """Ends a process after so many iterations, more or less."""
    asked = iter(range(10**6))

    def ask() -> bool:
        if next(asked) >= iterations:
            raise Killed
        return False

    return ask


def refined(data: Path, config: dict[str, Any], **session: Any) -> hr.RunResult:
    sequence = hr.read_interhand26m(data)
    return hr.refine(sequence, "right", config_from_mapping(config), session=hr.Session(**session))


def difference(a: hr.RunResult, b: hr.RunResult) -> float:
    """The largest, over everything that was found and every loss."""
    parts = [(a.light_coefficients, b.light_coefficients)]
    for x, y in zip(a.hands, b.hands, strict=True):
        parts += [(x.after.verts_world, y.after.verts_world), (x.textures, y.textures)]
        parts += [(x.stage_textures[name], of) for name, of in y.stage_textures.items()]
    parts += [(x.colour_transform, y.colour_transform) for x, y in zip(a.cameras, b.cameras, strict=True)]
    losses = [np.array([record["loss"] for record in of.records], float) for of in (a, b)]
    return max(float(np.abs(x - y).max()) for x, y in [*parts, (losses[0], losses[1])])


@pytest.mark.parametrize(
    "config",
    [pytest.param(DESCENT, id="descent"), pytest.param(SECOND_ORDER, id="second order", marks=pytest.mark.slow)],
)
def test_a_run_killed_again_and_again_ends_as_if_undisturbed(
    data: Path, tmp_path: Path, config: dict[str, Any]
) -> None:
    """Every process is killed after a few iterations, some within stages and some between them."""
    whole = refined(data, config)
    kept = hr.Checkpoints(tmp_path / "kept", every_s=0.0, most_share=1e9, resume=True)
    n_kills = 0
    while True:
        try:
            pieced = refined(data, config, checkpoints=kept, stop=killed_after(3))
            break
        except Killed:
            n_kills += 1
    assert n_kills >= 2
    assert difference(whole, pieced) == pytest.approx(0, abs=1e-6)
    assert [record["iteration"] for record in pieced.records] == list(range(len(whole.records)))
    assert pieced.warnings == whole.warnings
    assert pieced.seconds > 0

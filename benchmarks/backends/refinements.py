"""The whole job on both backends: the same video, the same start, the same configuration."""

from collections.abc import Mapping

from benchmarks.paper.laboratory import Laboratory
from benchmarks.paper.runs import Run
from handrefine.config import RenderConfig, config_from_mapping
from handrefine.progress import SilentProgress

#: label -> (backend, configuration of Redner)
BACKENDS = {"wavefront": ("wavefront", "fixed"), "redner fixed": ("redner", "fixed")}


def refinements(*, quick: bool) -> list[dict]:
    """Radiance with a light (DMVR's pictures), and reflectance without one (SMVR's), all instants together.

    The photographs are the wavefront renderer's for both.
    """
    run = Run(
        kind="matched",
        method="backends",
        cameras=4,
        video=0,
        instants=3,
        size=64 if quick else 128,
        video_cameras=4,
        error_mm=10.0,
    )
    laboratory = Laboratory(RenderConfig())
    samples = []
    for shading in ("radiance", "albedo"):
        for label, (backend, redner) in BACKENDS.items():
            render = {"backend": backend, "redner": redner, "shading": shading}
            config = config_from_mapping(_configuration(render, quick=quick), where="benchmark")
            sample = laboratory.measure(run, config, SilentProgress())
            samples.append({"shading": shading, "renderer": label, **sample})
    return samples


def _configuration(render: Mapping[str, object], *, quick: bool) -> dict:
    schedule = {"joint": {"iterations": 30}} if quick else {}
    if render["shading"] == "albedo":
        schedule["environment"] = {"iterations": 0}  # there is no light to find
    return {
        "seed": 0,
        "labels": {"forearm": False, "background": "black"},
        "texture": {"size": 256},
        "render": dict(render),
        "schedule": schedule,
    }

"""The whole job on both backends: the same videos, the same starts, the same configuration."""

from collections.abc import Mapping
from itertools import product
from typing import Any

from benchmarks.backends.contenders import CONTENDERS
from benchmarks.paper.laboratory import Laboratory
from benchmarks.paper.runs import Run, configuration
from handrefine.config import RenderConfig
from handrefine.progress import SilentProgress

BACKENDS = ("batched", "redner fixed")
METHODS = ("dmvr", "smvr")


def refinements(*, size: int, iterations: int, videos: int) -> list[dict]:
    """`configs/dmvr.yaml` (radiance) and `configs/smvr.yaml` (reflectance, every frame alone), 4 x 3 views.

    The photographs are Mitsuba's for both, at many samples a pixel. `iterations`: of the joint stage.
    """
    laboratory, samples = Laboratory(RenderConfig()), []
    for video, method in product(range(videos), METHODS):
        run = Run(
            kind="matched",
            method=method,
            cameras=4,
            video=video,
            frames=3,
            size=size,
            video_cameras=4,
            error_mm=10.0,
        )
        for label in BACKENDS:
            config = configuration(run, _changes(label, iterations, size))
            sample = laboratory.measure(run, config, SilentProgress())
            after = sample["after"]["vertex_error_mm"]
            print(f"video {video}, {method}, {label}: {after:.2f} mm in {sample['seconds']:.0f} s", flush=True)
            samples.append({"method": method, "renderer": label, "video": video, **sample})
    return samples


def _changes(label: str, iterations: int, size: int) -> Mapping[str, Any]:
    """The texture is as fine as the images show it: a finer one would soak up what should move the hand, except in
    Redner, whose mipmaps blur it."""
    return {
        "render": CONTENDERS[label],
        "texture": {"size": size},
        "stages": {"joint": {"iterations": iterations}},
    }

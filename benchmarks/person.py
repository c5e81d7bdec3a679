"""`python -m benchmarks.person`: four videos of one person, two cameras each, alone and with what they share."""

import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.harness import Metric, Outcome, finish, parser
from handrefine.config import Config
from handrefine.config_files import changed, load_config
from handrefine.hand.model import load_hand_model
from handrefine.person import write_person
from handrefine.refinement.refine import Video, refine, refine_together
from handrefine.render.mitsuba.runtime import start_mitsuba
from handrefine.runs.result import RunResult
from handrefine.sequence import HandSequence
from handrefine.synthetic.truth import SyntheticSettings, SyntheticTruth, make_truths
from handrefine.synthetic.video import imperfect_annotation
from handrefine.synthetic.video_images import render_images, sequence_in_memory

N_VIDEOS, N_CAMERAS, N_FRAMES, SIZE_PX, ERROR_MM = 4, 2, 4, 64, 10.0
#: What the joint arm's error may be of that of the videos one by one.
TARGET = 0.7
#: The arm that the others are judged by.
ALONE = "one by one"


def videos_of(seed: int) -> list[tuple[HandSequence, SyntheticTruth]]:
    """Videos of one person, with gestures, lights and cameras of their own, annotated 10 mm off."""
    runtime, hand = start_mitsuba(Config().render.variant), load_hand_model("right")
    found = []
    for number in range(N_VIDEOS):
        own = 100 * seed + number
        settings = SyntheticSettings(
            n_cameras=N_CAMERAS, n_frames=N_FRAMES, size=SIZE_PX, seed=own, person_seed=seed
        )
        (truth,) = make_truths([hand], [hand.default_skin()], settings)
        taken = render_images([hand], [truth], settings, Config(seed=own), runtime.device)
        annotation = imperfect_annotation(hand, truth, ERROR_MM, own)
        found.append((sequence_in_memory(truth, taken, annotation, masks=True), truth))
    return found


def one_by_one(videos: Sequence[HandSequence], config: Config) -> list[RunResult]:
    return [refine(video, "right", config) for video in videos]


def jointly(videos: Sequence[HandSequence], config: Config) -> list[RunResult]:
    return refine_together([Video(sequence=video) for video in videos], config)


def in_turn(videos: Sequence[HandSequence], config: Config) -> list[RunResult]:
    """The first video finds the person, with whom the others begin."""
    first = refine(videos[0], "right", config)
    person = first.hand("right").person
    assert person is not None, "frames are not independent"
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "person.npz"
        write_person(path, person)
        config = replace(config, surface=replace(config.surface, person=path))
        return [first, *one_by_one(videos[1:], config)]


ARMS: dict[str, Callable[[Sequence[HandSequence], Config], list[RunResult]]] = {
    ALONE: one_by_one,
    "joint": jointly,
    "sequential": in_turn,
}


def errors(result: RunResult, truth: SyntheticTruth) -> dict[str, float]:
    """Mean vertex error, and that of the hand moved onto the true wrist, in mm; mean error of the betas."""
    after = result.hand("right").after
    off = after.verts_world - truth.verts_world
    moved = off - (after.joints_world[:, :1] - truth.joints_world[:, :1])
    return {
        "error_mm": float(np.linalg.norm(off, axis=2).mean() * 1e3),
        "from_wrist_mm": float(np.linalg.norm(moved, axis=2).mean() * 1e3),
        "betas": float(np.abs(after.mano.shape - truth.mano.shape).mean()),
    }


def measure(seed: int, preset: str, arms: Sequence[str]) -> dict[str, Any]:
    """Every video's errors in some arms, and the arms' CPU time."""
    config = changed(load_config(preset), {"implausible_input": "warn", "seed": seed})
    videos, truths = zip(*videos_of(seed), strict=True)
    found: dict[str, Any] = {}
    for arm in (ALONE, *arms):
        began = time.process_time()
        of_videos = [errors(*of) for of in zip(ARMS[arm](videos, config), truths, strict=True)]
        found[arm] = {"videos": of_videos, "cpu_s": time.process_time() - began}
        means = {key: float(np.mean([of[key] for of in of_videos])) for key in of_videos[0]}
        found[f"{arm}, mean"] = means
        print(f"seed {seed}, {arm}: {means}, {time.process_time() - began:.0f} s of CPU", flush=True)
    return found


def metrics(samples: Sequence[dict[str, Any]]) -> list[Metric]:
    found, mean = [], {}
    arms = [arm for arm in ARMS if arm in samples[0]]
    for arm in arms:
        for key, unit in (("error_mm", "mm"), ("from_wrist_mm", "mm"), ("betas", "")):
            mean[arm, key] = float(np.mean([of[f"{arm}, mean"][key] for of in samples]))
            found.append(Metric(f"{arm}, {key}", mean[arm, key], unit))
        found.append(Metric(f"{arm}, CPU", float(np.mean([of[arm]["cpu_s"] for of in samples])), "s"))
    for arm in arms[1:]:
        ratio = mean[arm, "error_mm"] / mean[ALONE, "error_mm"]
        found.append(Metric(f"{arm} over {ALONE}", ratio, "x", TARGET if arm == "joint" else None))
    return found


def main() -> int:
    options = parser(__doc__ or "")
    options.add_argument("--seeds", type=int, nargs="+", default=[0], help="tuning seeds are 1000 and up")
    options.add_argument(
        "--arms", nargs="+", choices=list(ARMS)[1:], default=list(ARMS)[1:], help=f"beside {ALONE}"
    )
    options.add_argument("--preset", default="quick", help="settings of the refinement")
    chosen = options.parse_args()
    samples = [measure(seed, chosen.preset, chosen.arms) for seed in chosen.seeds]
    return finish("person", Outcome(metrics(samples), samples, chosen.seeds), chosen)


if __name__ == "__main__":
    sys.exit(main())

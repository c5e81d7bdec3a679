"""`python -m benchmarks.objects`: refined hands that hold a thing, with and without the thing being treated."""

import sys
from dataclasses import replace
from typing import Any

import numpy as np

from benchmarks.harness import Metric, Outcome, finish, options
from handrefine.config import Config
from handrefine.config_files import load_config
from handrefine.hand.model import load_hand_model
from handrefine.refinement.refine import refine
from handrefine.render.mitsuba.runtime import start_mitsuba
from handrefine.synthetic.held_thing import HeldKind
from handrefine.synthetic.truth import SyntheticSettings, make_truths
from handrefine.synthetic.video import imperfect_annotation
from handrefine.synthetic.video_images import render_images, sequence_in_memory

#: What is held, and what `labels.objects` is told; the first is what the others are judged by.
ARMS: tuple[tuple[HeldKind, str], ...] = (
    ("none", "given"),
    ("none", "auto"),
    *((held, how) for held in ("box", "cylinder") for how in ("none", "given", "auto")),
)
#: What `--quick` measures, in smaller images.
QUICK_ARMS = tuple(arm for arm in ARMS if arm == ARMS[0] or arm[0] == "box")
KINDS = ("matched", "mismatched")
SIZE_PX, QUICK_SIZE_PX = 160, 96
TREATED, TARGET, ERROR_MM = ("given", "auto"), 1.3, 10.0


def measure(seed: int, kind: Any, *, quick: bool = False) -> dict[str, float]:
    """Mean vertex error in mm of every arm, from 10 mm."""
    found = {}
    for held, how in QUICK_ARMS if quick else ARMS:
        config = load_config("quick")
        config = replace(config, seed=seed, labels=replace(config.labels, objects=how))
        found[f"{held}, {how}"] = _error_mm(seed, kind, held, config, QUICK_SIZE_PX if quick else SIZE_PX)
        print(f"seed {seed}, {kind}, {held}, objects {how}: {found[f'{held}, {how}']:.2f} mm", flush=True)
    return found


def _error_mm(seed: int, kind: Any, held: HeldKind, config: Config, size: int) -> float:
    runtime, hand = start_mitsuba(config.render.variant), load_hand_model("right")
    settings = SyntheticSettings(n_cameras=4, n_frames=3, size=size, seed=seed, kind=kind, held=held)
    (truth,) = make_truths([hand], [hand.default_skin()], settings)
    taken = render_images([hand], [truth], settings, config, runtime.device)
    annotation = imperfect_annotation(hand, truth, ERROR_MM, seed)
    sequence = sequence_in_memory(truth, replace(taken, masks={}), annotation, masks=True)
    state = refine(sequence, ("right",), config).hands[0].after
    return float(np.linalg.norm(state.verts_world - truth.verts_world, axis=-1).mean() * 1e3)


def metrics(samples: dict[str, list[dict[str, float]]]) -> list[Metric]:
    found = []
    for kind, of_seeds in samples.items():
        mean = {arm: float(np.mean([of[arm] for of in of_seeds])) for arm in of_seeds[0]}
        found += [Metric(f"{kind}.{arm}", value, "mm") for arm, value in mean.items()]
        for how in ("none", *TREATED):
            held = float(
                np.mean([mean[arm] for thing in ("box", "cylinder") if (arm := f"{thing}, {how}") in mean])
            )
            target = TARGET if how in TREATED else None
            found.append(Metric(f"{kind}.objects {how} over no object", held / mean["none, given"], "x", target))
    return found


def main() -> int:
    chosen = options(__doc__ or "")
    seeds = range(1) if chosen.quick else range(5)
    samples: dict[str, list[dict[str, float]]] = {}
    for kind in KINDS[:1] if chosen.quick else KINDS:
        samples[kind] = [measure(seed, kind, quick=chosen.quick) for seed in seeds]
    return finish("objects", Outcome(metrics(samples), samples, list(seeds)), chosen)


if __name__ == "__main__":
    sys.exit(main())

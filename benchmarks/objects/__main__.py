"""`python -m benchmarks.objects`: refined hands that hold a thing, with and without the thing being treated."""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal

import numpy as np
from jaxtyping import Float

from benchmarks.harness import Metric, Outcome, finish, parser
from benchmarks.objects.video import Filmed, Pictures, film
from handrefine.config import Config
from handrefine.config_files import load_config
from handrefine.refinement.refine import refine
from handrefine.sequence import ViewKey
from handrefine.synthetic.held_thing import HeldKind
from handrefine.synthetic.truth import SyntheticSettings
from handrefine.synthetic.video import imperfect_annotation
from handrefine.synthetic.video_images import sequence_in_memory

Treatment = Literal["given", "none", "auto"]
#: Which pictures are refined, and `labels.objects`. hidden: nothing is held, but the pixels that the thing would
#: hide are unknown, which tells what is lost with them. auto: the thing's masks are not given.
TREATMENTS: Mapping[str, tuple[Pictures, Treatment]] = {
    "hidden": ("without", "given"),
    "none": ("with", "none"),
    "given": ("with", "given"),
    "auto": ("with", "auto"),
}
THINGS: tuple[HeldKind, ...] = ("box", "cylinder")
KINDS = ("matched", "mismatched")
SIZE_PX, QUICK_SIZE_PX = 160, 96
NO_THING, TARGET, ERROR_MM = "nothing held", 1.3, 10.0
Errors = dict[str, float]
Verts = Float[np.ndarray, "frame vertex 3"]


def measure(seed: int, kind: Any, things: Sequence[HeldKind], size: int) -> dict[str, Errors]:
    """Mean vertex error in mm of every arm, from 10 mm: of all vertices, and of those that some camera sees beside
    the thing."""
    config = replace(load_config("quick"), seed=seed)
    found: dict[str, Errors] = {}
    bare: Verts | None = None
    for thing in things:
        filmed = film(
            SyntheticSettings(n_cameras=4, n_frames=3, size=size, seed=seed, kind=kind, held=thing), config
        )
        found[f"{thing}, share"] = {"hidden px": filmed.hidden_px, "hidden vertices": filmed.hidden_vertices}
        bare = _refined(filmed, "without", {}, config) if bare is None else bare
        found[f"{thing}, {NO_THING}"] = _errors(filmed, bare)
        for treatment, (pictures, how) in TREATMENTS.items():
            masks = {} if treatment == "auto" else filmed.objects
            treated = replace(config, labels=replace(config.labels, objects=how))
            found[f"{thing}, {treatment}"] = _errors(filmed, _refined(filmed, pictures, masks, treated))
    for arm, errors in found.items():
        print(f"seed {seed}, {kind}, {arm}:", ", ".join(f"{k} {v:.2f}" for k, v in errors.items()), flush=True)
    return found


def _refined(filmed: Filmed, pictures: Pictures, masks: Mapping[ViewKey, np.ndarray], config: Config) -> Verts:
    taken = replace(filmed.taken[pictures], masks={}, objects=masks)
    annotation = imperfect_annotation(filmed.hand, filmed.truth, ERROR_MM, config.seed)
    sequence = sequence_in_memory(filmed.truth, taken, annotation, masks=True)
    return refine(sequence, ("right",), config).hands[0].after.verts_world


def _errors(filmed: Filmed, verts_world: Verts) -> Errors:
    error_mm = np.linalg.norm(verts_world - filmed.truth.verts_world, axis=-1) * 1e3
    return {"all": float(error_mm.mean()), "seen": float(error_mm[filmed.seen].mean())}


def metrics(samples: dict[str, list[dict[str, Errors]]]) -> list[Metric]:
    found = []
    for kind, of_seeds in samples.items():
        mean = {
            arm: {key: float(np.mean([of[arm][key] for of in of_seeds])) for key in errors}
            for arm, errors in of_seeds[0].items()
        }
        found += [
            Metric(f"{kind}.{arm}, {key}", value, "1" if "hidden" in key else "mm")
            for arm, errors in mean.items()
            for key, value in errors.items()
        ]
        things = [thing for thing in THINGS if f"{thing}, {NO_THING}" in mean]
        for key in ("all", "seen"):
            of = {
                name: float(np.mean([mean[f"{thing}, {name}"][key] for thing in things]))
                for name in (NO_THING, *TREATMENTS)
            }
            for how in TREATMENTS:
                target = TARGET if how in ("given", "auto") and key == "all" else None
                found.append(Metric(f"{kind}.{how} over {NO_THING}, {key}", of[how] / of[NO_THING], "x", target))
            found.append(Metric(f"{kind}.given over hidden, {key}", of["given"] / of["hidden"], "x"))
    return found


def main(arguments: Sequence[str] | None = None) -> int:
    made = parser(__doc__ or "")
    made.add_argument("--quick", action="store_true", help="a box, a matched video, smaller images")
    made.add_argument("--small", action="store_true", help="images as small as those of --quick")
    made.add_argument("--seeds", type=int, nargs="+", default=None, help="0 to 4 when missing, 0 with --quick")
    chosen = made.parse_args(arguments)
    seeds = chosen.seeds or list(range(1 if chosen.quick else 5))
    things, kinds = (THINGS[:1], KINDS[:1]) if chosen.quick else (THINGS, KINDS)
    size = QUICK_SIZE_PX if chosen.quick or chosen.small else SIZE_PX
    samples: dict[str, list[dict[str, Errors]]] = {}
    for kind in kinds:
        samples[kind] = [measure(seed, kind, things, size) for seed in seeds]
    return finish("objects", Outcome(metrics(samples), samples, seeds), chosen)


if __name__ == "__main__":
    sys.exit(main())

"""`python -m benchmarks.objects`: refined hands that hold a thing, with and without the thing being treated."""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from jaxtyping import Float

from benchmarks.harness import Metric, Outcome, finish, parser
from benchmarks.objects.video import Filmed, Pictures, film
from handrefine.config import Config
from handrefine.config_files import load_config
from handrefine.refinement.refine import refine
from handrefine.synthetic.held_thing import HeldKind
from handrefine.synthetic.truth import SyntheticSettings
from handrefine.synthetic.video import imperfect_annotation
from handrefine.synthetic.video_images import sequence_in_memory

THINGS: tuple[HeldKind, ...] = ("box", "cylinder")
KINDS = ("matched", "mismatched")
#: How large windows and texture are: a hand of a window is some 60 px long.
WINDOW_PX, TEXTURE_PX = 96, 256
TARGET, ERROR_MM = 1.3, 10.0
Errors = dict[str, float]
Verts = Float[np.ndarray, "frame vertex 3"]


@dataclass(frozen=True)
class Arm:
    """What is refined, and with what being known.

    masks: those of things, and of hands on mismatched videos, are given. beside: the arm with nothing held and as
    much given. meshes: the thing's mesh and poses are given, too.
    """

    pictures: Pictures
    objects: Literal["given", "none", "auto"]
    masks: bool
    beside: str = ""
    meshes: bool = False


HELD, UNTOLD = "nothing held", "nothing held or given"
#: hidden: nothing is held, but the pixels that the thing would hide are unknown, which tells what they are worth.
ARMS: Mapping[str, Arm] = {
    HELD: Arm("without", "none", True),
    UNTOLD: Arm("without", "none", False),
    "hidden": Arm("without", "given", True, HELD),
    "none": Arm("with", "none", False, UNTOLD),
    "given": Arm("with", "given", True, HELD),
    "meshes": Arm("with", "given", True, HELD, meshes=True),
    "auto": Arm("with", "auto", False, UNTOLD),
}


def measure(base: Config, settings: SyntheticSettings, things: Sequence[HeldKind], arms: Sequence[str]) -> Any:
    """Mean vertex error in mm of every arm, from 10 mm: of all vertices, and of those that some camera sees beside
    the thing."""
    config, found = replace(base, seed=settings.seed), {}
    bare: dict[str, Verts] = {}
    for thing in things:
        filmed = film(replace(settings, held=thing), config)
        found[f"{thing}, share"] = {"hidden px": filmed.hidden_px, "hidden vertices": filmed.hidden_vertices}
        for name in arms:
            arm = ARMS[name]
            if arm.beside or name not in bare:
                verts_world = _refined(filmed, arm, config, with_hands=settings.kind == "mismatched")
            else:
                verts_world = bare[name]
            if not arm.beside:
                same = (HELD, UNTOLD) if settings.kind == "matched" else (name,)  # over black no masks are needed
                bare |= dict.fromkeys(same, verts_world)
            found[f"{thing}, {name}"] = errors = _errors(filmed, verts_world)
            told = ", ".join(f"{key} {value:.2f}" for key, value in errors.items())
            print(f"seed {settings.seed}, {settings.kind}, {thing}, {name}: {told}", flush=True)
    return found


def _refined(filmed: Filmed, arm: Arm, config: Config, *, with_hands: bool) -> Verts:
    taken = filmed.taken[arm.pictures]
    taken = replace(
        taken,
        masks=taken.masks if arm.masks and with_hands else {},
        objects=filmed.objects if arm.masks else {},
        things=taken.things if arm.meshes else (),
    )
    annotation = imperfect_annotation(filmed.hand, filmed.truth, ERROR_MM, config.seed)
    sequence = sequence_in_memory(filmed.truth, taken, annotation, masks=True)
    treated = replace(config, labels=replace(config.labels, objects=arm.objects))
    return refine(sequence, ("right",), treated).hands[0].after.verts_world


def _errors(filmed: Filmed, verts_world: Verts) -> Errors:
    error_mm = np.linalg.norm(verts_world - filmed.truth.verts_world, axis=-1) * 1e3
    return {"all": float(error_mm.mean()), "seen": float(error_mm[filmed.seen].mean())}


def metrics(samples: Mapping[str, Sequence[Mapping[str, Errors]]]) -> list[Metric]:
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
        for key in ("all", "seen"):
            of = {
                name: _mean_over_things(mean, name, key)
                for name in ARMS
                if any(arm.endswith(f", {name}") for arm in mean)
            }
            for name, error in of.items():
                if (beside := ARMS[name].beside) in of:
                    target = TARGET if name in ("given", "meshes", "auto") and key == "all" else None
                    found.append(Metric(f"{kind}.{name} over {beside}, {key}", error / of[beside], "x", target))
            for name in ("given", "meshes"):
                if {name, "hidden"} <= set(of):
                    found.append(Metric(f"{kind}.{name} over hidden, {key}", of[name] / of["hidden"], "x"))
    return found


def _mean_over_things(mean: Mapping[str, Errors], name: str, key: str) -> float:
    return float(np.mean([errors[key] for arm, errors in mean.items() if arm.split(", ", 1)[1] == name]))


def main(arguments: Sequence[str] | None = None) -> int:
    made = parser(__doc__ or "")
    made.add_argument("--quick", action="store_true", help="a box, a matched video, four cameras, preset quick")
    made.add_argument("--seeds", type=int, nargs="+", default=None, help="0 to 4 when missing, 0 with --quick")
    made.add_argument("--cameras", type=int, default=8)
    made.add_argument("--frames", type=int, default=3)
    made.add_argument(
        "--size", type=int, default=256, help="pictures' width and height; windows are 96 px at most"
    )
    made.add_argument("--preset", default=None, help="the defaults when missing")
    made.add_argument("--kinds", nargs="+", choices=KINDS, default=KINDS)
    made.add_argument("--things", nargs="+", choices=THINGS, default=THINGS)
    made.add_argument("--arms", nargs="+", choices=tuple(ARMS), default=tuple(ARMS))
    chosen = made.parse_args(arguments)
    seeds = chosen.seeds or list(range(1 if chosen.quick else 5))
    things, kinds, cameras, size, preset = chosen.things, chosen.kinds, chosen.cameras, chosen.size, chosen.preset
    if chosen.quick:
        things, kinds, cameras, size, preset = THINGS[:1], KINDS[:1], 4, WINDOW_PX, "quick"
    base = load_config(preset) if preset else Config()
    base = replace(
        base,
        crop=replace(base.crop, max_size_px=WINDOW_PX),
        texture=replace(base.texture, size=TEXTURE_PX),
    )
    samples: dict[str, list[dict[str, Errors]]] = {kind: [] for kind in kinds}
    status = 0
    for done, seed in enumerate(seeds, start=1):
        for kind in kinds:
            settings = SyntheticSettings(
                n_cameras=cameras, n_frames=chosen.frames, size=size, seed=seed, kind=kind
            )
            samples[kind].append(measure(base, settings, things, chosen.arms))
        # Saved seed by seed: hours of measurements are not lost with the last of them.
        status = finish("objects", Outcome(metrics(samples), samples, seeds[:done]), chosen)
    return status


if __name__ == "__main__":
    sys.exit(main())

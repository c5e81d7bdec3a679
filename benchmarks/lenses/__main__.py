"""`python -m benchmarks.lenses`: refined hands of captures through lenses, beside the same without any."""

import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.harness import Metric, Outcome, finish, parser
from benchmarks.lenses.capture import film, write_capture
from handrefine.capture.import_capture import import_capture
from handrefine.capture.import_settings import ImportSettings
from handrefine.config_files import load_config
from handrefine.datasets.registry import read_dataset
from handrefine.refinement.refine import refine
from handrefine.synthetic.truth import SyntheticSettings

#: Whether a capture has lenses, and whether its import keeps them; the first is what the others are judged by.
ARMS = {"no lens": (False, False), "undistorted": (True, False), "kept": (True, True)}
TARGET = 1.1


def measure(seed: int, folder: Path) -> dict[str, dict[str, float]]:
    """Mean vertex error in mm of every arm, of the fit to the joints and of the refined hand."""
    settings = SyntheticSettings(n_cameras=4, n_frames=3, size=160, seed=seed)
    filmed = film(settings, load_config("quick"))
    found = {}
    for arm, (lenses, kept) in ARMS.items():
        place = folder / f"{seed}-{arm.replace(' ', '-')}"
        capture = write_capture(place, filmed, lenses=lenses, seed=seed)
        import_capture(capture, place / "dataset", ImportSettings(hand="right", keep_distorted=kept))
        sequence = read_dataset(place / "dataset")
        hand = refine(sequence, ("right",), replace(load_config("quick"), seed=seed)).hands[0]
        found[arm] = {
            moment: float(np.linalg.norm(state.verts_world - filmed.truth.verts_world, axis=-1).mean() * 1e3)
            for moment, state in (("joints", hand.before), ("refined", hand.after))
        }
        print(f"seed {seed}, {arm}: {found[arm]['joints']:.2f} -> {found[arm]['refined']:.2f} mm", flush=True)
    return found


def metrics(samples: list[dict[str, dict[str, float]]]) -> list[Metric]:
    mean = {arm: float(np.mean([of[arm]["refined"] for of in samples])) for arm in ARMS}
    ratios = {arm: np.array([of[arm]["refined"] / of["no lens"]["refined"] for of in samples]) for arm in ARMS}
    return [
        *(Metric(f"{arm}.joints", float(np.mean([of[arm]["joints"] for of in samples])), "mm") for arm in ARMS),
        *(Metric(f"{arm}.refined", value, "mm") for arm, value in mean.items()),
        *(
            Metric(f"{arm}.refined over no lens", mean[arm] / mean["no lens"], "x", target=TARGET)
            for arm in list(ARMS)[1:]
        ),
        *(
            Metric(f"{arm}, standard error of the videos' ratios", float(of.std(ddof=1) / len(of) ** 0.5), "x")
            for arm, of in list(ratios.items())[1:]
            if len(of) > 1
        ),
    ]


def main() -> int:
    options = parser(__doc__ or "")
    options.add_argument("--seeds", type=int, nargs="+", default=[*range(5)], help="tuning seeds are 1000 and up")
    chosen = options.parse_args()
    samples: list[Any] = []
    with tempfile.TemporaryDirectory() as folder:
        samples += [measure(seed, Path(folder)) for seed in chosen.seeds]
    return finish("lenses", Outcome(metrics(samples), samples, chosen.seeds), chosen)


if __name__ == "__main__":
    sys.exit(main())

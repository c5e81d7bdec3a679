"""How often the verdict on a frame is right, where the truth is known: `python -m benchmarks.verdict`.

The weights of `handrefine.evaluation.frame_verdict` are fitted on the tuning seeds (`--fit` prints them); the
figures are of other seeds.
"""

import argparse
import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np
from scipy.optimize import minimize

from benchmarks.harness import RESULTS, Metric, Outcome, finish
from benchmarks.verdict.frames import JudgedFrame, judged_frames
from benchmarks.verdict.runs import refine_all
from benchmarks.verdict.videos import make_dataset
from handrefine.evaluation.frame_verdict import BEYOND_MM, FIGURES, verdicts

TUNING, REPORTED = tuple(range(1000, 1006)), tuple(range(5))
#: In which direction a figure may speak for a hand that is beyond repair: what is evidence against a hand in one
#: video is no evidence for it in another.
SIGNS = {name: -1 if name == "known" else 1 for name in FIGURES}
#: Weights are held small by half of `RIDGE` times their squares.
RIDGE = 1.0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--fit", action="store_true", help="fit the weights on the tuning seeds, and print them")
    parser.add_argument("--quick", action="store_true", help="one seed only")
    parser.add_argument("--gate", action="store_true", help="exit with status 1 where a metric is short")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--work", type=Path, help="folder for videos and runs; goes on with what is there")
    parser.add_argument("--results", type=Path, default=RESULTS)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        work = chosen.work or Path(scratch)
        seeds = TUNING if chosen.fit else REPORTED
        folder = work / ("tuning" if chosen.fit else "reported")
        frames = _frames(folder, seeds[:1] if chosen.quick else seeds, chosen.workers)
    if chosen.fit:
        for name, truth, sign in (
            ("BEYOND", [of.after_mm > BEYOND_MM for of in frames], 1),
            ("IMPROVED", [of.after_mm < of.before_mm for of in frames], -1),
        ):
            print(name, "=", tuple(round(w, 3) for w in fitted([of.figures for of in frames], truth, sign)))
        return 0
    metrics, samples = judged(frames)
    return finish("verdict", Outcome(metrics, samples, seeds), chosen)


def _frames(work: Path, seeds: Sequence[int], workers: int) -> list[JudgedFrame]:
    data = work / "data"
    if not data.exists():
        make_dataset(data, tuple(seeds), work / "videos")
    return judged_frames(data, refine_all(data, work / "runs", workers))


def fitted(figures: Sequence[Sequence[float]], truth: Sequence[bool], sign: int) -> list[float]:
    """The weights of the logistic model: most likely, with a ridge, and each with its sign."""
    x = np.column_stack([np.ones(len(figures)), np.array(figures)])
    y = np.array(truth, dtype=float)

    def loss(w: np.ndarray) -> tuple[float, np.ndarray]:
        z = x @ w
        probability = 1 / (1 + np.exp(-z))
        ridge = RIDGE * np.r_[0.0, w[1:]]
        return float(np.logaddexp(0, z).sum() - y @ z + ridge @ w / 2), x.T @ (probability - y) + ridge

    bounds = [(None, None), *((0, None) if sign * SIGNS[name] > 0 else (None, 0) for name in FIGURES)]
    return minimize(loss, np.zeros(x.shape[1]), jac=True, bounds=bounds, method="L-BFGS-B").x.tolist()


def judged(frames: Sequence[JudgedFrame]) -> tuple[list[Metric], list[dict[str, object]]]:
    """What was said against what is true."""
    by_sequence: dict[str, list[JudgedFrame]] = {}
    for of in frames:
        by_sequence.setdefault(of.sequence, []).append(of)
    said = [v for of in by_sequence.values() for v in verdicts([frame.evidence for frame in of])]
    pairs = list(zip([frame for of in by_sequence.values() for frame in of], said, strict=True))
    samples: list[dict[str, object]] = [
        {
            "sequence": of.sequence,
            "frame": of.evidence.frame,
            "before_mm": of.before_mm,
            "after_mm": of.after_mm,
            "verdict": v.verdict,
            "confidence": v.confidence,
            "better": v.better,
            "beyond": v.beyond,
            "evidence": asdict(of.evidence),
        }
        for of, v in pairs
    ]
    improved = [of.after_mm < of.before_mm for of, v in pairs if v.verdict == "improved"]
    lost = [v.verdict == "beyond repair" for of, v in pairs if of.after_mm > BEYOND_MM]
    called = [of.after_mm > BEYOND_MM for of, v in pairs if v.verdict == "beyond repair"]
    near = [v.verdict == "beyond repair" for of, v in pairs if of.after_mm < BEYOND_MM / 2]
    good = [v.verdict == "improved" for of, v in pairs if of.after_mm < of.before_mm]
    brier_beyond = np.mean([(v.beyond - (of.after_mm > BEYOND_MM)) ** 2 for of, v in pairs])
    brier_better = np.mean([(v.better - (of.after_mm < of.before_mm)) ** 2 for of, v in pairs])

    def percent(of: Sequence[bool]) -> float:
        return 100 * float(np.mean(of)) if of else float("nan")

    return [
        Metric("called improved and improved", percent(improved), "%", 98, "higher"),
        Metric("above 5 mm and called beyond repair", percent(lost), "%", 90, "higher"),
        Metric("called beyond repair and above 5 mm", percent(called), "%"),
        Metric("improved and called improved", percent(good), "%"),
        Metric("below 2.5 mm and called beyond repair", percent(near), "%"),
        Metric("Brier score of beyond repair", float(brier_beyond), ""),
        Metric("Brier score of improved", float(brier_better), ""),
        Metric("frames", len(pairs), ""),
        Metric("frames above 5 mm", len(lost), ""),
    ], samples


if __name__ == "__main__":
    raise SystemExit(main())

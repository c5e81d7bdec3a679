"""`python -m benchmarks.evidence [--quick] [--gate]`: are the joints as far off as `joint_std_mm` says?

Synthetic videos of known truth, matched and mismatched, by few cameras and by more, refined by the preset `quick`.
The calibration is the share of joints whose error is at most twice their standard deviation.
"""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, get_args

import matplotlib
import numpy as np
from rich.console import Console

import handrefine as hr
from benchmarks.harness import RESULTS, Metric, Outcome, finish, options
from benchmarks.readme import update_section
from handrefine.config import Config
from handrefine.config_files import load_config
from handrefine.synthetic.truth import SyntheticSettings, TruthKind
from handrefine.synthetic.video import synthesize

#: Shares of joints within two standard deviations between which the figures are calibrated.
LEAST, MOST = 0.85, 0.99


@dataclass(frozen=True)
class Work:
    """Seeds are those that are reported; constants were chosen on seeds from 1000 on."""

    seeds: Sequence[int] = (0, 1, 2, 3, 4)
    cameras: Sequence[int] = (2, 5)
    n_frames: int = 2
    size: int = 64


def sample(kind: TruthKind, n_cameras: int, seed: int, work: Work) -> dict[str, Any]:
    """Errors and standard deviations of one video's joints."""
    settings = SyntheticSettings(n_cameras=n_cameras, n_frames=work.n_frames, size=work.size, seed=seed, kind=kind)
    with TemporaryDirectory() as folder:
        (truth,) = synthesize(Path(folder) / "video", ["right"], settings, 10.0, Config())
        result = hr.refine(hr.read_dataset(Path(folder) / "video"), "right", load_config("quick"))
    hand = result.hand("right")
    assert hand.evidence is not None
    error_mm = 1e3 * np.linalg.norm(hand.after.joints_world - truth.joints_world, axis=2)
    return {
        "kind": kind,
        "n_cameras": n_cameras,
        "seed": seed,
        "error_mm": error_mm.round(4).tolist(),
        "std_mm": hand.evidence.std_mm.round(4).tolist(),
        "cameras": hand.evidence.cameras.tolist(),
    }


def within(samples: Sequence[dict[str, Any]], deviations: float) -> float:
    """Share of joints whose error is at most so many standard deviations."""
    error, std = (np.concatenate([np.ravel(of[name]) for of in samples]) for name in ("error_mm", "std_mm"))
    return float((error <= deviations * std).mean())


def metrics(samples: Sequence[dict[str, Any]]) -> list[Metric]:
    found: list[Metric] = []
    for kind in get_args(TruthKind):
        of_kind = [of for of in samples if of["kind"] == kind]
        share = within(of_kind, 2)
        found += [
            Metric(f"{kind}.within_2_std", share, "share", LEAST, "higher"),
            Metric(f"{kind}.within_2_std.most", share, "share", MOST),
            Metric(f"{kind}.within_1_std", within(of_kind, 1), "share"),
        ]
        for n in sorted({of["n_cameras"] for of in of_kind}):
            some = [of for of in of_kind if of["n_cameras"] == n]
            found += [
                Metric(f"{kind}.{n}_cameras.within_2_std", within(some, 2), "share"),
                Metric(f"{kind}.{n}_cameras.error", float(np.mean([of["error_mm"] for of in some])), "mm"),
                Metric(f"{kind}.{n}_cameras.std", float(np.mean([of["std_mm"] for of in some])), "mm"),
            ]
    return found


def section(samples: Sequence[dict[str, Any]]) -> str:
    """The table of the benchmarks' README."""
    lines = [
        "| videos | cameras | error, mm | `joint_std_mm` | within 1 std | within 2 std |",
        "|---|---|---|---|---|---|",
    ]
    for kind in get_args(TruthKind):
        for n in sorted({of["n_cameras"] for of in samples}):
            some = [of for of in samples if (of["kind"], of["n_cameras"]) == (kind, n)]
            error, std = (
                np.concatenate([np.ravel(of[name]) for of in some]).mean() for name in ("error_mm", "std_mm")
            )
            shares = f"{100 * within(some, 1):.0f} % | {100 * within(some, 2):.0f} %"
            lines.append(f"| {kind} | {n} | {error:.2f} | {std:.2f} | {shares} |")
    return "\n".join(lines)


def plot(samples: Any, path: Path) -> None:
    """Error over standard deviation, a dot a joint."""
    matplotlib.use("agg")
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(1, 2, figsize=(9, 4), sharex=True, sharey=True)
    for ax, kind in zip(axes, get_args(TruthKind), strict=True):
        for of in (of for of in samples if of["kind"] == kind):
            colour = "tab:red" if of["n_cameras"] == min(o["n_cameras"] for o in samples) else "tab:blue"
            ax.plot(np.ravel(of["std_mm"]), np.ravel(of["error_mm"]), ".", color=colour, markersize=3)
        ends = np.array([0.05, 20])
        ax.plot(ends, 2 * ends, "k-", linewidth=0.8)
        ax.set(title=kind, xscale="log", yscale="log", xlabel="joint_std_mm", ylabel="error, mm")
    figure.tight_layout()
    figure.savefig(path, dpi=100)
    plt.close(figure)


def main() -> int:
    chosen = options(__doc__ or "")
    work = Work(seeds=(1000,), cameras=(3,), n_frames=2, size=48) if chosen.quick else Work()
    console, samples = Console(), []
    for seed in work.seeds:
        for kind in get_args(TruthKind):
            for n in work.cameras:
                samples.append(sample(kind, n, seed, work))
                console.print(f"seed {seed} {kind} {n} cameras: within 2 std {within(samples[-1:], 2):.2f}")
    if not chosen.quick:
        update_section(RESULTS.parent / "README.md", "evidence", section(samples))
    return finish("evidence", Outcome(metrics(samples), samples, work.seeds), chosen, plot)


if __name__ == "__main__":
    sys.exit(main())

"""What every benchmark shares: options, metrics against targets, and a result file that says how it was made."""

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Literal

from rich.console import Console
from rich.table import Table

from benchmarks.provenance import provenance
from handrefine.errors import InputError

RESULTS = Path(__file__).parent / "results"


@dataclass(frozen=True)
class Metric:
    """One figure; without a `target` it is reported and not judged. `better`: which side of the target is good."""

    key: str
    value: float
    unit: str
    target: float | None = None
    better: Literal["lower", "higher"] = "lower"

    @property
    def reached(self) -> bool | None:
        if self.target is None:
            return None
        return self.value <= self.target if self.better == "lower" else self.value >= self.target

    @property
    def verdict(self) -> str:
        """Whether the target is reached, as text; empty without one."""
        return {None: "", True: "reached", False: "short"}[self.reached]

    @property
    def bound(self) -> str:
        """The target as text; empty without one."""
        return "" if self.target is None else f"{'<=' if self.better == 'lower' else '>='} {self.target:g}"


@dataclass(frozen=True)
class Outcome:
    """What a benchmark measured: its metrics, and every sample behind them."""

    metrics: Sequence[Metric]
    samples: object
    seeds: Sequence[int] = field(default_factory=lambda: (0,))


def parser(description: str) -> argparse.ArgumentParser:
    """What every benchmark takes; `finish` needs it."""
    made = argparse.ArgumentParser(description=description)
    made.add_argument("--gate", action="store_true", help="exit with status 1 where a metric is short")
    made.add_argument("--results", type=Path, default=RESULTS, help="folder of the result files")
    made.set_defaults(quick=False)
    return made


def options(description: str) -> argparse.Namespace:
    made = parser(description)
    made.add_argument("--quick", action="store_true", help="a smaller version in a minute or two")
    return made.parse_args()


def exit_status(perform: Callable[[], int | None]) -> int:
    """The exit status of a command; bad input is told in one message, and ends with 2."""
    try:
        return perform() or 0
    except InputError as error:
        print(error, file=sys.stderr)
        return 2


def finish(
    name: str,
    outcome: Outcome,
    chosen: argparse.Namespace,
    plot: Callable[[object, Path], None] | None = None,
    *,
    module: str | None = None,
) -> int:
    """Save, plot and show; the process's exit status. `module`: what was run, where it is not `name`."""
    console = Console()
    stem = name + ("-quick" if chosen.quick else "")
    document = {
        "name": name,
        "command": " ".join([f"python -m benchmarks.{module or name}", *map(_told, sys.argv[1:])]),
        **provenance(),
        "seeds": list(outcome.seeds),
        "metrics": [asdict(m) | {"reached": m.reached} for m in outcome.metrics],
        "samples": outcome.samples,
    }
    chosen.results.mkdir(parents=True, exist_ok=True)
    path = chosen.results / f"{stem}.json"
    path.write_text(json.dumps(document, indent=1) + "\n")
    if plot is not None:
        plot(outcome.samples, path.with_suffix(".png"))
    console.print(metric_table(stem, outcome.metrics))
    console.print(f"saved: {path}")
    return int(chosen.gate and any(m.reached is False for m in outcome.metrics))


def metric_table(title: str, metrics: Sequence[Metric]) -> Table:
    table = Table("metric", "value", "unit", "target", "", title=title)
    for m in metrics:
        verdict = f"[red]{m.verdict}[/]" if m.reached is False else m.verdict
        table.add_row(m.key, f"{m.value:.3g}", m.unit, m.bound, verdict)
    return table


def _told(argument: str) -> str:
    """Of a path in somebody's folders only its own name."""
    return Path(argument).name if Path(argument).is_absolute() else argument

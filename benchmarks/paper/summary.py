"""Samples turned into means and spreads over videos, and differences between runs of the same video."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from benchmarks.paper.store import Sample


@dataclass(frozen=True)
class Spread:
    """A figure over videos; deviation and standard error are NaN for a single one."""

    values: tuple[float, ...]

    @property
    def mean(self) -> float:
        return float(np.mean(self.values))

    @property
    def std(self) -> float:
        return float(np.std(self.values, ddof=1)) if len(self.values) > 1 else float("nan")

    @property
    def standard_error(self) -> float:
        return self.std / len(self.values) ** 0.5

    def __format__(self, spec: str) -> str:
        """Mean ± standard deviation, both in this format."""
        mean = format(self.mean, spec)
        return f"{mean} ± {self.std:{spec}}" if len(self.values) > 1 else mean


Figure = Callable[[Sample], float | None]


def vertex_error_mm(sample: Sample) -> float:
    return sample["after"]["vertex_error_mm"]


def reprojection_px(sample: Sample) -> float:
    return sample["after"]["reprojection_px"]


def texture_psnr_db(sample: Sample) -> float | None:
    return sample["texture_psnr_db"]


def seconds_until(limit_mm: float) -> Figure:
    """Seconds of refinement after which the vertex error stays at or below a limit; None where it does not."""

    def seconds(sample: Sample) -> float | None:
        above = [k for k, (_, error_mm) in enumerate(sample["curve"]) if error_mm > limit_mm]
        first = above[-1] + 1 if above else 0
        return sample["curve"][first][0] if first < len(sample["curve"]) else None

    return seconds


def comparable_in_time(samples: Sequence[Sample]) -> list[Sample]:
    """Those with the most cameras there are, from the machine on which most of them were measured."""
    most = matching(samples, cameras=max(distinct(samples, "cameras")))
    machine = Counter(sample["machine"] for sample in most).most_common(1)[0][0]
    return matching(most, machine=machine)


def matching(samples: Sequence[Sample], **fields: object) -> list[Sample]:
    return [s for s in samples if all(s[name] == value for name, value in fields.items())]


def spread(samples: Sequence[Sample], figure: Figure) -> Spread | None:
    """None where there is no sample."""
    values = [figure(sample) for sample in samples]
    known = tuple(value for value in values if value is not None)
    return Spread(known) if known else None


def paired(
    first: Sequence[Sample],
    second: Sequence[Sample],
    figure: Figure,
    combine: Callable[[float, float], float] = lambda a, b: a - b,
) -> Spread | None:
    """`combine(first, second)` for every video that both have: what the videos have in common cancels."""
    by_video = {sample["video"]: figure(sample) for sample in second}
    values = [
        combine(value, other)
        for sample in first
        if (value := figure(sample)) is not None and (other := by_video.get(sample["video"])) is not None
    ]
    return Spread(tuple(values)) if values else None


def loss_without(samples: Sequence[Sample], row: str) -> Spread | None:
    """By how many mm of vertex error an ablation is worse than the whole method, on the videos that have both."""
    return paired(matching(samples, ablation=row), matching(samples, ablation="all"), vertex_error_mm)


def distinct(samples: Sequence[Sample], field: str) -> list:
    """The values of a field in the order in which they first occur; numbers ascending."""
    values = list(dict.fromkeys(sample[field] for sample in samples))
    return sorted(values) if all(isinstance(value, int) for value in values) else values

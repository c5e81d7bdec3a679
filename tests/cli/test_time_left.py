"""The time left: of the whole job, from its first tenth on, whatever the machine."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from handrefine.cli.time_left import AFTER, BEFORE, SHOWN, PlannedStage, TimeLeft

STAGES = {
    "texture": PlannedStage(10, 0.5, geometry=False),
    "coarse": PlannedStage(60, 0.5),
    "joint": PlannedStage(30),
    "finish": PlannedStage(40, geometry=False),
}


def steps(unit_s: float, factors: dict[str, float]) -> Iterator[tuple[str, float]]:
    """What happens in turn, and how long it takes: names of parts that begin, and `.` for an iteration."""
    for name, cost in BEFORE.items():
        yield name, unit_s * cost * factors.get(name, 1)
    for name, stage in STAGES.items():
        factor = factors.get(name, 1)
        yield name, unit_s * stage.beginning * factor
        yield from ((".", unit_s * stage.cost * factor) for _ in range(stage.iterations))
    for name, cost in AFTER.items():
        yield name, unit_s * cost * factors.get(name, 1)


#: The stages of the presets, a number of iterations being each preset's own.
PLANNED = {
    "environment": PlannedStage(10, 0.5, geometry=False, texture=False),
    "texture": PlannedStage(10, 0.5, geometry=False),
    "coarse": PlannedStage(60, 0.5),
    "again": PlannedStage(20, 0.5, texture=False),
    "joint": PlannedStage(30),
    "finish": PlannedStage(40, geometry=False),
}
FEWER = {"coarse": 30, "joint": 15, "finish": 5}
#: Seconds of CPU of real runs: of parts, and of stages until the first iteration was done, of each other one, and
#: after the last.
#: A preset of little work, the defaults on 4 cameras x 3 frames of 96 px, and two hands with the preset `real`.
QUICK = {"reading": 0.02, "labels": 0.80, "renders": 1.19, "figures": 0.06, "files": 1.14, "report": 1.11}
QUICK_STAGES = {
    "environment": (0.08, 0.063, 0.04),
    "texture": (0.08, 0.056, 0.10),
    "coarse": (0.25, 0.133, 0.14),
    "joint": (0.29, 0.215, 0.13),
    "finish": (0.11, 0.123, 0.10),
}
DEFAULTS = {"reading": 0.02, "labels": 0.69, "renders": 1.09, "figures": 0.06, "files": 1.71, "report": 1.22}
DEFAULT_STAGES = {
    "environment": (0.12, 0.071, 0.10),
    "texture": (0.29, 0.116, 0.15),
    "coarse": (1.02, 0.178, 0.19),
    "again": (0.61, 0.114, 0.17),
    "joint": (0.36, 0.298, 0.21),
    "finish": (0.20, 0.208, 0.36),
}
REAL = {"reading": 0.01, "labels": 0.84, "renders": 2.40, "figures": 0.06, "files": 2.25, "report": 1.43}
REAL_STAGES = {
    "environment": (0.63, 0.112, 0.09),
    "texture": (0.55, 0.222, 0.32),
    "coarse": (1.38, 0.289, 1.30),
    "again": (0.88, 0.166, 0.38),
    "joint": (0.65, 0.438, 0.96),
    "finish": (0.70, 0.328, 0.66),
}


def told(unit_s: float, factors: dict[str, float]) -> list[tuple[float, float | None, float]]:
    """After every step the share of the whole time that has passed, what was said to be left, and what was."""
    whole_s, now = sum(seconds for _, seconds in steps(unit_s, factors)), [0.0]
    left, said = TimeLeft(STAGES, clock=lambda: now[0]), []
    for name, seconds in steps(unit_s, factors):
        if name != ".":
            left.begin(name)
        now[0] += seconds
        if name == ".":
            left.iteration()
            assert 0 <= left.share() <= 1
        said.append((now[0] / whole_s, left.seconds(), whole_s - now[0]))
    return said


@pytest.mark.parametrize("unit_s", [0.01, 7.0])
def test_a_job_like_the_table_is_told_exactly(unit_s: float) -> None:
    for passed, said, true in told(unit_s, {}):
        if passed > 0.1:
            assert said is not None
            assert said == pytest.approx(true, rel=0.05, abs=3 * unit_s)


@pytest.mark.parametrize("other", ["labels", "coarse", "joint", "renders", "files"])
def test_a_part_that_costs_a_quarter_more_is_told_within_a_quarter(other: str) -> None:
    for passed, said, true in told(1.0, {other: 1.25}):
        if 0.1 < passed < 0.5:
            assert said is not None
            assert said == pytest.approx(true, rel=0.25)


@pytest.mark.parametrize(
    ("parts", "stages"),
    [(QUICK, QUICK_STAGES), (DEFAULTS, DEFAULT_STAGES), (REAL, REAL_STAGES)],
    ids=["quick", "defaults", "real, both hands"],
)
def test_real_runs_are_told_within_a_quarter(
    parts: dict[str, float], stages: dict[str, tuple[float, float, float]]
) -> None:
    """From the first word on, until little is left; and something is said once a tenth of the job is done."""
    planned = {name: PLANNED[name] for name in stages}
    if stages is QUICK_STAGES:
        planned |= {name: replace(PLANNED[name], iterations=count) for name, count in FEWER.items()}
    row = [(name, parts[name]) for name in BEFORE]
    for name, (first_s, iteration_s, after_s) in stages.items():
        others = [(".", iteration_s)] * (planned[name].iterations - 1)
        row += [(name, 0.0), (".", first_s), *others, ("", after_s)]
    row += [(name, parts[name]) for name in AFTER]
    whole_s, now = sum(seconds for _, seconds in row), [0.0]
    left = TimeLeft(planned, clock=lambda: now[0])
    for name, seconds in row:
        if name in {*parts, *stages}:
            left.begin(name)
        now[0] += seconds
        if name == ".":
            left.iteration()
        said, true = left.seconds(), whole_s - now[0]
        assert said is not None or now[0] < 0.1 * whole_s
        if said is not None and true > 0.1 * whole_s:
            assert said == pytest.approx(true, rel=0.25), f"at {now[0] / whole_s:.0%}, in {name}"


def test_nothing_is_said_where_nothing_is_known() -> None:
    left = TimeLeft(STAGES, clock=lambda: 0.0)
    left.begin("reading")
    assert left.seconds() is None
    assert left.share() == 0


def test_what_comes_before_the_iterations_is_no_measure() -> None:
    """Reading takes milliseconds, whatever an iteration takes."""
    now = [0.0]
    left = TimeLeft(STAGES, clock=lambda: now[0])
    for name, seconds in (("reading", 0.02), ("labels", 0.8), ("coarse", 0.5)):
        left.begin(name)
        now[0] += seconds
        assert left.seconds() is None
    for _ in range(SHOWN - 1):
        left.iteration()
        assert left.seconds() is None
    now[0] += 0.2
    left.iteration()
    assert left.seconds() is not None


def test_a_stage_that_ends_early_is_done() -> None:
    """What it would have taken is not left."""
    now = [0.0]
    left = TimeLeft(STAGES, clock=lambda: now[0])
    left.begin("coarse")
    now[0] = STAGES["coarse"].beginning
    for _ in range(5):
        now[0] += STAGES["coarse"].cost
        left.iteration()
    long = left.seconds()
    left.begin("finish")
    short = left.seconds()
    assert long is not None
    assert short is not None
    assert short < long - 40 * STAGES["coarse"].cost


def test_what_an_earlier_process_did_is_not_left() -> None:
    """Of a run that goes on, the rest of its stage and what follows."""
    now = [0.0]
    left = TimeLeft(STAGES, clock=lambda: now[0])
    left.begin("labels")
    now[0] = BEFORE["labels"]
    left.resume(10 + 45)
    left.begin("coarse")
    now[0] += STAGES["coarse"].beginning
    for _ in range(5):
        now[0] += STAGES["coarse"].cost
        left.iteration()
    rest = 10 * STAGES["coarse"].cost + STAGES["joint"].whole + STAGES["finish"].whole + sum(AFTER.values())
    assert left.seconds() == pytest.approx(rest, rel=0.05)

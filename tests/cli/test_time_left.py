"""The time left: of the whole job, from its first tenth on, whatever the machine."""

from collections.abc import Iterator

import pytest

from handrefine.cli.time_left import AFTER, BEFORE, PlannedStage, TimeLeft

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


def test_nothing_is_said_where_nothing_is_known() -> None:
    left = TimeLeft(STAGES, clock=lambda: 0.0)
    left.begin("reading")
    assert left.seconds() is None
    assert left.share() == 0


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

"""How long a whole job still takes: a short table of what its parts usually cost, scaled by what this one took."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

#: What the parts of a job beside its stages cost. 1 is an iteration at full resolution that moves the texture, but
#: no hand.
BEFORE: Mapping[str, float] = {"reading": 0.1, "labels": 5.5}
AFTER: Mapping[str, float] = {"renders": 8.5, "figures": 1.0, "files": 7.5, "report": 6.0}
PARTS: Mapping[str, float] = {**BEFORE, **AFTER}
#: A stage begins with what it measures and, where it moves geometry, compiles.
BEGINNING, COMPILING = 0.5, 5.5
#: Of an iteration: the texture's share, the share of the rest that does not depend on the number of pixels, and
#: the factor of moving geometry on all but the texture.
TEXTURE, FIXED, GEOMETRY = 0.17, 0.35, 1.6
#: Iterations of a stage from which on its own pace counts.
SHOWN = 5


@dataclass(frozen=True)
class PlannedStage:
    """A stage as far as its cost goes.

    resolution: factor of the images' sides. geometry: it moves hands, so that silhouettes are differentiated.
    texture: it moves the texture.
    """

    iterations: int
    resolution: float = 1.0
    geometry: bool = True
    texture: bool = True

    @property
    def cost(self) -> float:
        """Of one iteration."""
        pixels = (FIXED + (1 - FIXED) * self.resolution**2) * (GEOMETRY if self.geometry else 1.0)
        return (1 - TEXTURE) * pixels + TEXTURE * self.texture

    @property
    def beginning(self) -> float:
        """Before the first iteration, and what it takes longer than others."""
        return BEGINNING + COMPILING * self.geometry

    @property
    def whole(self) -> float:
        """All of it."""
        return self.beginning + self.iterations * self.cost


class TimeLeft:
    """Told what begins and what is done; knows how much is left.

    A job is a row of parts. What is left of the stage that runs is known by its own pace; all else has its cost of
    the table, times the seconds that a unit has taken so far: of iterations in other iterations, of beginnings
    mostly in other beginnings, since only a machine's first run compiles, and of the rest in all but beginnings.
    Nothing is said before a few iterations were seen: reading and labelling alone tell little.

    Args:
        stages: those that will run, by name, in their order.
    """

    def __init__(self, stages: Mapping[str, PlannedStage], clock: Callable[[], float] = time.monotonic) -> None:
        self._stages, self._clock = dict(stages), clock
        #: What has not begun, in order.
        self._ahead: list[str] = [*BEFORE, *stages, *AFTER]
        self._iterated, self._beginnings, self._others = Measured(), Measured(), Measured()
        self._part_cost = 0.0
        self._began = self._part_began = clock()
        self._stage: PlannedStage | None = None
        self._iterations, self._first_ended, self._last_ended, self._resumed = 0, 0.0, 0.0, 0

    def begin(self, name: str) -> None:
        """A part or a stage begins; what stood before it is done or does not come."""
        now = self._clock()
        if self._stage is not None:
            self._iterated, self._beginnings = self._with_this_stage()
        else:
            self._others = self._others.and_(now - self._part_began, self._part_cost)
        known = name in self._ahead
        if known:
            self._ahead = self._ahead[self._ahead.index(name) + 1 :]
        self._stage = self._stages.get(name) if known else None
        self._part_cost = PARTS.get(name, 0.0) if known else 0.0
        self._iterations, self._part_began = 0, now
        if self._stage is not None and self._resumed:
            names = list(self._stages)
            earlier = sum(self._stages[of].iterations for of in names[: names.index(name)])
            here = min(max(0, self._resumed - earlier), self._stage.iterations)
            self._stage, self._resumed = replace(self._stage, iterations=self._stage.iterations - here), 0

    def resume(self, done: int) -> None:
        """So many iterations of all stages were done by an earlier process."""
        self._resumed = done

    def iteration(self) -> None:
        """One more iteration of the stage is done."""
        self._iterations += 1
        self._last_ended = self._clock()
        if self._iterations == 1:
            self._first_ended = self._last_ended

    def seconds(self) -> float | None:
        """What is left; None while nothing is known."""
        iterated, beginnings = self._with_this_stage()
        if iterated.cost <= 0 or iterated.seconds <= 0:
            return None
        unit_s = iterated.and_(self._others.seconds, self._others.cost).unit_s
        beginning_s = beginnings.and_(unit_s * COMPILING / 2, COMPILING / 2).unit_s
        ahead = [self._stages[name] for name in self._ahead if name in self._stages]
        return (
            self._left_here(iterated.unit_s, beginning_s, unit_s)
            + iterated.unit_s * sum(stage.iterations * stage.cost for stage in ahead)
            + beginning_s * sum(stage.beginning for stage in ahead)
            + unit_s * sum(PARTS.get(name, 0.0) for name in self._ahead)
        )

    def share(self) -> float:
        """What is done, of all; 1 once it ends."""
        left_s, passed_s = self.seconds(), self._clock() - self._began
        return 0.0 if left_s is None else passed_s / max(passed_s + left_s, 1e-9)

    def _left_here(self, iteration_s: float, beginning_s: float, unit_s: float) -> float:
        """Of the part or stage that runs, by the seconds of a unit of each kind."""
        here_s, stage = self._clock() - self._part_began, self._stage
        if stage is None:
            return max(0.0, unit_s * self._part_cost - here_s)
        if self._iterations >= SHOWN:
            iteration_s = self._pace_of(stage).unit_s
        begins_s = 0.0 if self._iterations else max(0.0, beginning_s * stage.beginning - here_s)
        return begins_s + iteration_s * stage.cost * max(0, stage.iterations - self._iterations)

    def _with_this_stage(self) -> tuple["Measured", "Measured"]:
        """What is known of iterations and of beginnings; too few iterations tell nothing."""
        if self._stage is None or self._iterations < SHOWN:
            return self._iterated, self._beginnings
        own = self._pace_of(self._stage)
        first_s = max(0.0, self._first_ended - self._part_began - own.unit_s * self._stage.cost)
        return self._iterated.and_(own.seconds, own.cost), self._beginnings.and_(first_s, self._stage.beginning)

    def _pace_of(self, stage: PlannedStage) -> "Measured":
        """The iterations of the stage that runs but the first, which is no usual one."""
        return Measured(self._last_ended - self._first_ended, (self._iterations - 1) * stage.cost)


@dataclass(frozen=True)
class Measured:
    """Seconds that were taken by what has this cost in the table."""

    seconds: float = 0.0
    cost: float = 0.0

    def and_(self, seconds: float, cost: float) -> "Measured":
        """This and more. What has no cost in the table tells nothing."""
        return Measured(self.seconds + seconds, self.cost + cost) if cost > 0 else self

    @property
    def unit_s(self) -> float:
        """Seconds of one unit."""
        return self.seconds / self.cost

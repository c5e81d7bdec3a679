"""How long a whole job still takes: a short table of what its parts usually cost, scaled by what this one took."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

#: What the parts of a job beside its stages cost; 1 is an iteration at full resolution that moves no geometry.
BEFORE: Mapping[str, float] = {"reading": 0.5, "labels": 5.5}
AFTER: Mapping[str, float] = {"renders": 10.0, "figures": 1.0, "files": 9.0, "report": 7.0}
#: A stage begins with what it measures and, where it moves geometry, compiles.
BEGINNING, COMPILING = 0.5, 5.5
#: Share of an iteration that does not depend on how many pixels it compares, and what moving geometry costs.
FIXED, GEOMETRY = 0.3, 1.8
#: Iterations of a stage from which on its own pace counts.
SHOWN = 3


@dataclass(frozen=True)
class PlannedStage:
    """A stage as far as its cost goes.

    resolution: factor of the images' sides. geometry: it moves hands, so that silhouettes are differentiated.
    """

    iterations: int
    resolution: float = 1.0
    geometry: bool = True

    @property
    def cost(self) -> float:
        """Of one iteration."""
        return (FIXED + (1 - FIXED) * self.resolution**2) * (GEOMETRY if self.geometry else 1.0)

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
    the table, times the seconds that one unit has taken so far.

    Args:
        stages: those that will run, by name, in their order.
    """

    def __init__(self, stages: Mapping[str, PlannedStage], clock: Callable[[], float] = time.monotonic) -> None:
        self._stages, self._clock = dict(stages), clock
        #: Costs of what has not begun, in order.
        self._ahead = {**BEFORE, **{name: stage.whole for name, stage in stages.items()}, **AFTER}
        self._done = self._cost = 0.0
        self._began = self._part_began = clock()
        self._stage: PlannedStage | None = None
        self._iterations, self._first_ended, self._resumed = 0, 0.0, 0

    def begin(self, name: str) -> None:
        """A part or a stage begins; what stood before it is done or does not come."""
        now = self._clock()
        self._done += self._cost
        if name in self._ahead:
            names = list(self._ahead)
            self._cost = self._ahead[name]
            self._ahead = {k: self._ahead[k] for k in names[names.index(name) + 1 :]}
        else:
            self._cost = 0.0
        self._stage, self._iterations, self._part_began = self._stages.get(name), 0, now
        if self._stage is not None and self._resumed:
            names = list(self._stages)
            earlier = sum(self._stages[of].iterations for of in names[: names.index(name)])
            here = min(max(0, self._resumed - earlier), self._stage.iterations)
            self._stage, self._resumed = replace(self._stage, iterations=self._stage.iterations - here), 0
            self._cost = self._stage.whole

    def resume(self, done: int) -> None:
        """So many iterations of all stages were done by an earlier process."""
        self._resumed = done

    def iteration(self) -> None:
        """One more iteration of the stage is done."""
        self._iterations += 1
        if self._iterations == 1:
            self._first_ended = self._clock()

    def seconds(self) -> float | None:
        """What is left; None while nothing is known."""
        now = self._clock()
        done, in_part_left = self._done, self._cost
        if self._stage is not None and self._iterations:
            part_done = self._stage.beginning + self._iterations * self._stage.cost
            done, in_part_left = done + part_done, max(0.0, self._cost - part_done)
        if done <= 0 or now <= self._began:
            return None
        measured_s = (now if self._iterations else self._part_began) - self._began
        unit_s = measured_s / done
        if self._stage is not None and self._iterations >= SHOWN:
            pace_s = (now - self._first_ended) / (self._iterations - 1)
            here_s = pace_s * max(0, self._stage.iterations - self._iterations)
        else:
            here_s = max(0.0, in_part_left * unit_s - (0 if self._iterations else now - self._part_began))
        return here_s + unit_s * sum(self._ahead.values())

    def share(self) -> float:
        """What is done, of all; 1 once it ends."""
        left_s, passed_s = self.seconds(), self._clock() - self._began
        return 0.0 if left_s is None else passed_s / max(passed_s + left_s, 1e-9)

"""How fast a stage goes and when it ends: by its count, or by its loss."""

import math
from collections import deque

import numpy as np

from handrefine.refinement.schedule import StageConfig
from handrefine.state import State

#: Iterations over which a loss is judged, and the least number of looks at every batch of views within them.
WINDOW, LOOKS = 12, 3
#: Falls of the loss in 10 iterations, as shares of it: less is settled, more is still falling.
SETTLED, FALLING = 0.01, 0.03
#: A stage is not judged before this share of its schedule; once settled, it goes through the rest so much faster.
NOT_BEFORE, HURRY = 0.4, 4.0
#: Standard errors by which a fall must exceed its noise to be one.
SURE = 2.0


class LossTrend:
    """The line that fits the latest losses, each batch of views at a level of its own (least squares).

    Args:
        n_batches: iterations look at the batches in turn.
    """

    def __init__(self, n_batches: int) -> None:
        self._n_batches, self._count = n_batches, 0
        self._losses: deque[float] = deque(maxlen=max(WINDOW, LOOKS * n_batches))

    def note(self, loss: float) -> None:
        self._losses.append(loss)
        self._count += 1

    def state(self) -> State:
        return {"count": self._count, "losses": list(self._losses)}

    def load_state(self, state: State) -> None:
        self._count = state["count"]
        self._losses.extend(state["losses"])

    def fall(self) -> tuple[float, float] | None:
        """How far the loss falls in 10 iterations, as a share of its mean, and the standard error of that; None
        before there are enough losses, or where they are no numbers."""
        y = np.array(self._losses)
        if len(y) < (self._losses.maxlen or 0) or not np.isfinite(y).all() or y.mean() <= 0:
            return None
        k = np.arange(self._count - len(y), self._count)
        levels = (k[:, None] % self._n_batches == np.arange(self._n_batches)).astype(float)
        design = np.column_stack([levels, k - k.mean()])
        found, *_ = np.linalg.lstsq(design, y, rcond=None)
        variance = np.square(y - design @ found).sum() / (len(y) - design.shape[1])
        error = math.sqrt(variance * np.linalg.inv(design.T @ design)[-1, -1])
        return -10 * found[-1] / y.mean(), 10 * error / y.mean()


class Pace:
    """The learning rates of one stage, iteration by iteration, until it ends.

    Rates follow half a cosine over the stage's iterations. A stage that ends by its loss (`most_iterations`) goes
    through the rest of its cosine four times as fast once the loss falls by less than 1 % in 10 iterations, were
    it by a standard error more; at its end it goes on, at its last rates, as long as the loss surely falls by more
    than 3 %.

    Attributes:
        ended: why, in words; None while the stage goes on.
    """

    def __init__(self, config: StageConfig, n_batches: int) -> None:
        self._config, self._trend = config, LossTrend(n_batches)
        self._progress, self._done, self._settled = 0.0, 0, False
        self.ended: str | None = None if config.iterations > 0 else "it has no iterations"

    @property
    def rate(self) -> float:
        """Share of the learning rates for the next iteration: `initial_rate` at first, `final_rate` at the end."""
        stage = self._config
        cosine = 0.5 * (1 + math.cos(math.pi * min(1.0, self._progress)))
        return stage.final_rate + (stage.initial_rate - stage.final_rate) * cosine

    def advance(self, loss: float) -> None:
        """One iteration was done, with this loss."""
        planned, most = self._config.iterations, self._config.most_iterations
        self._done += 1
        self._trend.note(loss)
        fall = None if most is None else self._trend.fall()
        if fall is not None and self._progress >= NOT_BEFORE and self._done < planned:
            self._settled = self._settled or (fall[1] < SETTLED and sum(fall) < SETTLED)
        at_end = self._progress >= 1 - 1e-9 or planned == 1
        self._progress = min(1.0, self._progress + (HURRY if self._settled else 1.0) / max(1, planned - 1))
        if not at_end:
            return
        falling = fall is not None and fall[0] > max(FALLING, SURE * fall[1])
        if self._settled:
            self.ended = f"the loss had settled after {self._done} of {planned} iterations"
        elif most is None or not falling:
            more = self._done - planned
            self.ended = f"after {planned} iterations" + (f" and {more} while the loss fell" if more else "")
        elif self._done >= most:
            self.ended = f"after the most that it may have, {most} iterations; the loss still falls"

    def state(self) -> State:
        """How far the stage is, and the losses by which it is judged."""
        return {
            "progress": self._progress,
            "done": self._done,
            "settled": self._settled,
            "ended": self.ended,
            "trend": self._trend.state(),
        }

    def load_state(self, state: State) -> None:
        """Go on from there, as one that has not begun."""
        self._progress, self._done = state["progress"], state["done"]
        self._settled, self.ended = state["settled"], state["ended"]
        self._trend.load_state(state["trend"])

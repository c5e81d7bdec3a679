"""How a refinement meets the process that it runs in: who hears of it, what ends it early, what outlives it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from handrefine.progress import Record
from handrefine.refinement.checkpoints import Checkpoints
from handrefine.refinement.live_views import LiveView


def _nobody(record: Record) -> None:
    pass


def _never() -> bool:
    return False


@dataclass(frozen=True, kw_only=True)
class Session:
    """What a caller gives to `refine` beside the problem itself.

    Attributes:
        record: gets every iteration's record, e.g. to write it to a file; of a run that goes on, those of the
            earlier process first.
        stop: asked before every iteration; once it says so, the refinement ends there with what it has found.
        checkpoints: where the state is kept; None keeps nothing.
        show: gets some views every few seconds.
    """

    record: Callable[[Record], None] = _nobody
    stop: Callable[[], bool] = _never
    checkpoints: Checkpoints | None = None
    show: Callable[[Sequence[LiveView]], None] | None = None

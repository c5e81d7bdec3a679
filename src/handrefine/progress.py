"""How a long computation tells what it is doing: the computation is handed a reporter and never prints itself."""

from collections.abc import Mapping
from typing import Protocol, runtime_checkable

#: What one iteration of an optimisation says of itself; the same record goes into a run folder's `log.jsonl`:
#:   iteration  count over all stages, from 0
#:   stage      the stage's name
#:   loss       the weighted sum that was minimised
#:   terms      {name: weighted value}; they add up to `loss`
#:   seconds    wall-clock time since the first iteration began
#:   ended      why the stage ended, in its last record
#:   *_mm       errors in millimetres, where the truth is known: `vertex_error_mm`, `joint_error_mm`
#: Only `iteration`, `stage` and `loss` are always there.
Record = Mapping[str, object]


#: What a job does beside its stages, in order, and what to call it: the last four come after them.
PARTS: Mapping[str, str] = {
    "reading": "reading the dataset",
    "labels": "cropping and labelling the images",
    "renders": "final renders",
    "figures": "measuring",
    "files": "writing the run folder",
    "report": "writing the report",
}


@runtime_checkable
class Progress(Protocol):
    """Told of every part of a job (`PARTS`) and every stage before it begins, and of every iteration after it
    ended; `close` comes last, once.

    `resume` comes before the first stage where a run goes on: so many iterations were done by an earlier process.
    """

    def part(self, name: str) -> None: ...

    def resume(self, done: int) -> None: ...

    def stage(self, name: str, iterations: int) -> None: ...

    def update(self, record: Record) -> None: ...

    def close(self) -> None: ...


class SilentProgress:
    """Reports nothing: the default of the Python interface."""

    def part(self, name: str) -> None:
        pass

    def resume(self, done: int) -> None:
        pass

    def stage(self, name: str, iterations: int) -> None:
        pass

    def update(self, record: Record) -> None:
        pass

    def close(self) -> None:
        pass

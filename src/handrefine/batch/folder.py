"""The folder of a batch: its tasks, what became of each, and their run folders."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from handrefine.batch.state import TaskState
from handrefine.errors import InputError
from handrefine.io.files import write_json
from handrefine.io.text_files import read_json
from handrefine.sequence import FrameId
from handrefine.task import Task


@dataclass(frozen=True)
class BatchTask:
    """A task and what is known of it before it is done.

    name: of its files in the batch's folder.
    task: `Task.to_mapping`, without where it writes to.
    sequence: full name. frames: those at which a wanted hand is annotated. n_views: images to be fitted.
    subject: whose hands they are, where a person is to be shared. after: the tasks that give the person.
    together: the tasks, this one among them, that are done as one; the first is begun, and does them all.
    """

    name: str
    task: Mapping[str, Any]
    sequence: str
    frames: tuple[FrameId, ...]
    n_views: int
    subject: str | None = None
    after: tuple[str, ...] = ()
    together: tuple[str, ...] = ()

    @property
    def begun_by(self) -> str:
        """The task whose process does this one: mostly itself."""
        return self.together[0] if self.together else self.name

    def ready(self, out: Path) -> Task:
        """The task that writes to a run folder.

        Raises:
            InputError: its description is broken.
        """
        return Task.from_mapping({**self.task, "out": str(out)}, where=self.name)


@dataclass(frozen=True)
class BatchFolder:
    """Where everything of a batch lies; several machines may share it.

    settings: what the batch was asked for; written last, once all tasks are there.
    """

    root: Path

    @property
    def settings(self) -> Path:
        return self.root / "batch.json"

    @property
    def page(self) -> Path:
        return self.root / "status.html"

    def run(self, name: str) -> Path:
        return self.root / "runs" / name

    def person(self, name: str) -> Path:
        """Whom the task holds, where it holds anybody."""
        return self.root / "people" / f"{name}.npz"

    def log(self, name: str) -> Path:
        """What the task's process had to say."""
        return self.root / "logs" / f"{name}.txt"

    def figures(self, name: str) -> Path:
        """What the page says of a task that is done; it goes with no harm."""
        return self.root / "figures" / f"{name}.json"

    def names(self) -> list[str]:
        """Of all tasks.

        Raises:
            InputError: this is no batch's folder, or its planning was never completed.
        """
        if not self.settings.is_file():
            raise InputError(
                "this is not the folder of a batch",
                where=self.root,
                expected=f"a folder with {self.settings.name}",
                fix="give the --out of a `handrefine batch`",
            )
        return self.task_names()

    def asked(self) -> Mapping[str, Any]:
        """What the batch was planned for: `BatchSettings.to_mapping`.

        Raises:
            InputError: the file cannot be read.
        """
        values = self._planned("settings")
        for name, kind in (("data", str), ("format", str), ("follow_links", bool)):
            if not isinstance(values.get(name), kind):
                raise InputError("the file of a batch is broken", where=f"{self.settings}, {name}")
        return values

    def unreadable(self) -> Mapping[str, str]:
        """Why sequences gave no task; raises as `asked`."""
        return {str(name): str(reason) for name, reason in self._planned("unreadable").items()}

    def _planned(self, name: str) -> Mapping[str, Any]:
        content = read_json(self.settings)
        values = content.get(name) if isinstance(content, Mapping) else None
        if not isinstance(values, Mapping):
            raise InputError("the file of a batch is broken", where=self.settings, found=f"no mapping {name}")
        return values

    def task_names(self) -> list[str]:
        """Of the tasks that are planned so far."""
        return sorted(path.stem for path in self.tasks.glob("*.json"))

    def task(self, name: str) -> BatchTask:
        """Raises:
        InputError: there is no such task, or its file is broken.
        """
        path = self.tasks / f"{name}.json"
        stored = read_json(path)
        try:
            frames = tuple(FrameId(int(frame)) for frame in stored["frames"])
            after, together = (tuple(map(str, stored.get(key, ()))) for key in ("after", "together"))
            known = _task_values(stored["task"]), str(stored["sequence"]), frames, int(stored["n_views"])
            subject = None if stored.get("subject") is None else str(stored["subject"])
            return BatchTask(name, *known, subject, after, together)
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            raise InputError("the file of a task is broken", where=path, found=repr(error)) from error

    def write_task(self, of: BatchTask) -> None:
        self.tasks.mkdir(parents=True, exist_ok=True)
        write_json(self.tasks / f"{of.name}.json", asdict(of))

    def state(self, name: str) -> TaskState:
        path = self._states / f"{name}.json"
        return TaskState.from_mapping(read_json(path), path) if path.is_file() else TaskState()

    def states(self) -> dict[str, TaskState]:
        """Of all tasks by name."""
        return {name: self.state(name) for name in self.names()}

    def write_state(self, name: str, state: TaskState) -> None:
        self._states.mkdir(parents=True, exist_ok=True)
        write_json(self._states / f"{name}.json", asdict(state))

    @contextmanager
    def claimed(self, name: str, patience_s: float = 0.0) -> Iterator[bool]:
        """Whether the task is this process's alone within the block.

        The operating system lets go of the lock of a process that has died, however it died.

        Args:
            patience_s: how long to wait for another process to let go.
        """
        locks = self.root / "locks"
        locks.mkdir(parents=True, exist_ok=True)
        lock = FileLock(locks / f"{name}.lock", timeout=patience_s)
        try:
            lock.acquire()
        except Timeout:
            yield False
            return
        try:
            yield True
        finally:
            lock.release()

    @property
    def tasks(self) -> Path:
        return self.root / "tasks"

    @property
    def _states(self) -> Path:
        return self.root / "states"


def _task_values(values: Any) -> dict[str, Any]:
    """What is shown of a task before it is begun must be what it seems.

    Raises:
        KeyError, TypeError: it is not.
    """
    for key in ("hands", "held_out"):
        if not isinstance(values[key], list) or not all(isinstance(name, str) for name in values[key]):
            raise TypeError(f"{key} is no list of names")
    return dict(values)

"""Tasks that wait for their turn: a task is ready once all that it waits for have ended, well or not."""

from collections.abc import Iterable

from handrefine.batch.folder import BatchFolder

ENDED = ("done", "failed")


class Waiting:
    """The tasks that are still to be begun, whoever runs them.

    What a task waits for may be at work under another head that shares the folder. If that dies, its task is begun
    here.
    """

    def __init__(self, folder: BatchFolder, names: Iterable[str]) -> None:
        self._folder = folder
        tasks = {name: folder.task(name) for name in names}
        # A task that is done with others is begun by the first of them, unless that has ended.
        after = {name: of.after for name, of in tasks.items() if of.begun_by == name or of.begun_by not in tasks}
        # Those that others wait for wait for nobody: they come first, and the rest keeps its order.
        givers = {giver for of in after.values() for giver in of}
        self._after = dict(sorted(after.items(), key=lambda item: item[0] not in givers))
        self._open = set(givers)
        self._begun: set[str] = set()

    def __bool__(self) -> bool:
        return bool(self._after)

    def take(self, most: int | None = None) -> list[str]:
        """Tasks that are ready, at most so many; whoever takes them begins them."""
        self._open -= {name for name in self._open if self._folder.state(name).status in ENDED}
        for name in self._open - self._after.keys() - self._begun:
            with self._folder.claimed(name) as forsaken:
                if forsaken and self._folder.state(name).status not in ENDED:
                    self._after = {name: (), **self._after}
        ready = [name for name, after in self._after.items() if self._open.isdisjoint(after)][:most]
        for name in ready:
            del self._after[name]
        self._begun.update(ready)
        return ready

    def put_back(self, name: str) -> None:
        """A task that was begun is to be begun once more."""
        self._begun.discard(name)
        self._after[name] = ()

    def ended(self, name: str) -> None:
        """A task that was begun is no longer at work here."""
        self._begun.discard(name)

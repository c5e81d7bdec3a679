"""Options that several commands share."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from tyro.conf import Positional, arg

from handrefine.config import Config
from handrefine.sequence import Hands

if TYPE_CHECKING:
    from handrefine.runs.reader import HandRun

Which = Literal["before", "after"]
#: A run folder as the one argument that has no option's name.
RunArgument = Annotated[Path, Positional]


@dataclass(frozen=True, kw_only=True)
class Common:
    debug: bool = False
    """Show the traceback of an error, and every message of the log."""


@dataclass(frozen=True, kw_only=True)
class Configured(Common):
    config: str | None = None
    """A preset (`handrefine configs`) or a YAML file of differences from the defaults; options override it."""
    settings: Annotated[Config, arg(name="")] = field(default_factory=Config)


@dataclass(frozen=True, kw_only=True)
class Dataset(Configured):
    data: Path
    """The dataset's folder, in the layout of InterHand2.6M, DexYCB, HanCo, HO-3D, AssemblyHands or ARCTIC."""
    format: str = "auto"
    """Layout: interhand26m, dexycb, hanco, ho3d, assemblyhands, arctic or an installed reader's; auto finds it."""
    sequence: str | None = None
    """Name of the sequence, or the end of it, e.g. 20200709_141754; needed where the folder holds several."""
    hand: Hands = "right"
    """Which hand, or both."""
    follow_links: bool = False
    """Read through symbolic links in the dataset's folder that lead out of it."""


def names(option: str | None) -> tuple[str, ...]:
    """The names in a comma-separated list."""
    return () if option is None else tuple(name.strip() for name in option.split(","))


def one_hand(run: Path) -> "HandRun":
    """The run of one hand that a command was given.

    Raises:
        InputError: there is no finished run, or it is one of several hands.
    """
    from handrefine.runs.reader import open_run

    return open_run(run).only_hand()


def refuse_in_dataset(run: Path, out: Path) -> None:
    """Nothing that a command writes of a run goes into the dataset of that run, as far as the run knows of it.

    Raises:
        InputError: it would.
    """
    from handrefine.io.safe_paths import refuse_overlap
    from handrefine.runs.layout import RunLayout
    from handrefine.runs.unfinished import read_task_file

    layout = RunLayout(run)
    data = read_task_file(layout).get("data") if layout.task.is_file() else None
    if isinstance(data, str) and "\0" not in data:
        refuse_overlap(Path(data), out)

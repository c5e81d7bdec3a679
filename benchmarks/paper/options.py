"""The command line of the paper's experiments."""

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated

from tyro.conf import Positional

from benchmarks.harness import RESULTS
from benchmarks.paper.runs import FULL, QUICK, Experiment, Scale, with_changes
from handrefine.errors import InputError
from handrefine.synthetic.mismatch import MismatchSettings


@dataclass(frozen=True, kw_only=True)
class Options:
    """The paper's experiments on synthetic videos. Every finished run is saved at once and never repeated."""

    experiment: Annotated[Experiment, Positional]
    """fig4: errors by number of cameras. table1: without one part or another. texture: Eq. 5 and 6."""
    quick: bool = False
    """A small version in minutes, on the videos for tuning, without targets."""
    gate: bool = False
    """Exit with status 1 where a target is missed."""
    videos: int | None = None
    """Number of videos; their seeds are 0, 1, ..., with --quick 1000, 1001, ..."""
    frames: int | None = None
    """Frames of a video."""
    size: int | None = None
    """Width and height of the images."""
    only: tuple[str, ...] = ()
    """Do only runs that meet all of these, e.g. C=8,16 method=dmvr kind=matched video=0; report what is there."""
    change: tuple[str, ...] = ()
    """Settings on top of every method's configuration, e.g. render.backend=reference."""
    mismatch: MismatchSettings = field(default_factory=MismatchSettings)
    """Mismatched videos that leave the model otherwise than usual."""
    masks: bool = False
    """Give matched videos their exact masks, too."""
    results: Path = RESULTS
    """Folder of the JSON files and plots."""

    @property
    def name(self) -> str:
        return f"paper-{self.experiment}"

    @property
    def readme(self) -> Path:
        """Of the benchmarks; for other results one beside them."""
        folder = RESULTS.parent if self._reported else self.results
        return folder / "README.md"

    @property
    def _reported(self) -> bool:
        return self.results.resolve() == RESULTS.resolve()

    def scale(self) -> Scale:
        scale = QUICK if self.quick else FULL
        given = {name: getattr(self, name) for name in ("videos", "frames", "size", "mismatch", "masks")}
        chosen = with_changes(
            replace(scale, **{name: value for name, value in given.items() if value is not None}), self.change
        )
        if not self.quick and chosen != FULL and self._reported:
            raise InputError(
                "other runs than the reported ones would replace their tables",
                where=self.results,
                fix="choose another folder: --results DIR",
            )
        return chosen

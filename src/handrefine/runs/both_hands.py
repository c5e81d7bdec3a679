"""A run of both hands: `right/` and `left/`, each a complete run folder of one hand."""

from pathlib import Path

from handrefine.errors import InputError
from handrefine.sequence import Side, sides_of


def runs_of_hands(folder: Path) -> dict[Side, Path]:
    """The run folders of the hands within a run of both; none where the folder is the run of one hand."""
    if (folder / "annotation.npz").is_file():
        return {}
    return {side: folder / side for side in sides_of("both") if (folder / side / "annotation.npz").is_file()}


def refuse_both_hands(folder: Path) -> None:
    """Raises:
    InputError: the folder is a run of both hands.
    """
    hands = runs_of_hands(folder)
    if hands:
        raise InputError(
            "this is a run of both hands, one is wanted",
            where=folder,
            expected="the run folder of one hand",
            fix="give " + " or ".join(str(run) for run in hands.values()),
        )

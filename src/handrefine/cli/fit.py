"""`handrefine fit`: MANO parameters from a dataset's joints, in the dataset's own format."""

import logging
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from handrefine.cli.common import Dataset
from handrefine.config import HandConfig
from handrefine.datasets.registry import read_dataset
from handrefine.errors import InputError
from handrefine.export.new_output import new_folder, refuse_existing
from handrefine.findings import tell
from handrefine.hand.fit import JointFit
from handrefine.io.safe_paths import refuse_overlap
from handrefine.preprocess.initialization import fit_annotation, load_hand
from handrefine.sequence import JOINT_NAMES, HandAnnotation, HandSequence, Side, sides_of

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Fit(Dataset):
    """Fit MANO parameters to a dataset's 3D joints, and write them in the dataset's format."""

    out: Path
    """Folder to create; receives the annotation."""

    def __call__(self, console: Console) -> None:
        """Fit every asked-for hand and write the MANO annotation beside the residuals.

        Raises:
            InputError: `data` and `out` lie in one another, a hand has no joints, or too few at every frame, or
                the dataset's format cannot be written.
        """
        refuse_overlap(self.data, self.out)
        refuse_existing(self.out)
        sequence = read_dataset(
            self.data, format=self.format, sequence=self.sequence, follow_links=self.follow_links
        )
        tell(sequence.findings, log)
        if sequence.write_back is None:
            raise InputError("there is no writer of this dataset's format", where=self.data, found=sequence.name)
        fits: dict[Side, JointFit] = {
            side: fit_sequence(sequence, side, self.settings.hand) for side in sides_of(self.hand)
        }
        fitted: dict[Side, HandAnnotation] = {
            side: HandAnnotation(side, mano=fit.parameters, mano_valid=fit.mano_valid)
            for side, fit in fits.items()
        }
        with new_folder(self.out) as folder:
            files = [path.relative_to(folder) for path in sequence.write_back(sequence, fitted, folder)]
        for side, fit in fits.items():
            console.print(_table(side, fit))
        console.print("written: " + ", ".join(str(self.out / path) for path in files), markup=False)


def fit_sequence(sequence: HandSequence, side: Side, config: HandConfig) -> JointFit:
    """One hand's MANO parameters at all frames of a sequence."""
    hand = load_hand(side, sequence, config)
    return fit_annotation(hand, sequence.annotation(side), sequence, config)


def _table(side: Side, fit: JointFit) -> Table:
    residual = fit.residual_mm
    meaning = "the model's own" if fit.convention == "model" else "landmarks as detectors mark them"
    title = f"{side} hand: distance of the fit to the joints, taken for {meaning}"
    table = Table(title=title, title_justify="left")
    for column, justify in (("joint", "left"), ("mean mm", "right"), ("largest mm", "right"), ("trust", "right")):
        table.add_column(column, justify=justify)  # pyright: ignore[reportArgumentType]
    for k, name in enumerate(JOINT_NAMES):
        known = np.isfinite(residual[:, k])
        if known.any():
            values = residual[known, k]
            table.add_row(
                name, f"{values.mean():.2f}", f"{values.max():.2f}", f"{fit.weight[known, k].mean():.2f}"
            )
    table.add_section()
    table.add_row("all", f"{np.nanmean(residual):.2f}", f"{np.nanmax(residual):.2f}", "")
    left_out = int((~fit.mano_valid).sum())
    if left_out:
        table.caption = f"{left_out} of {len(fit.mano_valid)} frames have too few joints and were left out"
    return table

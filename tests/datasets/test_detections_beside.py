"""2D joints that an import leaves beside its dataset: read where they fit, told where they are damaged."""

from pathlib import Path

import numpy as np
import pytest
from tiny_interhand26m import write_dataset

from handrefine.datasets.interhand26m import read_interhand26m
from handrefine.datasets.interhand26m_detections import FILE
from handrefine.errors import InputError


def write(root: Path, **changes: object) -> None:
    sequence = read_interhand26m(root)
    shape = (len(sequence.cameras), len(sequence.frames), 2, 21)
    arrays = {
        "camera": np.array(list(sequence.cameras)),
        "frames": np.array(sequence.frames),
        "dataset_uv_px": np.full((*shape, 2), 9.0),
        "confidence": np.ones(shape),
    }
    np.savez(root / FILE, **{name: np.asarray(value) for name, value in (arrays | changes).items()})


def test_what_an_import_left_is_read(tmp_path: Path) -> None:
    root = write_dataset(tmp_path)
    write(root)
    sequence = read_interhand26m(root)
    assert set(sequence.detections["right"]) == {(k, n) for k in sequence.positions for n in sequence.cameras}


@pytest.mark.parametrize(
    "changes",
    [
        {"camera": "cam"},
        {"camera": [[1.0]]},
        {"frames": 3},
        {"frames": [np.nan, 1.0, np.inf]},
        {"confidence": np.ones(3)},
        {"dataset_uv_px": np.zeros((1, 1, 2, 21, 2), int)},
    ],
    ids=str,
)
def test_arrays_that_do_not_fit_are_told(tmp_path: Path, changes: dict[str, object]) -> None:
    root = write_dataset(tmp_path)
    write(root, **changes)
    with pytest.raises(InputError, match=r"detections\.npz"):
        read_interhand26m(root)

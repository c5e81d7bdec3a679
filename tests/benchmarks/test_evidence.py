"""The calibration of joints' standard deviations: shares counted by hand."""

import pytest
from benchmarks.evidence import metrics, section, within

SAMPLES = [
    {"kind": kind, "n_cameras": n, "seed": 0, "error_mm": [[0.5, 1.5, 3.0, 9.0]], "std_mm": [[1.0, 1.0, 1.0, 1.0]]}
    for kind in ("matched", "mismatched")
    for n in (2, 5)
]


def test_shares_are_counted() -> None:
    assert within(SAMPLES, 1) == pytest.approx(0.25)
    assert within(SAMPLES, 2) == pytest.approx(0.5)
    found = {metric.key: metric for metric in metrics(SAMPLES)}
    assert found["matched.within_2_std"].value == pytest.approx(0.5)
    assert found["matched.within_2_std"].reached is False
    assert found["matched.within_2_std.most"].reached is True
    assert found["mismatched.5_cameras.error"].value == pytest.approx(3.5)


def test_the_table_has_a_row_a_kind_and_number_of_cameras() -> None:
    rows = section(SAMPLES).splitlines()[2:]
    assert len(rows) == 4
    assert rows[0] == "| matched | 2 | 3.50 | 1.00 | 25 % | 50 % |"

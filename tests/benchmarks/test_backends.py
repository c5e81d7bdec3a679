"""The comparison of backends: what an interrupted run keeps, and figures worked out by hand."""

import pytest
from benchmarks.backends.metrics import deviation, dmvr_sample, spread
from benchmarks.backends.parts import Parts


def test_an_interrupted_run_measures_only_what_is_missing(tmp_path):
    path = tmp_path / "results" / "backends.partial.json"
    measured = []

    def measure(name: str):
        measured.append(name)
        return {"name": name}

    first = Parts(path)
    first.get("time", lambda: measure("time"))
    with pytest.raises(ZeroDivisionError):
        first.get("images", lambda: 1 / 0)
    second = Parts(path)
    assert second.get("time", lambda: measure("time")) == {"name": "time"}
    assert second.get("images", lambda: measure("images")) == {"name": "images"}
    assert measured == ["time", "images"]
    assert set(second.commits) == {"time", "images"}
    second.forget()
    assert not path.exists()


def test_a_gradient_off_by_a_tenth():
    error, noise = deviation({"gradient": [108.0, 112.0], "finite_difference": [100.0, 100.0]})
    assert error == pytest.approx(0.1)
    assert noise == pytest.approx(2 / 100)  # the standard error of 108 and 112 is 2


def test_the_judged_case_is_found_and_its_spread_told():
    case = {"shading": "radiance", "depth": 3, "spp": 4, "size": 128}
    assert dmvr_sample({"time": [case | {"spp": 1}, case]})["spp"] == 4
    assert spread([1.0, 2.0, 3.0, 4.0, 5.0]) == (2.0, 4.0)

"""The comparison of backends: what an interrupted run keeps, and figures worked out by hand."""

import pytest
from benchmarks.backends.metrics import _refinements, deviation, dmvr_sample, mean_refinements, spread
from benchmarks.backends.parts import Parts
from benchmarks.backends.tables import _refinements as refinement_table


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


def test_refinements_are_averaged_over_videos_and_ours_is_held_against_theirs():
    def refined(renderer: str, video: int, error_mm: float) -> dict:
        return {"method": "smvr", "renderer": renderer, "video": video, "after": {"vertex_error_mm": error_mm}} | {
            "seconds": 10.0 * (video + 1)
        }

    samples = [refined("batched", 0, 1.0), refined("batched", 1, 2.0)]
    samples += [refined("redner fixed", 0, 1.2), refined("redner fixed", 1, 1.4)]
    assert mean_refinements(samples)[0] == ("smvr", "batched", 1.5, 15.0)
    claim = next(m for m in _refinements(samples) if m.key == "refinement.smvr.batched.error")
    assert claim.target == pytest.approx(1.3)
    assert claim.reached is False
    assert "| smvr | batched | 1.50 ± 0.71 mm (1.00, 2.00) | 15 s |" in refinement_table(samples)

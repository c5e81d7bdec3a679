"""The paper's experiments: what they run, that they go on where they stopped, and how they count."""

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from benchmarks.paper import experiment, runs
from benchmarks.paper.claims import claims
from benchmarks.paper.laboratory import Laboratory
from benchmarks.paper.options import Options
from benchmarks.paper.runs import FULL, QUICK, configuration, runs_of, selected, with_changes
from benchmarks.paper.store import SampleStore
from benchmarks.paper.summary import Spread, comparable_in_time, paired, seconds_until, vertex_error_mm
from benchmarks.paper.tables import table
from benchmarks.readme import update_section
from rich.console import Console

from handrefine.config import Config
from handrefine.errors import InputError
from handrefine.progress import SilentProgress
from handrefine.refinement.schedule import running
from handrefine.sequence import HandSequence
from handrefine.synthetic.mismatch import MismatchSettings


@pytest.fixture
def configs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Methods that take a moment."""
    folder = tmp_path / "configs"
    folder.mkdir()
    iterations = {"environment": 1, "texture": 1, "coarse": 0, "again": 0, "joint": 2, "finish": 0}
    stages = ", ".join(f"{name}: {{iterations: {count}}}" for name, count in iterations.items())
    common = f"texture: {{size: 16}}\nrender: {{spp: 1, depth: 2}}\nstages: {{{stages}}}\n"
    (folder / "dmvr.yaml").write_text(common + "losses: {edge: {weight: 0.5}}\n")
    (folder / "smvr.yaml").write_text(common + "losses: {temporal: {weight: 0}}\n")
    monkeypatch.setattr(runs, "CONFIGS", folder)
    return folder


def sample(value: float, **fields: Any) -> dict[str, Any]:
    defaults = {"kind": "matched", "method": "dmvr", "cameras": 16, "video": 0, "ablation": None}
    after = {"vertex_error_mm": value, "reprojection_px": value}
    curve = [[0, 10.0], [5, value / 2], [10, 2 * value], [15, value]]
    timed = {"curve": curve, "seconds": 16.0, "machine": "one"}
    return {**defaults, **timed, "after": after, "texture_psnr_db": 30 + value, **fields}


def test_the_full_experiments_are_the_papers():
    fig4 = runs_of("fig4", FULL)
    assert {run.cameras for run in fig4} == {2, 4, 8, 16}
    assert {run.kind for run in fig4} == {"matched", "mismatched"}
    assert len({run.video for run in fig4}) == 5
    assert (
        max(run.video for run in fig4) < 1000 <= min(run.video for run in runs_of("fig4", QUICK))
    )  # settings are tuned on seeds from 1000 on
    assert {run.frames for run in fig4} == {10}
    assert len(runs_of("table1", FULL)) == 5 * 2 * (4 + 2)
    assert {run.cameras for run in runs_of("texture", FULL)} == {16}
    # The texture's runs are runs of Fig. 4, measured once.
    assert set(runs_of("texture", FULL)) <= set(fig4)
    videos = [(run.video, run.kind) for run in fig4]
    assert len(list(dict.fromkeys(videos))) == sum(a != b for a, b in zip(videos, [None, *videos], strict=False))


def test_selecting_runs():
    some = selected(runs_of("fig4", FULL), ["C=8,16", "method=dmvr", "video=0,3", "kind=matched"])
    assert [(run.video, run.cameras) for run in some] == [(0, 8), (0, 16), (3, 8), (3, 16)]
    for bad in ("C", "colour=red"):
        with pytest.raises(InputError, match="no such selection"):
            selected(some, [bad])


def test_an_ablation_takes_its_part_away_and_nothing_else(configs: Path):
    by_row = {run.ablation: configuration(run, {}) for run in runs_of("table1", QUICK)}
    whole = by_row.pop("all")
    assert whole.losses.edge.weight == 0.5
    every = whole.losses.terms
    assert every == Config().losses.terms
    rows = {"no temporal prior": {"temporal"}, "no edges": {"edge"}, "neither": {"temporal", "edge"}}
    for row, off in rows.items():
        left = tuple(name for name in every if name not in off)
        assert by_row.pop(row) == replace(whole, losses=replace(whole.losses, terms=left)), row

    stages = running(whole.stages)
    unmixed = running(by_row.pop("no colour transforms").stages)
    for name, stage in stages.items():
        assert set(stage.variables) - set(unmixed[name].variables) == {"colour"}
        assert replace(unmixed[name], variables=stage.variables) == stage
    fine = running(by_row.pop("all levels from the start").stages)
    assert fine == {name: replace(stage, texture_levels=8) for name, stage in stages.items()}
    assert by_row == {}

    smvr = next(run for run in runs_of("fig4", QUICK) if run.method == "smvr")
    assert not configuration(smvr, {}).losses.counts("temporal")


def test_the_first_row_of_table_1_is_measured_once(configs: Path, tmp_path: Path):
    whole = next(run for run in runs_of("table1", QUICK) if run.ablation == "all")
    plain = replace(whole, ablation=None)
    without = replace(whole, ablation="no edges")
    store = SampleStore(tmp_path / "runs.json")
    store.add(plain, configuration(plain, {}), {"after": 1.0})
    found = store.find(whole, configuration(whole, {}))
    assert found is not None
    assert (found["after"], found["ablation"]) == (1.0, "all")
    assert store.find(without, configuration(without, {})) is None


def test_changes_reach_the_configuration(configs: Path):
    scale = with_changes(QUICK, ["render.spp=2", "stages.joint.iterations=7"])
    config = configuration(runs_of("fig4", scale)[0], scale.changes)
    assert (config.render.spp, config.stages["joint"].iterations, config.texture.size) == (2, 7, 256)
    misspelt = with_changes(QUICK, ["render.sppp=2"])
    with pytest.raises(InputError, match="sppp"):
        configuration(runs_of("fig4", misspelt)[0], misspelt.changes)


def test_other_videos_are_other_samples(configs: Path, tmp_path: Path):
    def mismatched(scale: runs.Scale) -> runs.Run:
        return next(run for run in runs_of("fig4", scale) if run.kind == "mismatched")

    usual, tinted = mismatched(QUICK), mismatched(replace(QUICK, mismatch=MismatchSettings(cast=0.5)))
    store = SampleStore(tmp_path / "runs.json")
    store.add(tinted, configuration(tinted, {}), {"after": 1.0})
    reread = SampleStore(tmp_path / "runs.json")
    assert reread.find(usual, configuration(usual, {})) is None
    assert reread.find(tinted, configuration(tinted, {})) is not None
    # Matched videos do not depend on it, but may have masks.
    assert replace(usual, kind="matched") in runs_of("fig4", replace(QUICK, mismatch=MismatchSettings(cast=0.5)))
    masked = [run.masks for run in runs_of("fig4", replace(QUICK, masks=True)) if run.kind == "matched"]
    assert set(masked) == {True}


def test_other_runs_do_not_replace_the_reported_tables(tmp_path: Path):
    assert Options(experiment="fig4").scale() == FULL
    assert Options(experiment="fig4").readme == Path(runs.__file__).parents[1] / "README.md"
    assert Options(experiment="fig4", results=tmp_path).readme == tmp_path / "README.md"
    others: list[dict[str, Any]] = [{"masks": True}, {"change": ("render.spp=2",)}, {"videos": 2}]
    for other in others:
        with pytest.raises(InputError, match="reported"):
            Options(experiment="fig4", **other).scale()
        assert Options(experiment="fig4", results=tmp_path, **other).scale() != FULL
        assert Options(experiment="fig4", quick=True, **other).scale() != FULL


@pytest.mark.usefixtures("runtime")
def test_a_runs_settings_reach_its_video(monkeypatch: pytest.MonkeyPatch):
    refined: list[HandSequence] = []

    class Stopped(Exception):
        pass

    def stopped(sequence: HandSequence, *_: object, **__: object) -> None:
        refined.append(sequence)
        raise Stopped

    monkeypatch.setattr("benchmarks.paper.laboratory.refine", stopped)
    laboratory = Laboratory(Config().render)
    scale = replace(QUICK, frames=1, size=32, video_cameras=2, cameras=(2,), masks=True)
    for cast in (0.0, 0.5):
        for run in runs_of("fig4", replace(scale, mismatch=MismatchSettings(cast=cast)))[::2]:
            with pytest.raises(Stopped):
                laboratory.measure(run, configuration(run, {}), SilentProgress())
    matched, neutral, matched_again, tinted = refined
    assert matched.masks.keys() == matched.images.keys()
    first = next(iter(matched.images))
    assert np.array_equal(matched.images[first](), matched_again.images[first]())
    assert np.abs(neutral.images[first]() - tinted.images[first]()).mean() > 0.05


def test_what_videos_have_in_common_cancels():
    rng = np.random.default_rng(0)
    common = rng.normal(5, 3, 6)
    first = [sample(float(c) + 1, video=k) for k, c in enumerate(common)]
    second = [sample(float(c), video=k) for k, c in enumerate(common)][::-1]
    gain = paired(first, second[1:], vertex_error_mm)
    assert gain is not None
    assert len(gain.values) == 5
    assert gain.mean == pytest.approx(1)
    assert gain.standard_error == pytest.approx(0, abs=1e-9)
    assert Spread((1.0, 3.0)).standard_error == pytest.approx(1)


def test_claims_carry_targets_at_full_scale_only():
    samples = [sample(0.25), sample(0.4, method="smvr")]
    by_key = {claim.key: claim for claim in claims("fig4", samples, with_targets=True)}
    assert by_key["matched.dmvr.16_cameras.vertex_error"].target == 0.3
    assert by_key["matched.smvr_minus_dmvr.16_cameras"].value == pytest.approx(0.15)
    ratio = {c.key: c for c in claims("texture", samples, with_targets=True)}["matched.ratio"]
    assert ratio.value == pytest.approx(30.25 / 30.4)
    assert all(claim.target is None for claim in claims("fig4", samples, with_targets=False))
    rows = [sample(1.0 + place / 4, ablation=row) for place, row in enumerate(runs.ABLATIONS)]
    losses = {c.key: c.value for c in claims("table1", rows, with_targets=True) if c.key.endswith("minus_all")}
    assert losses["matched.no_edges.minus_all"] == pytest.approx(0.5)
    assert losses["matched.no_colour_transforms.minus_all"] == pytest.approx(1.0)
    assert "| matched | no edges | 1.500 | +0.500 | 31.5 | 2.032 |" in table("table1", rows)
    for name in ("fig4", "texture"):
        assert "| matched |" in table(name, samples)


def test_time_counts_from_where_the_error_stays_low():
    one = sample(0.4)
    assert [seconds_until(limit)(one) for limit in (10, 0.8, 0.5, 0.3)] == [0, 5, 15, None]
    others = [sample(0.4, machine="two", video=video) for video in (1, 2)]
    few = sample(0.4, machine="two", cameras=4)
    assert comparable_in_time([one, *others, few]) == others
    assert "| 15 s (2 of 2) |" in table("fig4", [one, *others, few])


def test_a_section_of_the_readme_is_replaced_and_nothing_else(tmp_path: Path):
    readme = tmp_path / "README.md"
    readme.write_text("# Benchmarks\n\n<!-- other -->\nkept\n<!-- /other -->\n")
    update_section(readme, "paper-fig4", "first")
    update_section(readme, "paper-fig4", "second")
    text = readme.read_text()
    assert text.startswith("# Benchmarks\n\n<!-- other -->\nkept\n<!-- /other -->\n")
    assert "first" not in text
    assert text.count("second") == text.count("<!-- paper-fig4 -->") == 1


@pytest.mark.usefixtures("runtime")
def test_a_tiny_experiment_runs_and_goes_on_where_it_stopped(
    configs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    tiny: dict[str, Any] = {
        "quick": True,
        "frames": 2,
        "size": 32,
        "results": tmp_path / "results",
    }
    console = Console(quiet=True)
    assert experiment.perform(Options(experiment="fig4", only=("C=2", "method=dmvr"), **tiny), console) == 0
    stored = json.loads((tmp_path / "results" / "paper-runs-quick.json").read_text())
    assert [(s["kind"], s["cameras"]) for s in stored] == [("matched", 2), ("mismatched", 2)]
    for entry in stored:
        assert entry["before"]["vertex_error_mm"] == pytest.approx(10, abs=1e-2)
        assert 0 < entry["after"]["vertex_error_mm"] < 12
        assert 0 < entry["after"]["pa_vertex_error_mm"] < entry["after"]["vertex_error_mm"]
        assert entry["texture_psnr_db"] > 5
        assert [len(point) for point in entry["curve"]] == [2, 2]  # the first of four iterations, and the last
        assert entry["curve"][0][1] == pytest.approx(10, abs=1e-2)
    document = json.loads((tmp_path / "results" / "paper-fig4-quick.json").read_text())
    assert document["seeds"] == [1000]
    assert {"commit", "machine", "versions"} <= document["samples"][0].keys()
    assert {metric["reached"] for metric in document["metrics"]} == {None}
    assert (tmp_path / "results" / "paper-fig4-quick.png").stat().st_size > 5000

    measured: list[str] = []

    class Stopped(Exception):
        pass

    def measure(self: object, run: runs.Run, config: Config, progress: object) -> None:
        measured.append(f"{run.method} {run.cameras}")
        raise Stopped

    monkeypatch.setattr("benchmarks.paper.laboratory.Laboratory.measure", measure)
    with pytest.raises(Stopped):
        experiment.perform(Options(experiment="fig4", only=("kind=matched",), **tiny), console)
    assert measured == ["smvr 2"]  # dmvr with 2 cameras is there already


def test_writers_at_a_time_lose_no_sample(tmp_path: Path) -> None:
    """Each has read the file before the others have added to it."""
    plan = [replace(run, video=seed) for seed, run in enumerate(runs_of("fig4", QUICK)[:1] * 20)]
    stores = [SampleStore(tmp_path / "samples.json") for _ in range(4)]

    def add(k: int) -> None:
        for run in plan[k::4]:
            stores[k].add(run, Config(), {"writer": k})

    with ThreadPoolExecutor(4) as writers:
        list(writers.map(add, range(4)))
    kept = json.loads((tmp_path / "samples.json").read_text())
    assert sorted(sample["video"] for sample in kept) == list(range(20))

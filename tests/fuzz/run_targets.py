"""What handrefine writes itself and reads again: run folders, checkpoints, batches, truths, persons."""

import json
import shutil
from collections.abc import Mapping
from io import StringIO
from pathlib import Path

import numpy as np
import torch
from example_run import write_example_run
from rich.console import Console
from tiny_interhand26m import write_dataset

from fuzz.target import Target, not_finite
from handrefine.batch.folder import BatchFolder
from handrefine.batch.plan import BatchSettings
from handrefine.batch.run import prepare_batch
from handrefine.batch.state import TaskState
from handrefine.batch.status import status_of
from handrefine.batch.status_page import write_status_page
from handrefine.cli.batch_status import summary, task_table
from handrefine.cli.tables import before_after_table, holdout_table
from handrefine.hand.model import load_hand_model
from handrefine.person import Person, read_person, write_person
from handrefine.pipeline import unfinished_task
from handrefine.refinement.checkpoints import LATEST, CheckpointFiles, Checkpoints
from handrefine.report import write_report
from handrefine.report.live import live_page, running
from handrefine.runs import manifest
from handrefine.runs.annotation_file import read_annotation_npz
from handrefine.runs.layout import RunLayout
from handrefine.runs.owner import owner_of
from handrefine.runs.reader import open_run
from handrefine.runs.verdict_file import read_verdicts
from handrefine.state import State
from handrefine.synthetic.truth import SyntheticSettings, make_truth
from handrefine.synthetic.truth_file import load_truth, save_truth
from handrefine.task import Task

#: What tells the run of a fuzzed checkpoint from others.
OF_RUN = {"settings": "a", "data": "b", "pictures": np.full((2, 4), 0.25, np.float32)}


def _write_checkpoint(root: Path) -> None:
    values = {"number": 3, "waiting": ["joint"], "within": None, "hooks": {"log": {"records": [{"loss": 0.5}]}}}
    state = {**values, "unknowns": {"pose": torch.zeros(2, 48), "mask": torch.tensor([True, False])}}
    files = CheckpointFiles(Checkpoints(root), OF_RUN)
    for _ in range(2):
        files.keep(lambda: state, True)


def _read_checkpoint(root: Path) -> object:
    """The latest, then the one before by itself, which would hide that the latest is refused."""
    taken: list[State] = []
    for _ in range(2):
        CheckpointFiles(Checkpoints(root, resume=True), OF_RUN).load(taken.append)
        (root / LATEST).unlink(missing_ok=True)
    return taken


def _read_run(root: Path) -> object:
    run = open_run(root / "run")
    result = run.result()
    for hand in run.hands:
        _ = hand.warnings, hand.metrics, hand.records, hand.camera_weights, hand.texture_seen, hand.stage_textures
        _ = read_verdicts(hand.layout)
    return result


def _show_run(root: Path) -> object:
    """What `report` does, and what is printed at a run's end."""
    run, console = open_run(root / "run"), Console(file=StringIO())
    for hand in run.hands:
        console.print(before_after_table(hand.metrics, title="hand"))
    if run.layout.held_out.exists():
        console.print(holdout_table(run.held_out))
    write_report(run.layout.root)
    return None


def _write_unfinished(root: Path) -> None:
    """What a run leaves that is under way, or was killed."""
    write_example_run(root / "run", iterations=3)
    layout, run = RunLayout(root / ".run.partial"), RunLayout(root / "run")
    layout.live.mkdir(parents=True)
    shutil.copy(run.log, layout.log)
    shutil.copy(run.texture, layout.live / "frame100_cam00.png")
    shutil.rmtree(run.root)
    layout.task.write_text(json.dumps(Task(data=root / "data", out=root / "run").to_mapping()))
    manifest.mark(layout.root)


def _read_unfinished(root: Path) -> object:
    """What `view`, `refine --resume` and `--overwrite` look at."""
    layout = running(root / "run")
    assert layout is not None
    _ = live_page(layout, "run"), owner_of(layout.root), manifest.written_files(layout.root)
    return unfinished_task(root / "run")


def _write_numbers(root: Path) -> None:
    hand = load_hand_model("right")
    settings = SyntheticSettings(n_cameras=2, n_frames=2, texture_size=8)
    save_truth(root / "truth.npz", make_truth(hand, hand.default_skin(), settings))
    write_person(root / "person.npz", Person("open hand", np.zeros(10), np.zeros(3), np.zeros(20)))


def _read_numbers(root: Path) -> object:
    truth, person = load_truth(root / "truth.npz"), read_person(root / "person.npz")
    bad = [*not_finite(truth), *not_finite(person)]
    assert not bad, bad
    return None


def _write_batch(root: Path) -> None:
    settings = BatchSettings(data=write_dataset(root / "data"), hands=("right",), clip=2, overlap=1)
    folder = prepare_batch(settings, root / "batch")
    done, failed = TaskState("done", "here", 3, 1e9, 2e9, 1), TaskState("failed", "here", 3, 1e9, 2e9, 3, "why")
    for name, state in zip(folder.names(), (done, failed), strict=False):
        folder.write_state(name, state)


def _read_batch(root: Path) -> object:
    folder, console = BatchFolder(root / "batch"), Console(file=StringIO())
    now = status_of(folder)
    console.print(task_table(now), summary(now))
    write_status_page(folder, now, summary(now).split("; "))
    return [row.task.ready(root / "out") for row in now.rows]


OF_RUNS: Mapping[str, Target] = {
    "checkpoints": Target(_write_checkpoint, _read_checkpoint),
    "run": Target(lambda root: write_example_run(root / "run", iterations=3), _read_run),
    "report": Target(lambda root: write_example_run(root / "run", iterations=3), _show_run),
    "numbers": Target(_write_numbers, _read_numbers),
    "batch": Target(_write_batch, _read_batch),
    "unfinished": Target(_write_unfinished, _read_unfinished),
    "annotation": Target(
        lambda root: write_example_run(root / "run", iterations=1),
        lambda root: read_annotation_npz(root / "run" / "annotation.npz"),
    ),
}

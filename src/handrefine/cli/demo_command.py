"""`handrefine demo`: synthesize, refine and evaluate in one go."""

from pathlib import Path

import torch
from rich.console import Console

from handrefine.cli.both_hands_command import BOTH, run_both
from handrefine.cli.evaluate_command import evaluate_run
from handrefine.cli.refine_command import run, run_progress
from handrefine.cli.synthesize_command import TRUTH_FILE, synthesize
from handrefine.config import Config
from handrefine.datasets.interhand26m import read_interhand26m
from handrefine.evaluation.metrics import mean_distance_mm
from handrefine.hand.model import HandGeometry
from handrefine.refinement.stages import Monitor
from handrefine.report import REPORT_FILE
from handrefine.runs.folder import RunFolder
from handrefine.sequence import Hands, Side
from handrefine.synthetic.truth import SyntheticSettings, SyntheticTruth


def demo(
    out: Path,
    hands: Hands,
    settings: SyntheticSettings,
    error_mm: float,
    config: Config,
    *,
    overwrite: bool = False,
    console: Console,
) -> None:
    """Make `out/data`, refine it into `out/run`, and print what was gained."""
    with RunFolder.create(out, overwrite=overwrite) as folder:
        data, result = folder.path("data"), folder.path("run")
        console.print("[bold]1[/] a synthetic video of the open hand, its annotation perturbed")
        truths = synthesize(data, hands, settings, error_mm, config, console=console)
        console.print("[bold]2[/] refining it (the error shown is against the truth, which refining never sees)")
        monitors: dict[Side, Monitor] = {truth.side: error_monitor(truth) for truth in truths}
        sequence, progress = read_interhand26m(data), run_progress(config, console)
        if hands == "both":
            run_both(sequence, config, result, progress=progress, monitors=monitors)
        else:
            run(sequence, hands, config, result, progress=progress, monitor=monitors[hands])
        console.print("[bold]3[/] evaluation against the truth")
        evaluate_run(result, data / TRUTH_FILE, console=console)
    folders = [out / "run" / side for side in BOTH] if hands == "both" else [out / "run"]
    pages = " and ".join(str(of / REPORT_FILE) for of in folders)
    console.print(f"run folder: {out / 'run'}   (open {pages} in a browser)")


def error_monitor(truth: SyntheticTruth) -> Monitor:
    """The vertex error of every iteration, for eyes only."""
    verts_world = torch.as_tensor(truth.verts_world).float()

    def error(geometry: HandGeometry) -> dict[str, float]:
        distance_mm = mean_distance_mm(geometry.verts_world.detach().cpu(), verts_world)
        return {} if distance_mm is None else {"vertex_error_mm": distance_mm}

    return error

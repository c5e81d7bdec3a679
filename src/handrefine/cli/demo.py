"""`handrefine demo`: synthesize, refine and evaluate in one go."""

from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from handrefine.cli.signals import StopOnSignal
from handrefine.cli.synthetic_video import SyntheticVideo, tell_of_video
from handrefine.sequence import Side, sides_of


@dataclass(frozen=True, kw_only=True)
class Demo(SyntheticVideo):
    """Make a synthetic video, perturb its annotation, refine it, and show what was gained."""

    out: Path = Path("runs/demo")
    """Folder to create."""
    overwrite: bool = False
    """Replace what an earlier run wrote there, once the new one is complete; other files in the folder stay."""

    def __call__(self, console: Console) -> int:
        """Make `out/data`, refine it into `out/run`, and print what was gained."""
        from handrefine.cli.evaluate import show_against_truth
        from handrefine.cli.refine import run_progress, tell_of_faults, tell_of_stop
        from handrefine.evaluate_run import evaluate_against_truth
        from handrefine.evaluation.monitors import error_monitor
        from handrefine.pipeline import run_task
        from handrefine.refinement.watchers import Monitor
        from handrefine.runs.folder import RunFolder
        from handrefine.runs.layout import DEMO_DATA, DEMO_RUN, RunLayout
        from handrefine.synthetic.video import TRUTH_FILE, synthesize
        from handrefine.task import Task

        sides = sides_of(self.hand)
        with RunFolder.create(self.out, overwrite=self.overwrite) as folder, StopOnSignal(console) as stop:
            data, run = folder.path(DEMO_DATA), folder.path(DEMO_RUN)
            console.print("[bold]1[/] a synthetic video of the open hand, its annotation perturbed")
            truths = synthesize(data, sides, self.synthetic(), self.error_mm, self.settings)
            tell_of_video(truths, self.error_mm, console)
            console.print(
                "[bold]2[/] refining it (the error shown is against the truth, which refining never sees)"
            )
            task = Task(data=data, out=run, hands=sides, config=self.settings)
            monitors: dict[Side, Monitor] = {truth.side: error_monitor(truth) for truth in truths}
            progress = run_progress(task.config, console)
            result, metrics = run_task(task, progress=progress, monitors=monitors, stop=stop)
            folder.finished = result.unfinished is None
            console.print("[bold]3[/] evaluation against the truth")
            evaluate_against_truth(run, data / TRUTH_FILE)
            show_against_truth(run, data / TRUTH_FILE, console)
        if result.unfinished is not None:
            demo = folder.layout.root  # beside its place, where that holds a finished one
            tell_of_stop(result.unfinished, demo / DEMO_RUN, console, data=demo / DEMO_DATA)
            return stop.status
        layout = RunLayout(self.out / DEMO_RUN)
        console.print(f"run folder: {layout.root}   (open {layout.report} in a browser)", markup=False)
        return tell_of_faults(metrics["against"], result.unwritten, console, accept_worse=False)

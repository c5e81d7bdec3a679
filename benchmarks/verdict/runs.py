"""The videos refined, clip by clip, as `handrefine batch` does."""

from pathlib import Path

from handrefine.batch.folder import BatchFolder
from handrefine.batch.local import run_locally
from handrefine.batch.plan import BatchSettings
from handrefine.batch.run import prepare_batch, run_batch
from handrefine.config_files import changed, load_config


def refine_all(data: Path, out: Path, workers: int) -> BatchFolder:
    """Every video as one task, one camera held out; goes on where it was."""
    config = changed(load_config("quick"), {"implausible_input": "warn"})
    folder = prepare_batch(BatchSettings(data=data, hands=("right",), config=config), out)

    def runner(folder: BatchFolder, names, told) -> None:
        run_locally(folder, names, workers, told)

    run_batch(folder, runner, lambda name, state: print(name, state.status, state.reason or "", flush=True))
    return folder

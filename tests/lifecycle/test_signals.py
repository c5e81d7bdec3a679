"""SIGTERM and Ctrl-C: a run ends after its iteration with what it has, says so, and can be gone on with."""

import hashlib
import json
import os
import signal
from pathlib import Path

import pytest
from rich.console import Console

from handrefine.cli.main import main
from handrefine.cli.signals import SIGNALS, StopOnSignal
from lifecycle import ended, files_of, started, tiny_video, wait_for_iterations, write_config


@pytest.fixture
def restored_signals():
    before = {of: signal.getsignal(of) for of in SIGNALS}
    yield
    for of, handler in before.items():
        signal.signal(of, handler)


def test_a_stopped_run_is_usable_and_goes_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], restored_signals: None
) -> None:
    data, config, run = tiny_video(tmp_path / "data"), write_config(tmp_path / "few.yaml", 8), tmp_path / "run"
    process = started("refine", "--data", data, "--config", config, "--out", run)
    wait_for_iterations(tmp_path / ".run.partial" / "log.jsonl", 3, process)
    process.send_signal(signal.SIGTERM)
    status, said = ended(process)
    assert status == 143, said
    assert "--resume" in said
    metrics = json.loads((run / "metrics.json").read_text())
    assert 3 <= metrics["iterations"] < 48
    assert "stopped in stage" in metrics["unfinished"]
    assert any("no finished result" in message for message in json.loads((run / "warnings.json").read_text()))
    assert "UNFINISHED" in (run / "report.html").read_text()
    assert {"annotation.npz", "task.json", "checkpoint/latest.npz"} <= files_of(run)

    main(["refine", "--resume", str(run)])
    metrics = json.loads((run / "metrics.json").read_text())
    assert metrics["iterations"] == 48
    assert "unfinished" not in metrics
    assert len((run / "log.jsonl").read_text().splitlines()) == 48
    assert not any("checkpoint" in name for name in files_of(run))
    assert not (tmp_path / ".run.partial").exists()

    before = digests(run)
    main(["refine", "--resume", str(run)])
    assert "is finished" in " ".join(capsys.readouterr().out.split())
    assert digests(run) == before


def digests(folder: Path) -> dict[str, str]:
    return {
        str(path): hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.rglob("*") if path.is_file()
    }


def test_a_second_signal_is_no_longer_caught(restored_signals: None) -> None:
    with StopOnSignal(Console()) as stop:
        assert not stop()
        os.kill(os.getpid(), signal.SIGTERM)
        assert stop()
        assert stop.status == 143
        assert {signal.getsignal(of) for of in SIGNALS} == {signal.SIG_DFL}


def test_a_signal_before_the_first_iteration_ends_at_once(restored_signals: None) -> None:
    with pytest.raises(SystemExit) as caught, StopOnSignal(Console()):
        os.kill(os.getpid(), signal.SIGTERM)
    assert caught.value.code == 143
    with pytest.raises(KeyboardInterrupt), StopOnSignal(Console()) as stop:
        os.kill(os.getpid(), signal.SIGINT)
    assert stop.status == 130


def test_handlers_are_what_they_were(restored_signals: None) -> None:
    before = {of: signal.getsignal(of) for of in SIGNALS}
    with StopOnSignal(Console()):
        pass
    assert {of: signal.getsignal(of) for of in SIGNALS} == before


@pytest.mark.parametrize("folder", ["nothing", "data"])
def test_what_is_no_run_cannot_be_gone_on_with(
    tmp_path: Path, folder: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "data").mkdir()
    with pytest.raises(SystemExit) as caught:
        main(["refine", "--resume", str(tmp_path / folder)])
    assert caught.value.code == 2
    assert "there is no run to go on with" in capsys.readouterr().err


def test_help_tells_of_it(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["refine", "--help"])
    assert "--resume" in capsys.readouterr().out


def test_a_stopped_demo_is_usable_and_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], restored_signals: None
) -> None:
    asked: list[StopOnSignal] = []

    def fourth_time(stop: StopOnSignal) -> bool:
        asked.append(stop)
        if len(asked) == 4:
            os.kill(os.getpid(), signal.SIGTERM)
        return really(stop)

    really = StopOnSignal.__call__
    monkeypatch.setattr(StopOnSignal, "__call__", fourth_time)
    out, config = tmp_path / "demo", write_config(tmp_path / "few.yaml", 2)
    video = ["--n-cameras", "2", "--n-frames", "1", "--size", "48"]
    with pytest.raises(SystemExit) as caught:
        main(["demo", *video, "--config", str(config), "--out", str(out)])
    assert caught.value.code == 143
    said = capsys.readouterr().out
    resume = said[said.index("--resume") :].split()[:4]
    assert resume == ["--resume", str(out / "run"), "--data", str(out / "data")]
    metrics = json.loads((out / "run" / "metrics.json").read_text())
    assert metrics["iterations"] == 2
    assert "vertex_error_mm" in metrics

    main(["refine", *resume])
    metrics = json.loads((out / "run" / "metrics.json").read_text())
    assert metrics["iterations"] == 12
    assert "unfinished" not in metrics


@pytest.mark.parametrize(
    ("of", "status", "word"), [("SIGTERM", 143, "terminated"), ("SIGINT", 130, "interrupted")]
)
@pytest.mark.usefixtures("restored_signals")
def test_every_other_command_ends_at_once_and_leaves_no_rubbish(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    of: str,
    status: int,
    word: str,
) -> None:
    def interrupted(folder: Path, *rest: object) -> None:
        (folder / "half").write_text("")
        os.kill(os.getpid(), signal.Signals[of])

    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background processes ignore it
    monkeypatch.setattr("handrefine.synthetic.video.synthesize", interrupted)
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(SystemExit) as caught:
        main(["synthesize", "--out", str(tmp_path / "video")])
    assert caught.value.code == status
    assert word in capsys.readouterr().err
    assert os.listdir(tmp_path) == []
    assert signal.getsignal(signal.SIGTERM) == before

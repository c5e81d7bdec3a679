"""Memory and space on the disk are estimated before the first iteration."""

from collections import namedtuple
from dataclasses import replace
from pathlib import Path

import pytest
from drawn_video import draw, mano, posed

from handrefine.config import Config
from handrefine.config_files import config_from_mapping
from handrefine.errors import InputError
from handrefine.refinement import footprint as module
from handrefine.refinement.footprint import GIB, footprint, refuse_beyond_budget
from handrefine.refinement.machine_memory import MachineMemory, machine_memory
from handrefine.refinement.problem import prepare
from handrefine.runs.disk_space import MIB, refuse_full_disk

Usage = namedtuple("Usage", "free")


def test_views_and_textures_are_counted() -> None:
    video, hand = draw().video(), posed(mano())
    whole = footprint(video, [hand], Config())
    assert whole.n_views == 8
    assert 8 * 30**2 < whole.n_pixels <= 8 * 96 * 80
    both = footprint(video, [hand, hand], Config())
    assert (both.n_views, both.n_texels) == (16, 2 * whole.n_texels)
    small = footprint(video, [hand], config_from_mapping({"crop": {"max_size_px": 20}, "texture": {"size": 64}}))
    assert small.n_pixels <= 8 * 20**2
    assert small.bytes < whole.bytes


def test_a_budget_that_does_not_suffice_ends_the_run_before_images_are_looked_at() -> None:
    def unread() -> None:
        raise AssertionError("an image was read")

    video = draw().video()
    video = replace(video, images=dict.fromkeys(video.images, unread), masks={})
    config = config_from_mapping({"memory_gib": 0.5, "implausible_input": "warn"})
    with pytest.raises(InputError, match=r"needs more memory(.*\n)*.*--memory(.*\n)*.*0.5 GiB(.*\n)*.*--cameras"):
        refuse_beyond_budget(footprint(video, [posed(mano())], config), config.memory_gib)


def test_prepare_asks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("handrefine.refinement.problem.check_input", lambda *_: None)
    with pytest.raises(InputError, match="needs more memory"):
        prepare(draw().video(), ["right"], config_from_mapping({"memory_gib": 0.5}))


def test_less_free_memory_than_needed_is_told_and_less_than_there_is_at_all_is_refused(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    needed = footprint(draw().video(), [posed(mano())], Config())
    for free, told in ((needed.bytes + 1, False), (needed.bytes - 1, True)):
        caplog.clear()
        monkeypatch.setattr(module, "machine_memory", lambda free=free: MachineMemory(1e15, free))
        refuse_beyond_budget(needed, None)
        assert ("memory may not suffice" in caplog.text) == told
    refuse_beyond_budget(needed, needed.bytes / GIB + 0.01)
    monkeypatch.setattr(module, "machine_memory", lambda: MachineMemory(needed.bytes - 1, 0.0))
    with pytest.raises(InputError, match=r"needs more memory(.*\n)*.*the machine(.*\n)*.*larger --memory"):
        refuse_beyond_budget(needed, None)
    refuse_beyond_budget(needed, needed.bytes / GIB + 0.01)
    monkeypatch.setattr(module, "machine_memory", lambda: None)
    refuse_beyond_budget(needed, None)


@pytest.mark.parametrize("version", [1, 2])
def test_the_memory_of_a_container_is_what_it_may_take(tmp_path: Path, version: int) -> None:
    proc, cgroups = tmp_path / "proc", tmp_path / "cgroup"
    assert machine_memory(proc, cgroups) is None
    (proc / "self").mkdir(parents=True)
    (proc / "meminfo").write_text("MemTotal: 1000 kB\nMemAvailable: 600 kB\nSwapTotal: 24 kB\n")
    assert machine_memory(proc, cgroups) == MachineMemory(1024.0 * 1024, 1024.0 * 600)
    (proc / "self/cgroup").write_text("0::/job/step\n" if version == 2 else "5:cpu:/other\n4:memory:/job/step\n")
    root, name = (cgroups, "memory.max") if version == 2 else (cgroups / "memory", "memory.limit_in_bytes")
    (root / "job/step").mkdir(parents=True)
    (root / "job" / name).write_text(f"{800 * 1024}\n")
    (root / "job/step" / name).write_text("max\n" if version == 2 else f"{2**63 - 4096}\n")
    assert machine_memory(proc, cgroups) == MachineMemory(1024.0 * 800, 1024.0 * 600)
    (root / "job/step" / name).write_text(f"{300 * 1024}\n")
    assert machine_memory(proc, cgroups) == MachineMemory(1024.0 * 300, 1024.0 * 300)


def test_a_disk_that_is_nearly_full_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    video = draw().video()
    refuse_full_disk(tmp_path, video, 1, Config())
    monkeypatch.setattr("shutil.disk_usage", lambda _: Usage(15 * MIB))
    with pytest.raises(InputError, match=r"too little space(.*\n)*.*15 MiB free"):
        refuse_full_disk(tmp_path, video, 1, Config())

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


def test_less_free_memory_than_needed_is_told(monkeypatch: pytest.MonkeyPatch, caplog) -> None:
    needed = footprint(draw().video(), [posed(mano())], Config())
    for free, told in ((needed.bytes + 1, False), (needed.bytes - 1, True), (None, False)):
        caplog.clear()
        monkeypatch.setattr(module, "_free_bytes", lambda free=free: free)
        refuse_beyond_budget(needed, None)
        assert ("memory may not suffice" in caplog.text) == told
    refuse_beyond_budget(needed, needed.bytes / GIB + 0.01)


def test_a_disk_that_is_nearly_full_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    video = draw().video()
    refuse_full_disk(tmp_path, video, 1, Config())
    monkeypatch.setattr("shutil.disk_usage", lambda _: Usage(15 * MIB))
    with pytest.raises(InputError, match=r"too little space(.*\n)*.*15 MiB free"):
        refuse_full_disk(tmp_path, video, 1, Config())

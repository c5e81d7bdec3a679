"""The report in a real browser: no complaint, pictures load, the slider moves the border."""

import os
import shutil
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from example_run import write_example_run
from headless import Page, browser_path, open_browser

from handrefine.io.files import write_json
from handrefine.io.text_files import read_json
from handrefine.report import write_report
from handrefine.runs.annotation_file import read_annotation_npz, write_annotation_npz
from handrefine.runs.layout import RunLayout

pytestmark = pytest.mark.skipif(browser_path() is None, reason="no Chromium on this machine")
#: Limits of a page with 160 views, as of a run with 16 cameras and 10 frames.
LARGEST_MB, WRITTEN_S, OPENS_S = 15, 20, 2


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    run = tmp_path_factory.mktemp("browser") / "run"
    write_example_run(run)
    return write_report(run)


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    with open_browser(tmp_path_factory.mktemp("profile")) as page:
        yield page


@pytest.fixture
def page(browser: Page, report: Path) -> Page:
    browser.resize(1200, 900)
    browser.colour_scheme("light")
    browser.problems.clear()
    browser.open(report)
    return browser


def clip(page: Page, selector: str) -> str:
    return page.evaluate(f"getComputedStyle(document.querySelector('{selector}')).clipPath")


def test_opens_without_a_complaint_and_loads_every_image(page: Page) -> None:
    loaded = page.evaluate(
        """(async () => {
            for (const image of document.images) { image.scrollIntoView(); await image.decode(); }
            return [...document.images].map((image) => image.naturalWidth);
        })()"""
    )
    assert len(loaded) == 39
    assert min(loaded) > 0
    assert page.problems == []


def test_a_fault_on_the_page_would_be_noticed(page: Page) -> None:
    page.evaluate("setTimeout(() => { throw new Error('on purpose') }) && 0")
    page.evaluate("new Promise((done) => setTimeout(done, 50))")
    assert "on purpose" in str(page.problems)
    page.problems.clear()
    page.evaluate("(() => { const i = new Image(); i.src = 'http://192.0.2.1/x.png'; })()")
    page.evaluate("new Promise((done) => setTimeout(done, 50))")
    assert page.problems  # refused by the page's own policy


def test_keys_and_pointer_move_the_slider_and_the_border(page: Page) -> None:
    page.evaluate("document.querySelector('.view .wipe input').focus()")
    start = clip(page, "#view-0 img.after")
    assert "50%" in start
    for _ in range(10):
        page.press("ArrowRight", 39)
    assert page.evaluate("document.querySelector('#view-0 input').value") == "60"
    assert clip(page, "#view-0 img.after") == "inset(0px 0px 0px 60%)"
    assert clip(page, "#view-0 img.before") == "inset(0px 40% 0px 0px)"
    assert "60 % before" in page.evaluate("document.querySelector('#view-0 input').getAttribute('aria-valuetext')")
    assert clip(page, "#view-1 img.after") == start
    box = page.evaluate(
        """(() => { const s = document.querySelector('#view-1 .stack'); s.scrollIntoView({block: 'center'});
            const b = s.getBoundingClientRect(); return [b.left, b.top, b.width, b.height]; })()"""
    )
    place = {"x": box[0] + 0.25 * box[2], "y": box[1] + box[3] / 2}
    for kind in ("mousePressed", "mouseReleased"):
        page.send("Input.dispatchMouseEvent", type=kind, button="left", clickCount=1, **place)
    assert page.evaluate("document.querySelector('#view-1 input').value") == "25"
    assert clip(page, "#view-1 svg.after") == "inset(0px 0px 0px 25%)"


def test_one_slider_moves_all_views(page: Page) -> None:
    page.evaluate(
        """(() => { const all = document.getElementById('wipe-all');
            all.value = 80; all.dispatchEvent(new Event('input')) })()"""
    )
    found = page.evaluate("[...document.querySelectorAll('.view .wipe input')].map((i) => i.value)")
    assert found == ["80"] * 4


@pytest.mark.parametrize("width", [360, 1200])
def test_the_page_is_never_wider_than_the_window(page: Page, width: int) -> None:
    page.resize(width, 800)
    assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
    wide = page.evaluate(
        """[...document.querySelectorAll('section, .panels, .plot, .summary')]
            .filter((e) => e.scrollWidth > e.clientWidth + 1).map((e) => e.id || e.className)"""
    )
    assert wide == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_words_stand_out_from_what_is_behind_them(page: Page, scheme: str) -> None:
    page.colour_scheme(scheme)
    worst = page.evaluate(
        """(() => {
            const light = (css) => {
                const [r, g, b] = css.match(/[0-9.]+/g).slice(0, 3).map((v) => v / 255)
                    .map((v) => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
                return 0.2126 * r + 0.7152 * g + 0.0722 * b;
            };
            const behind = light(getComputedStyle(document.querySelector('section')).backgroundColor);
            const chosen = document.querySelectorAll('h2, td, a, .better, .worse, .muted, .small, .was');
            return Math.min(...[...chosen].map((e) => {
                const own = light(getComputedStyle(e).color);
                return (Math.max(own, behind) + 0.05) / (Math.min(own, behind) + 0.05);
            }));
        })()"""
    )
    assert worst >= 4.5  # WCAG's level AA


def test_a_page_of_160_views_is_small_and_opens_at_once(browser: Page, tmp_path: Path) -> None:
    run = tmp_path / "run"
    write_example_run(run, size=160, iterations=100, texture=1024)
    many_views(run, 160)
    started = time.perf_counter(), time.process_time()
    page = write_report(run)
    wall_s, cpu_s = time.perf_counter() - started[0], time.process_time() - started[1]
    browser.problems.clear()
    # The best of three: other programs share the machine.
    opened_s = min(browser.open(page) for _ in range(3))
    megabytes = page.stat().st_size / 1e6
    print(f"{megabytes:.1f} MB, written in {wall_s:.1f} s ({cpu_s:.1f} s of processor), opens in {opened_s:.2f} s")
    assert megabytes < LARGEST_MB
    # Whatever else runs on the machine stretches the wall clock, but not the processor's time.
    assert min(wall_s, cpu_s) < WRITTEN_S
    assert browser.evaluate("document.querySelectorAll('.view').length") == 160
    assert browser.problems == []
    if opened_s >= OPENS_S and (load := os.getloadavg()[0]) > 2 * (os.cpu_count() or 1):
        pytest.skip(f"{load:.0f} programs share the processor: {opened_s:.1f} s to open says nothing of the page")
    assert opened_s < OPENS_S


def many_views(run: Path, count: int) -> None:
    """Repeat the views of a run under further cameras' names."""
    layout = RunLayout(run)
    entries, annotation = read_json(layout.view_index), read_annotation_npz(layout.annotation)
    cameras = {camera.name: camera for camera in annotation.cameras}
    copies = [{**entries[k % len(entries)], "camera": f"copy {k}"} for k in range(len(entries), count)]
    for k, copy in enumerate(copies, start=len(entries)):
        original = entries[k % len(entries)]
        cameras[copy["camera"]] = replace(cameras[original["camera"]], name=copy["camera"])
        for kind in ("image", "label", "before", "after"):
            there, here = (layout.view(of["frame"], of["camera"], kind) for of in (original, copy))
            shutil.copy(there, here)
    write_annotation_npz(layout.annotation, replace(annotation, cameras=tuple(cameras.values())))
    write_json(layout.view_index, [*entries, *copies])

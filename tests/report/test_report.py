"""The report shows everything that a run folder holds, in one file, and leaves out what is not there."""

import shutil
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from example_run import MOVED_M, write_example_run

from handrefine.errors import InputError
from handrefine.io.files import write_json
from handrefine.report import write_report
from handrefine.runs.reader import open_run
from handrefine.runs.result import HAND, NOT_HAND, UNKNOWN

SECTIONS = {
    "summary",
    "warnings",
    "loss",
    "frames",
    "cameras",
    "views",
    "texture",
    "light",
    "colour",
    "configuration",
}
#: What the page is made of, besides metrics.json; all of these have to be there.
SHOWN = (
    *("annotation.npz", "colour.json", "config.yaml", "environment.json", "log.jsonl", "texture.png"),
    *("texture_seen.png", "texture_stages", "views", "warnings.json"),
)
VOID = {"meta", "link", "img", "input", "br"}


class Outline(HTMLParser):
    """Checks that elements nest, and gathers ids, links, images and everything that could be loaded."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []
        self.links: list[str] = []
        self.loaded: list[str] = []
        self.images: list[dict[str, str | None]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        if tag not in VOID:
            self.open.append(tag)
        self.ids += [values["id"]] if values.get("id") else []
        self.loaded += [values[key] for key in ("src", "srcset", "data", "action") if values.get(key)]
        if tag == "a":
            self.links.append(values["href"] or "")
        elif values.get("href"):
            self.loaded.append(values["href"])
        if tag == "img":
            self.images.append(values)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def outline(page: Path) -> Outline:
    parser = Outline()
    parser.feed(page.read_text(encoding="utf-8"))
    parser.close()
    assert parser.open == []
    return parser


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("report") / "run"
    write_example_run(folder)
    write_report(folder)
    return folder


def test_shows_every_section_and_needs_no_other_file(run: Path) -> None:
    page = outline(run / "report.html")
    assert set(page.ids) >= SECTIONS
    assert len(page.ids) == len(set(page.ids))
    assert {link.removeprefix("#") for link in page.links} <= set(page.ids)
    assert all(address.startswith("data:") for address in page.loaded)
    text = (run / "report.html").read_text()
    assert "http:" not in text
    assert "https:" not in text
    assert "default-src 'none'" in text
    assert "url(" not in text


def test_says_in_words_what_images_show_and_decodes_them_late(run: Path) -> None:
    images = outline(run / "report.html").images
    # A view: the image, and renders, residuals and normals before and after, and labels.
    assert len(images) == 4 * 8 + 1 + 1 + 2 + 1 + 2
    assert all(image["alt"] and image["loading"] == "lazy" for image in images)
    assert len({image["alt"] for image in images}) == len(images)


def test_figures_of_the_folder_are_on_the_page(run: Path) -> None:
    text = (run / "report.html").read_text()
    assert "-93.0&nbsp;%" in text  # vertex error, 10 to 0.7 mm
    assert f"{1000 * MOVED_M:.1f} mm" in text  # how far the hand was moved
    assert "a gradient was not finite <small>(2 times)</small>" in text
    assert "The mask recall got worse: 95.0 to 90.0 %." in text
    assert "made &lt;up&gt;" in text
    assert "<up>" not in text


def test_every_missing_or_broken_piece_is_a_note(tmp_path: Path) -> None:
    run = tmp_path / "run"
    write_example_run(run, frames=1, cameras=1, size=24, texture=16)
    pieces = [run / name for name in SHOWN]
    for piece in pieces:
        copy = tmp_path / f"without {piece.name}"
        shutil.copytree(run, copy)
        (shutil.rmtree if piece.is_dir() else Path.unlink)(copy / piece.name)
        text = write_report(copy).read_text()
        outline(copy / "report.html")
        assert f"<li>{piece.name}" in text
        assert " is not in the run folder." in text
        if not piece.is_dir():
            (copy / piece.name).write_bytes(b'{"cameras": 3')
            write_report(copy)
            assert f"{piece.name} cannot be read." in outline_text(copy / "report.html")


def outline_text(page: Path) -> str:
    outline(page)
    return page.read_text()


def test_held_out_cameras_have_figures_of_their_own(run: Path, tmp_path: Path) -> None:
    copy = tmp_path / "run"
    shutil.copytree(run, copy)
    assert "held-out" not in outline(copy / "report.html").ids
    pair = {"before": 0.8, "after": 0.9}
    cameras = [
        {"camera": "<7>", "frame": 100, "mask_recall": pair, "contour_distance_px": {"before": 6.0, "after": 2.0}},
        {"camera": "<7>", "frame": 103, "mask_recall": pair, "contour_distance_px": {"before": 4.0, "after": 1.0}},
        {"camera": "8", "frame": None, "photometric_error": {"before": 0.03, "after": 0.02}},
        {"camera": "9", "frame": 103, "mask_recall": {"before": None, "after": None}},
    ]
    mean = {"mask_recall": pair, "contour_distance_px": {"before": 5.0, "after": 1.5}}
    write_json(copy / "holdout.json", {"cameras": cameras, "mean": mean})
    text = outline_text(write_report(copy))
    held_out = text[text.index('<section id="held-out">') :].split("</section>")[0]
    rows = [row.split("</tr>")[0] for row in held_out.split('<th scope="row">')[1:]]
    assert [row.split("</th>")[0] for row in rows] == ["&lt;7&gt;", "8", "9", "100", "103"]
    assert "5.00 →" in rows[0]  # the camera's mean over both frames
    assert '<b class="better">1.50</b>' in rows[0]
    assert "3.00 →" in rows[1]
    assert "→" not in rows[2]
    assert "4.00 →" in rows[4]
    assert "contour distance <small>px</small> <small>held out</small>" in text


def test_weights_of_cameras_are_shown_with_their_reasons(run: Path, tmp_path: Path) -> None:
    copy = tmp_path / "run"
    shutil.copytree(run, copy)
    weight = {"camera": "a&b", "weight": 0.25, "agreement": 0.5, "visible_share": None, "reason": "mask < hand"}
    write_json(copy / "cameras.json", [weight])
    text = outline_text(write_report(copy))
    row = text[text.index('<section id="weights">') :].split("<tbody>")[1].split("</tbody>")[0]
    cells = [cell.split("</t")[0].split(">", 1)[1] for cell in row.replace("<th", "<td").split("<td")[1:]]
    assert cells == ["a&amp;b", "0.25", "0.50", "", "mask &lt; hand"]
    (copy / "cameras.json").write_text("{}")
    assert "cameras.json cannot be read." in outline_text(write_report(copy))


def test_a_folder_with_metrics_alone_still_makes_a_page(tmp_path: Path) -> None:
    write_json(tmp_path / "metrics.json", {"mask_recall": {"before": 0.5, "after": None}})
    page = outline(write_report(tmp_path))
    assert {"summary", "warnings"} <= set(page.ids)
    assert page.images == []


def test_a_view_whose_image_is_lost_is_left_out(run: Path, tmp_path: Path) -> None:
    copy = tmp_path / "run"
    shutil.copytree(run, copy)
    (copy / "views" / "frame100_camcam 00_after.png").unlink()
    text = write_report(copy).read_text()
    assert text.count('<article class="view"') == 3
    assert "The images of frame 100, camera cam 00 cannot be shown" in text


def test_a_folder_that_is_no_run_is_refused_and_nothing_written(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="not a finished run folder"):
        write_report(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_views_come_back_as_they_were_written(run: Path) -> None:
    hand = open_run(run).only_hand()
    entries = hand.views
    assert [(e.frame, e.camera) for e in entries] == [(f, c) for f in (100, 103) for c in ("cam 00", "cam 01")]
    view = hand.view_images(entries[0])
    assert set(np.unique(view.label)) <= {NOT_HAND, UNKNOWN, HAND}
    assert (view.label[:16] == UNKNOWN).all()
    assert 0.02 < (view.after[..., 3] == 255).mean() < 0.9
    assert not view.after[view.after[..., 3] == 0].any()

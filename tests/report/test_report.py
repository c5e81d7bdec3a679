"""The report shows everything that a run folder holds, in one file, and leaves out what is not there."""

import math
import shutil
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
import torch
from example_run import MOVED_M, write_example_run

from handrefine.errors import InputError
from handrefine.files import write_json
from handrefine.mesh import MeshTopology
from handrefine.report import write_report
from handrefine.report.appearance import DIFFUSE_BANDS, SPHERE_PX, atlas_texels, lit_sphere
from handrefine.report.charts import loss_charts
from handrefine.report.normals import normal_image
from handrefine.report.view_panels import contour_path, signed_residual
from handrefine.runs.reader import open_run
from handrefine.runs.result import HAND, NOT_HAND, UNKNOWN
from handrefine.runs.view_files import ViewImages
from handrefine.sequence import Camera
from handrefine.spherical import latlong_directions, latlong_solid_angles, sh_basis

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


def test_normals_of_a_sphere_point_away_from_its_middle() -> None:
    verts, faces = icosphere(4)
    camera = Camera("c", 80, 60, 200.0, 200.0, 40.0, 30.0, np.eye(3), np.array([0.0, 0, 10]))
    picture, covered = normal_image(verts, verts, faces, camera)
    # The silhouette of a unit sphere at distance 10: a disc of radius f / sqrt(99).
    radius_px = 200 / math.sqrt(99)
    assert covered.sum() == pytest.approx(math.pi * radius_px**2, rel=0.01)
    y, x = np.nonzero(covered)
    inner = np.hypot(x + 0.5 - 40, y + 0.5 - 30) < 0.9 * radius_px
    found = picture[y, x][inner] / 255 * 2 - 1
    direction = np.stack([x + 0.5 - 40, y + 0.5 - 30, np.full(len(x), 200.0)], axis=1)[inner]
    direction /= np.linalg.norm(direction, axis=1, keepdims=True)
    along = direction[:, 2] * 10
    hit = direction * (along - np.sqrt(along**2 - 99))[:, None] - [0, 0, 10]
    assert np.abs(found - hit * [1, -1, -1]).max() < 0.04


def test_the_nearest_surface_is_seen() -> None:
    square = np.array([[-1.0, -1, 0], [1, -1, 0], [1, 1, 0], [-1, 1, 0]])
    verts = np.concatenate([square, square + np.array([0, 0, 1])])
    faces = np.array([[4, 5, 6], [4, 6, 7], [0, 1, 2], [0, 2, 3], [1, 1, 2]])
    normals = np.repeat([[0.0, 0, -1], [1.0, 0, 0]], 4, axis=0)
    camera = Camera("c", 20, 20, 20.0, 20.0, 10.0, 10.0, np.eye(3), np.array([0.0, 0, 4]))
    for order in (faces, faces[::-1]):
        picture, covered = normal_image(verts, normals, order, camera)
        assert covered.sum() == 100
        assert (picture[covered] == [128, 128, 255]).all()
    behind = normal_image(verts, normals, faces, Camera("b", 8, 8, 9.0, 9.0, 4.0, 4.0, np.eye(3), np.zeros(3)))
    assert behind[1].any()  # the far square alone: the near one holds the camera's own plane


def test_the_residual_is_signed_and_follows_the_labels() -> None:
    image = np.full((4, 4, 3), 100, np.uint8)
    label = np.array([[HAND, NOT_HAND, UNKNOWN, UNKNOWN]] * 4, np.uint8)
    rendered = np.full((4, 4, 4), 132, np.uint8)
    rendered[..., 3] = [255, 255, 255, 0]
    residual = signed_residual(ViewImages(image, label, rendered, rendered), rendered)
    red_over_blue = residual.image[..., 0].astype(int) - residual.image[..., 2]
    assert (red_over_blue[:, :3] > 0).all()
    # 32 levels brighter are half strength; a render where there should be black is 132; unknown is faint.
    assert residual.image[0, :, 3].tolist() == [128, 255, 38, 0]
    assert residual.mean_levels == pytest.approx((32 + 132) / 2)
    nothing_known = np.full_like(label, UNKNOWN)
    free = signed_residual(ViewImages(image, nothing_known, rendered, rendered), rendered)
    assert free.image[0, :, 3].tolist() == [128, 128, 128, 0]
    assert free.mean_levels == pytest.approx(32)
    dark = signed_residual(ViewImages(image, label, rendered, rendered), np.zeros_like(rendered))
    assert dark.image[0, 0, 2] > dark.image[0, 0, 0]
    assert dark.image[0, :, 3].tolist() == [255, 0, 0, 0]


def test_the_contour_runs_where_half_a_pixel_is_covered() -> None:
    y, x = np.indices((60, 80)) + 0.5
    disc = np.clip(20 - np.hypot(x - 40, y - 30) + 0.5, 0, 1)
    path = contour_path(np.rint(255 * disc).astype(np.uint8))
    points = np.array([[float(v) for v in p.split()] for p in path.strip("MZ").split("L")])
    assert path.count("M") == 1
    assert np.abs(np.hypot(*(points - [40, 30]).T) - 20).max() < 0.4
    assert contour_path(np.zeros((8, 8), np.uint8)) == ""


def test_the_sphere_is_lit_as_an_integral_over_the_light_says() -> None:
    rng = np.random.default_rng(0)
    order = 4
    coefficients = 0.1 * rng.normal(size=((order + 1) ** 2, 3))
    coefficients[0] = 1.2
    directions, solid = latlong_directions(128, 256).double(), latlong_solid_angles(128, 256).double()
    light = sh_basis(directions, order) @ torch.as_tensor(coefficients)
    picture = lit_sphere(coefficients.astype(np.float32), np.eye(3))
    assert len(DIFFUSE_BANDS) == order + 1
    for column, row in ((96, 96), (144, 67), (38, 153)):
        u, v = ((p + 0.5) / (SPHERE_PX / 2) - 1 for p in (column, row))
        normal = torch.tensor([u, v, -math.sqrt(1 - u * u - v * v)], dtype=torch.float64)
        cosine = (directions @ normal).clamp(min=0)
        radiance = ((light * cosine[..., None] * solid[..., None]).sum(dim=(0, 1)) / math.pi).numpy()
        srgb = np.where(radiance > 0.0031308, 1.055 * np.abs(radiance) ** (1 / 2.4) - 0.055, 12.92 * radiance)
        assert np.abs(picture[row, column, :3] - 255 * np.clip(srgb, 0, 1)).max() < 2
    assert picture[0, 0, 3] == 0


def test_the_atlas_of_one_triangle_is_that_triangle() -> None:
    corner = MeshTopology(
        3, np.array([[0, 1, 2]]), np.array([[0.0, 1], [0.5, 1], [0.0, 0.5]]), np.array([[0, 1, 2]])
    )
    used = atlas_texels(corner, 64)
    assert used[:8, :8].all()
    assert not used[40:].any()
    assert used.sum() == pytest.approx(512, rel=0.1)


def test_curves_bear_missing_values_and_any_number_of_records() -> None:
    assert loss_charts([]) == ""
    one = loss_charts([{"iteration": 0, "stage": "joint", "loss": 1.0}])
    assert "h0" in one
    assert "NaN" not in one
    broken = loss_charts(
        [
            {"iteration": k, "stage": "a<b", "loss": math.nan if k == 1 else 3.0**-k, "terms": {"x": 0.0}}
            for k in range(5)
        ]
    )
    assert "nan" not in broken.lower()
    assert "a&lt;b" in broken
    assert "a<b" not in broken
    assert "(logarithmic)" in broken


def icosphere(times: int) -> tuple[np.ndarray, np.ndarray]:
    """A unit sphere of triangles."""
    octahedron = np.array([[1.0, 0, 0], [-1, 0, 0], [0, 1, 0], [0, -1, 0], [0, 0, 1], [0, 0, -1]])
    faces = [[0, 2, 4], [2, 1, 4], [1, 3, 4], [3, 0, 4], [2, 0, 5], [1, 2, 5], [3, 1, 5], [0, 3, 5]]
    corners = octahedron[np.array(faces)]
    for _ in range(times):
        a, b, c = corners[:, 0], corners[:, 1], corners[:, 2]
        ab, bc, ca = (m / np.linalg.norm(m, axis=1, keepdims=True) for m in (a + b, b + c, c + a))
        corners = np.concatenate(
            [np.stack(t, axis=1) for t in ((a, ab, ca), (ab, b, bc), (ca, bc, c), (ab, bc, ca))]
        )
    return corners.reshape(-1, 3), np.arange(3 * len(corners)).reshape(-1, 3)

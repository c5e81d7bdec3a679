"""The 3D viewer: geometry of cameras and bones everywhere; the server and its page where viser is installed."""

import socket
import sys
import time
import urllib.error
import urllib.request
from dataclasses import dataclass

import numpy as np
import pytest
import torch
from example_run import write_example_run
from headless import browser_path, open_browser
from made_run import FRAMES, make_run
from rich.console import Console

from handrefine.cli.main import parse
from handrefine.errors import InputError
from handrefine.hand.model import load_hand_model
from handrefine.runs.reader import open_run
from handrefine.runs.result import HandState, JointEvidence
from handrefine.sequence import ManoParameters
from handrefine.synthetic.truth import SyntheticSettings, make_truth
from handrefine.synthetic.truth_file import save_truth
from handrefine.viewer.content import viewer_content
from handrefine.viewer.guard import guard
from handrefine.viewer.scene import bone_colours, corners_world, joint_lines, pyramid_lines
from handrefine.viewer.server import Viewer


@pytest.fixture(scope="module")
def made(runtime, tmp_path_factory):
    folder = tmp_path_factory.mktemp("viewer") / "run"
    return folder, make_run(folder)


@pytest.fixture
def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def test_a_cameras_picture_lies_where_the_camera_sees_it(made):
    camera, window = made[1].cameras[1], (-3, 5, 30, 38)
    corners = corners_world(camera, window, 0.3)
    expected = [(-3, 5), (30, 5), (30, 38), (-3, 38)]
    torch.testing.assert_close(camera.project(torch.from_numpy(corners)), torch.tensor(expected).double())
    np.testing.assert_allclose((corners - camera.center_world) @ camera.R_cam_world[2], 0.3)
    lines = pyramid_lines(camera, window, 0.3)
    np.testing.assert_allclose(lines[:4, 0], np.tile(camera.center_world, (4, 1)), atol=1e-12)


def test_bones_run_from_the_wrist_to_every_tip(made):
    joints = made[1].after.joints_world[0]
    lines = joint_lines(joints)
    np.testing.assert_array_equal(lines[::4, 0], np.tile(joints[0], (5, 1)))
    np.testing.assert_array_equal(lines[3::4, 1], joints[4::4])
    np.testing.assert_array_equal(lines[1:4, 0], lines[:3, 1])


def test_a_missing_viser_is_told(made, monkeypatch):
    monkeypatch.setitem(sys.modules, "viser", None)
    with pytest.raises(InputError, match=r"\.\[view\]"):
        parse(["view", str(made[0]), "--no-browser"])(Console(quiet=True))


def test_a_truth_of_another_video_is_refused(made, tmp_path):
    hand = load_hand_model("right")
    save_truth(
        tmp_path / "truth.npz", make_truth(hand, hand.default_skin()[::32, ::32], SyntheticSettings(size=16))
    )
    with pytest.raises(InputError, match="another video") as refused:
        parse(["view", str(made[0]), "--no-browser", "--truth", str(tmp_path / "truth.npz")])(Console(quiet=True))
    assert str(tmp_path / "truth.npz") in str(refused.value)


def test_pictures_of_the_run_are_found(tmp_path):
    write_example_run(tmp_path / "run")
    content = viewer_content(open_run(tmp_path / "run").hands)
    assert {key[0] for key in content.images} == {0, 1}
    assert {key[1] for key in content.images} == {camera.name for camera in content.cameras}


def test_the_page_loads_and_the_film_plays(made, free_port, capsys):
    pytest.importorskip("viser", reason="the extra [view] is not installed")
    viewer = Viewer(viewer_content(open_run(made[0]).hands), port=free_port)
    assert capsys.readouterr().out == ""  # viser's own address lacks the secret
    try:
        with urllib.request.urlopen(viewer.url, timeout=10) as page:
            assert page.status == 200
            assert b"<html" in page.read()
        assert viewer.url.startswith("http://127.0.0.1:")
        viewer.step()
        assert viewer.frame == 0
        viewer._playing.value = True
        seen = [viewer.frame for _ in range(4) if viewer.step() is None]
        assert seen == [1, 2, 0, 1]
        visible = [key for key, node in viewer._nodes.items() if node.visible]
        assert visible == [(0, "after", "texture", 1)]
    finally:
        viewer.stop()


@pytest.mark.skipif(browser_path() is None, reason="no Chromium on this machine")
def test_a_browser_shows_the_page_and_connects(made, free_port, tmp_path):
    """The page's program runs, talks to the server, and needs nothing from elsewhere."""
    pytest.importorskip("viser", reason="the extra [view] is not installed")
    viewer = Viewer(viewer_content(open_run(made[0]).hands), port=free_port)
    try:
        with open_browser(tmp_path / "profile") as page:
            page.open(viewer.url)
            deadline = time.monotonic() + 60
            while "run, right hand" not in page.evaluate("document.body.innerText"):  # which the server tells it
                assert time.monotonic() < deadline, page.problems
                page.evaluate("new Promise((done) => setTimeout(done, 200))")
            page.screenshot(tmp_path / "viewer.png")
        elsewhere = [p for p in page.problems if p.startswith("asks for") and "127.0.0.1" not in p]
        assert elsewhere == []
    finally:
        viewer.stop()


def test_everything_can_be_switched_on(made, tmp_path, free_port):
    """Both hands in the colours of their errors, with joints and pictures."""
    pytest.importorskip("viser", reason="the extra [view] is not installed")
    from dataclasses import replace

    write_example_run(tmp_path / "run")
    content = viewer_content(open_run(tmp_path / "run").hands)
    (hand,) = content.hands
    evidence = JointEvidence(np.linspace(0, 5, 42).reshape(2, 21), np.full((2, 21), 3))
    shown = replace(hand, truth_verts_world=hand.states["after"].verts_world, evidence=evidence)
    viewer = Viewer(replace(content, hands=(shown,)), port=free_port)
    try:
        viewer._which.value, viewer._colour.value, viewer._joints.value = "both", "error", True
        viewer._frame.value = 1
        visible = {key for key, node in viewer._nodes.items() if node.visible}
        assert visible == {
            (0, which, kind, 1) for which in ("before", "after") for kind in ("translucent error", "joints")
        }
        assert "after: mean vertex error **0.00 mm**" in viewer._text.content
        assert "at most 5.0 mm" in viewer._text.content
        for camera in viewer._cameras:
            assert {k: node.visible for k, node in camera.images.items()} == {0: False, 1: True}
    finally:
        viewer.stop()


def test_two_hands_are_shown_together_each_where_it_is(made, free_port):
    """Frames are those of either hand; where one is missing the other stands alone."""
    pytest.importorskip("viser", reason="the extra [view] is not installed")
    from dataclasses import replace

    content = viewer_content(open_run(made[0]).hands)
    (hand,) = content.hands
    states = {name: take(state, 1) for name, state in hand.states.items()}
    left = replace(hand, side="left", frames=hand.frames[:1], states=states)
    viewer = Viewer(replace(content, hands=(hand, left)), port=free_port)
    try:
        assert {key[:2] for key, node in viewer._nodes.items() if node.visible} == {(0, "after"), (1, "after")}
        viewer._frame.value = 1
        assert {key[0] for key, node in viewer._nodes.items() if node.visible} == {0}
        assert "no left hand here" in viewer._text.content
    finally:
        viewer.stop()


def test_bones_are_coloured_by_how_sure_their_joints_are():
    std_mm = np.zeros(21)
    std_mm[4] = 10.0  # the first finger's tip
    colours = bone_colours(std_mm)
    red, green = colours[3, 1].astype(int), colours[3, 0].astype(int)
    assert red[0] > red[1] + 100
    assert green[1] > green[0] + 50
    np.testing.assert_array_equal(colours[4:], np.broadcast_to(colours[0, 0], (16, 2, 3)))


def take(state: HandState, n: int) -> HandState:
    """The first frames of a state."""
    mano = ManoParameters(state.mano.pose_aa[:n], state.mano.shape[:n], state.mano.trans_m[:n])
    return HandState(mano, state.verts_world[:n], state.joints_world[:n])


def test_frames_are_the_datasets_own(made):
    assert viewer_content(open_run(made[0]).hands).frames == FRAMES


@dataclass
class Request:
    """What `websockets` tells of a request."""

    path: str
    headers: dict[str, str]


class Connection:
    def respond(self, status: int, text: str) -> int:
        return int(status)


@pytest.mark.parametrize(
    ("path", "headers", "answer"),
    [
        ("/secret/", {}, "/"),
        ("/secret/assets/page.js?x=1", {}, "/assets/page.js"),
        ("/", {}, 403),
        ("/secre/", {}, 403),
        ("/%2e%2e/secret/", {}, 403),
        ("/secret", {"Upgrade": "websocket", "Host": "h:1", "Origin": "http://h:1"}, None),
        ("/secret", {"Upgrade": "WebSocket", "Host": "h:1", "Origin": "http://evil.example"}, 403),
        ("/secret", {"Upgrade": "websocket", "Host": "h:1", "Origin": "null"}, 403),
        ("/secret", {"Upgrade": "websocket", "Host": "h:1"}, 403),
        ("/", {"Upgrade": "websocket", "Host": "h:1", "Origin": "http://h:1"}, 403),
    ],
)
def test_only_the_viewers_own_page_is_let_in(path, headers, answer):
    guarded = guard(lambda connection, request: request.path, "secret")
    assert guarded(Connection(), Request(path, headers)) == answer


def test_a_running_viewer_turns_others_away(made, free_port):
    pytest.importorskip("viser", reason="the extra [view] is not installed")
    import viser
    from websockets.exceptions import InvalidStatus
    from websockets.sync.client import connect

    viewer = Viewer(viewer_content(open_run(made[0]).hands), port=free_port)
    place, protocol = viewer.url.removeprefix("http://").rstrip("/"), [f"viser-v{viser.__version__}"]
    own = f"http://{place.partition('/')[0]}"
    try:
        with pytest.raises(urllib.error.HTTPError, match="403"):
            urllib.request.urlopen(own, timeout=10)
        for address, origin in ((place, "http://evil.example"), (place, None), (place.partition("/")[0], own)):
            with pytest.raises(InvalidStatus, match="403"):
                connect(f"ws://{address}", origin=origin, subprotocols=protocol, proxy=None)
        with connect(f"ws://{place}", origin=own, subprotocols=protocol, proxy=None) as page:
            assert page.recv(timeout=10)
    finally:
        viewer.stop()

"""What is odd about an input is told before anything runs, with what would explain it."""

from dataclasses import replace

import numpy as np
import pytest
from drawn_video import Drawn, changed_cameras, draw

from handrefine.config import Config
from handrefine.errors import InputError
from handrefine.findings import Finding
from handrefine.preprocess.initialization import initialize
from handrefine.preprocess.plausibility.check import check_input
from handrefine.sequence import Camera, FrameIndex, HandAnnotation, HandSequence, Side

OPENGL = np.diag([1.0, -1.0, -1.0])
TIP_TO_ROOT = [20, *(4 * finger + 3 - k for finger in range(5) for k in range(4))]
MANO_ORDER = [0, 13, 14, 15, 16, 1, 2, 3, 17, 4, 5, 6, 18, 10, 11, 12, 19, 7, 8, 9, 20]


@pytest.fixture(scope="module")
def drawn() -> Drawn:
    return draw()


@pytest.fixture(scope="module")
def over_black() -> Drawn:
    return draw(over_black=True)


def found(sequence: HandSequence, side: Side = "right", **settings: object) -> list[Finding]:
    config = Config(implausible_input="warn", **settings)  # pyright: ignore[reportArgumentType]
    return check_input(sequence, [initialize(sequence, side, config.hand)], config)


def text(findings: list[Finding]) -> str:
    return "\n".join(f"{finding.level}: {finding}" for finding in findings)


def with_joints(drawn: Drawn, joints: np.ndarray, side: Side = "right") -> HandSequence:
    annotation = HandAnnotation(side, joints_world=joints, joint_valid=np.ones(joints.shape[:2], bool))
    return drawn.video(annotations={side: annotation})


def true_joints(drawn: Drawn) -> np.ndarray:
    joints = drawn.sequence.annotations["right"].joints_world
    assert joints is not None
    return joints


def test_a_right_input_raises_no_finding(drawn: Drawn, over_black: Drawn) -> None:
    for video in (drawn, over_black, replace(drawn, masks={})):
        assert found(video.video()) == []
    noise = np.random.default_rng(1000).normal(0, 4e-3, (2, 21, 3))
    assert found(with_joints(drawn, true_joints(drawn) + noise)) == []


def test_masks_may_hold_more_than_the_hand_and_less(drawn: Drawn) -> None:
    more, less = {}, {}
    for key, mask in drawn.masks.items():
        rows, columns = np.nonzero(mask)
        more[key], less[key] = mask.copy(), mask.copy()
        more[key][rows.max() - 3 :, columns.min() : columns.max()] = True  # a forearm
        less[key][: int(np.median(rows)) - 4] = False  # behind an object
    assert found(replace(drawn, masks=more).video()) == []
    assert not [f for f in found(replace(drawn, masks=less).video()) if f.level == "error"]


def transposed(c: Camera) -> Camera:
    return replace(c, R_cam_world=c.R_cam_world.T, t_cam_world=-c.R_cam_world.T @ c.center_world)


CAMERA_FAULTS = {
    "with transposed rotations": transposed,
    "from camera to world": lambda c: replace(c, R_cam_world=c.R_cam_world.T, t_cam_world=c.center_world),
    "OpenGL": lambda c: replace(c, R_cam_world=OPENGL @ c.R_cam_world, t_cam_world=OPENGL @ c.t_cam_world),
    "millimetres": lambda c: replace(c, t_cam_world=c.t_cam_world * 1000),
    "2.02 times as large": lambda c: replace(c, fx=2 * c.fx, fy=2 * c.fy, cx=2 * c.cx, cy=2 * c.cy),
}


@pytest.mark.parametrize("explanation", CAMERA_FAULTS)
@pytest.mark.parametrize("seen", ["masks", "black", "nothing"])
def test_a_mistake_in_all_calibrations_is_an_error_that_names_it(
    drawn: Drawn, over_black: Drawn, explanation: str, seen: str
) -> None:
    video = {"masks": drawn, "black": over_black, "nothing": replace(drawn, masks={})}[seen]
    cameras = changed_cameras(video.sequence.cameras, CAMERA_FAULTS[explanation])
    told = [f for f in found(video.video(cameras=cameras)) if f.level == "error"]
    assert explanation in text(told)


def test_transposed_rotations_say_how_far_hand_and_masks_are_apart_before_and_after(drawn: Drawn) -> None:
    told = text(found(drawn.video(cameras=changed_cameras(drawn.sequence.cameras, transposed))))
    assert "76 px apart, 12 % of the hand agree; with transposed rotations 6 px apart, 100 %" in told


def test_a_mistake_in_one_camera_is_a_warning_that_names_the_camera(drawn: Drawn) -> None:
    cameras = dict(drawn.sequence.cameras)
    cameras["01"] = transposed(cameras["01"])
    told = found(drawn.video(cameras=cameras))
    assert "error" not in {f.level for f in told}
    assert "in camera 01; fix: with transposed rotations" in text(told)
    mirrored = {k: m[:, ::-1] if k[1] == "02" else m for k, m in drawn.masks.items()}
    assert "mirrored left to right" in text(found(replace(drawn, masks=mirrored).video()))


def test_a_focal_length_of_another_size_is_told_although_the_hand_lies_in_its_masks(drawn: Drawn) -> None:
    half = changed_cameras(drawn.sequence.cameras, lambda c: replace(c, fx=c.fx / 2, fy=c.fy / 2))
    told = text(found(drawn.video(cameras=half)))
    assert "warning: the projected hand is smaller than pictures show it" in told
    assert "with fx and fy times 2" in told


def test_exchanged_cameras_are_told(drawn: Drawn) -> None:
    cameras = dict(drawn.sequence.cameras)
    cameras["00"], cameras["01"] = replace(cameras["01"], name="00"), replace(cameras["00"], name="01")
    told = text(found(drawn.video(cameras=cameras)))
    assert "in camera 00; fix: with the calibration of camera 01" in told
    assert "in camera 01; fix: with the calibration of camera 00" in told


def test_inverted_empty_and_full_masks_are_told(drawn: Drawn) -> None:
    def masks(change) -> str:
        return text(found(replace(drawn, masks={k: change(k, m) for k, m in drawn.masks.items()}).video()))

    assert "error: most of the hand lies outside its mask: is white the hand?" in masks(lambda _, m: ~m)
    assert "error: masks are empty although the hand is in the picture (8 of the 8" in masks(
        lambda _, m: m & False
    )
    assert "warning: masks are empty" in masks(lambda k, m: m & (k[1] != "01"))
    assert "error: masks cover the whole picture (8 of the 8" in masks(lambda _, m: m | True)


def test_masks_that_are_not_used_do_not_matter(drawn: Drawn) -> None:
    empty = replace(drawn, masks={k: m & False for k, m in drawn.masks.items()}).video()
    labels = replace(Config().labels, source="segment")
    assert found(empty, labels=labels) == []


@pytest.mark.parametrize(("level", "word"), [(0, "black"), (255, "white"), (90, "of one colour")])
def test_pictures_without_content_are_told(drawn: Drawn, level: int, word: str) -> None:
    flat = {k: np.full_like(p, level) for k, p in drawn.pictures.items()}
    some = {k: flat[k] if k[1] == "03" else p for k, p in drawn.pictures.items()}
    for video in (drawn, replace(drawn, masks={})):
        assert f"error: pictures are {word}" in text(found(replace(video, pictures=flat).video()))
        told = text(found(replace(video, pictures=some).video()))
        assert f"warning: pictures are {word} where the hand should be" in told
        assert "camera 03 (frames 3, 7)" in told


@pytest.mark.filterwarnings("error::RuntimeWarning")
def test_pictures_that_are_there_twice_are_told(drawn: Drawn) -> None:
    twice = {k: drawn.pictures[k[0], "00"] if k[1] == "01" else p for k, p in drawn.pictures.items()}
    assert "cameras 00, 01 show the same picture" in text(found(replace(drawn, pictures=twice).video()))
    frozen = {k: drawn.pictures[FrameIndex(0), k[1]] if k[1] == "02" else p for k, p in drawn.pictures.items()}
    told = text(found(replace(drawn, pictures=frozen).video()))
    assert "are the same at all frames while the hand moves (in camera 02" in told
    annotation = replace(drawn.sequence.annotations["right"], joints_world=None)
    annotation = replace(annotation, mano_valid=np.array([True, False]))
    once = replace(drawn, pictures=frozen).video(annotations={"right": annotation})
    assert "while the hand moves" not in text(found(once))
    cameras = {**drawn.sequence.cameras, "03": replace(drawn.sequence.cameras["02"], name="03")}
    assert "same calibration (02 and 03" in text(found(drawn.video(cameras=cameras)))


def test_joints_in_another_order_are_an_error_that_names_it(drawn: Drawn) -> None:
    joints = true_joints(drawn)
    told = text(found(with_joints(drawn, joints[:, TIP_TO_ROOT])))
    assert "error: the hand does not fit its joints" in told
    assert "in the order wrist first, every finger from its root to its tip" in told


@pytest.mark.slow
def test_other_orders_of_joints_and_the_other_side_are_named(drawn: Drawn) -> None:
    joints = true_joints(drawn)
    told = text(found(with_joints(drawn, joints[:, np.argsort(MANO_ORDER)][:, TIP_TO_ROOT])))
    assert "MANO's 16 joints, then the tips (HO-3D) it falls to 0." in told
    told = text(found(with_joints(drawn, joints[:, TIP_TO_ROOT] * [-1.0, 1.0, 1.0])))
    assert "wrist first, every finger from its root to its tip" in told


def test_joints_of_the_other_hand_are_told_although_a_hand_nearly_fits_them(drawn: Drawn) -> None:
    """A hand that is hardly bent is nearly its own mirror image."""
    told = text(found(with_joints(drawn, true_joints(drawn), "left"), "left"))
    assert "the joints seem to be those of the other hand" in told
    assert "as a hand of the other side 0." in told


def test_parameters_in_millimetres_are_no_other_hand_model(drawn: Drawn) -> None:
    annotation = drawn.sequence.annotations["right"]
    assert annotation.mano is not None
    wrong = replace(annotation.mano, trans_m=annotation.mano.trans_m * 1000)
    told = text(found(drawn.video(annotations={"right": replace(annotation, mano=wrong)})))
    assert "error: MANO parameters and annotated joints are not of the same hand" in told
    assert "with trans in millimetres" in told


def test_joints_in_another_unit_are_told(drawn: Drawn) -> None:
    told = text(found(with_joints(drawn, true_joints(drawn) * 1000)))
    assert "bones are 1e+03 times as long as a hand's: are these metres?" in told


def test_frames_that_are_left_out_are_told(drawn: Drawn) -> None:
    annotation = replace(drawn.sequence.annotations["right"], mano_valid=np.array([True, False]))
    told = text(found(drawn.video(annotations={"right": annotation})))
    assert "frames with joints but without MANO parameters are left out (1 of 2 frames: 7" in told


def test_all_findings_come_in_one_error_and_a_setting_goes_on(drawn: Drawn) -> None:
    noticed = (Finding("warning", "a key is not used"),)
    cameras = changed_cameras(drawn.sequence.cameras, CAMERA_FAULTS["OpenGL"])
    sequence = drawn.video(cameras=cameras, findings=noticed)
    start = initialize(sequence, "right", Config().hand)
    with pytest.raises(InputError) as caught:
        check_input(sequence, [start], Config())
    message = str(caught.value)
    assert "1. no camera sees the annotated hand" in message
    assert "2. masks and the projected hand do not meet" in message
    assert "3. a key is not used" in message
    assert "--implausible-input warn" in message
    assert len(check_input(sequence, [start], Config(implausible_input="warn"))) == 3


def test_every_broken_image_is_named_at_once(drawn: Drawn) -> None:
    sequence = drawn.video()

    def broken() -> np.ndarray:
        raise InputError("an image file is broken", where="somewhere")

    images = {key: broken if key[1] in ("00", "02") else read for key, read in sequence.images.items()}
    with pytest.raises(InputError, match=r"4 images or masks cannot be used"):
        found(replace(sequence, images=images))

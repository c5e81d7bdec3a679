"""What looks like skin beside a hand does not become part of it, though the annotation is off."""

import numpy as np
from test_colour_segmentation import GREEN, HEIGHT, LENGTH, WIDTH, painted, skin_of, upright_hand

from handrefine import regions
from handrefine.preprocess.masks.colour_segmentation import (
    FLESH_AND_ERROR,
    fit_colour_models,
    segment,
    without_stray_skin,
)
from handrefine.preprocess.masks.labels import HAND, NOT_HAND, UNKNOWN

#: Wood, or a face in shadow: as red as skin, and darker.
BROWN = (165, 110, 85)


def test_bars_behind_the_fingers_are_not_learned_as_skin():
    """The annotated fingers lie on the bars that stand beside the true ones; the annotated palm lies on the palm.
    There is as brown a wall, so that the background knows the bars' colour."""
    joints = upright_hand()
    skin = skin_of(joints)
    annotated = joints + np.array([10.0, 0.0])
    bars = np.zeros_like(skin)
    for k in range(5):
        x = int(joints[1 + 4 * k, 0]) + 10
        bars[:115, x - 2 : x + 3] = True
    bars[:, 190:] = True
    picture = painted(skin)
    beside = bars & ~skin
    picture[beside] = painted(skin, background=BROWN)[beside]
    models = fit_colour_models([picture], [[annotated]])
    assert models is not None
    label = segment(picture, models, LENGTH)
    between = beside & (np.indices(skin.shape)[1] < 190)
    assert (label[between] == NOT_HAND).mean() > 0.85
    assert (label[skin] == HAND).mean() > 0.97


def test_skin_far_from_palm_and_bones_is_unknown_and_the_background_stays():
    joints = upright_hand()
    skin = skin_of(joints)
    label = np.where(skin, HAND, NOT_HAND).astype(np.int8)
    label[20:60, 190:] = HAND  # a face
    cleaned = without_stray_skin(label, [joints])
    away = regions.distance_px(regions.body(joints, HEIGHT, WIDTH))
    assert (cleaned[20:60, 190:] == UNKNOWN).all()
    assert (cleaned[label == NOT_HAND] == NOT_HAND).all()
    assert (cleaned[skin & (away < FLESH_AND_ERROR * LENGTH - 1)] == HAND).all()


def test_a_finger_that_the_annotation_has_elsewhere_keeps_its_pull():
    """12 mm off, which is 7 px here: the finger's inner side still says hand."""
    joints = upright_hand()
    skin = skin_of(joints)
    label = np.where(skin, HAND, NOT_HAND).astype(np.int8)
    cleaned = without_stray_skin(label, [joints + np.array([7.0, 0.0])])
    assert (cleaned[skin & (np.indices(skin.shape)[0] < 150)] == HAND).mean() > 0.9


def test_another_hand_that_is_annotated_keeps_its_skin():
    joints, other = upright_hand(70), upright_hand(180)
    label = np.where(skin_of(other), HAND, NOT_HAND).astype(np.int8)
    finger = regions.dilated(regions.bones(other, HEIGHT, WIDTH), 7) & (np.indices(label.shape)[0] < 150)
    assert (without_stray_skin(label, [joints])[finger] == UNKNOWN).mean() > 0.9
    assert (without_stray_skin(label, [joints, other])[finger] == HAND).all()


def test_an_edge_on_palm_leaves_the_bones_to_teach_skin():
    joints = upright_hand()
    edge_on = joints.copy()
    edge_on[:, 0] = 110 + 0.02 * (joints[:, 0] - 110)
    skin = regions.dilated(regions.bones(edge_on, HEIGHT, WIDTH), 7)
    picture = painted(skin, background=GREEN)
    models = fit_colour_models([picture], [[edge_on]])
    assert models is not None
    assert ((segment(picture, models, LENGTH) == HAND) != skin).mean() < 0.01

"""Fixtures that every test may use."""

import pytest


@pytest.fixture(scope="session")
def runtime():
    """Mitsuba, started once a process."""
    from handrefine.render.mitsuba.runtime import start_mitsuba

    return start_mitsuba()


@pytest.fixture(scope="session")
def right_hand():
    """The open right hand, in single precision; shared, so that no test may change or move it."""
    from handrefine.hand.model import load_hand_model

    return load_hand_model("right")


@pytest.fixture(scope="session")
def left_hand():
    """The open left hand, as `right_hand`."""
    from handrefine.hand.model import load_hand_model

    return load_hand_model("left")

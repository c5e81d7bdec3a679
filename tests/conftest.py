"""Fixtures that every test may use."""

import sys

import pytest


@pytest.fixture(autouse=True)
def one_thread() -> None:
    """One Dr.Jit thread a worker: images are so small here that more of them only wait, and waiting they spin.

    Dr.Jit is left alone until a test has started Mitsuba, which has to choose its LLVM first.
    """
    mitsuba = sys.modules.get("mitsuba")
    if mitsuba is not None and mitsuba.variant() is not None:
        import drjit as dr

        dr.set_thread_count(1)


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

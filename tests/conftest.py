"""Fixtures that every test may use."""

import pytest


@pytest.fixture(scope="session")
def runtime():
    """Mitsuba, started once a process."""
    from handrefine.render.mitsuba.runtime import start_mitsuba

    return start_mitsuba()

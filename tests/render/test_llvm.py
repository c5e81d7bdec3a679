"""Choosing an LLVM: what would make Dr.Jit abort the process is refused before it is loaded."""

import os

import pytest

from handrefine.errors import InputError
from handrefine.render.mitsuba import llvm
from handrefine.render.mitsuba.llvm import LlvmLibrary, find_llvm, system_libraries, use_llvm


@pytest.fixture
def pretend(monkeypatch, tmp_path):
    """A machine whose system directory and wheel directory start empty, with no choice by the user."""
    monkeypatch.delenv(llvm.ENVIRONMENT_VARIABLE, raising=False)
    monkeypatch.setattr(llvm, "SYSTEM_PATTERNS", (f"{tmp_path}/system/libLLVM*.so*",))
    monkeypatch.setattr(llvm, "WHEEL", "no-such-wheel-is-installed")

    def add(name: str) -> str:
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"")
        return str(path)

    return add


def test_a_chosen_library_that_is_too_old_is_refused(pretend, monkeypatch):
    path = pretend("chosen/libLLVM-15.so.1")
    monkeypatch.setenv(llvm.ENVIRONMENT_VARIABLE, path)
    with pytest.raises(InputError, match="too old") as error:
        find_llvm()
    assert error.value.found == "version 15"
    assert "16" in str(error.value.expected)
    assert path in str(error.value)
    assert "pip install karellen-llvm-core" in str(error.value.fix)


def test_a_chosen_library_that_tells_no_version_is_refused(pretend, monkeypatch):
    monkeypatch.setenv(llvm.ENVIRONMENT_VARIABLE, pretend("chosen/mystery.so"))
    with pytest.raises(InputError, match="too old"):
        find_llvm()


def test_a_chosen_library_that_is_missing_is_refused(pretend, monkeypatch, tmp_path):
    monkeypatch.setenv(llvm.ENVIRONMENT_VARIABLE, str(tmp_path / "libLLVM-19.so"))
    with pytest.raises(InputError, match="does not exist"):
        find_llvm()


def test_the_choice_is_taken_before_the_system(pretend, monkeypatch):
    pretend("system/libLLVM-21.so.1")
    path = pretend("chosen/libLLVM-18.so.1")
    monkeypatch.setenv(llvm.ENVIRONMENT_VARIABLE, path)
    assert (find_llvm().major, str(find_llvm().path)) == (18, path)


def test_the_newest_usable_system_library_is_preferred_to_the_wheel(pretend, monkeypatch, tmp_path):
    for name in ("libLLVM-15.so.1", "libLLVM-19.so.1", "libLLVM.so.20.1", "libLLVM-17.so.1"):
        pretend(f"system/{name}")
    monkeypatch.setattr(llvm, "_wheel_library", lambda: LlvmLibrary(tmp_path / "wheel", 23, "wheel"))
    found = find_llvm()
    assert (found.major, found.origin) == (20, "system")
    assert {library.major for library in system_libraries()} == {15, 17, 19, 20}


def test_the_wheel_is_used_where_the_system_has_only_old_libraries(pretend, monkeypatch, tmp_path):
    pretend("system/libLLVM-15.so.1")
    monkeypatch.setattr(llvm, "_wheel_library", lambda: LlvmLibrary(tmp_path / "wheel", 23, "wheel"))
    assert find_llvm().origin == "wheel"


def test_without_any_usable_library_the_error_names_the_old_ones_and_the_remedy(pretend):
    pretend("system/libLLVM-15.so.1")
    with pytest.raises(InputError, match="no LLVM") as error:
        find_llvm()
    assert "version 15" in str(error.value)
    assert "pip install karellen-llvm-core" in str(error.value.fix)


def test_an_old_choice_stops_mitsuba_from_starting(pretend, monkeypatch):
    from handrefine.render.mitsuba.runtime import start_mitsuba

    monkeypatch.setenv(llvm.ENVIRONMENT_VARIABLE, pretend("chosen/libLLVM-14.so.1"))
    with pytest.raises(InputError, match="too old"):
        start_mitsuba("llvm_ad_rgb")


def test_using_a_library_hands_it_to_drjit(monkeypatch, tmp_path):
    monkeypatch.setenv(llvm.ENVIRONMENT_VARIABLE, "before")
    use_llvm(LlvmLibrary(tmp_path / "libLLVM-19.so", 19, "system"))
    assert os.environ[llvm.ENVIRONMENT_VARIABLE] == str(tmp_path / "libLLVM-19.so")

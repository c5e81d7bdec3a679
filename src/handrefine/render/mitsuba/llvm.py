"""Finding an LLVM that Dr.Jit can use, before Mitsuba is imported.

Dr.Jit loads LLVM at run time, and LLVM below 16 makes it abort the whole process ("Cannot select: fminimum"),
so the library is chosen here and handed over through `DRJIT_LIBLLVM_PATH`.
"""

import ctypes
import importlib.metadata
import os
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from handrefine.errors import InputError

MIN_LLVM_MAJOR = 16
ENVIRONMENT_VARIABLE = "DRJIT_LIBLLVM_PATH"
#: The wheel behind the extra `cpu`, and what its libLLVM needs loaded first, in this order.
WHEEL = "karellen-llvm-core"
WHEEL_DEPENDENCIES = ("libunwind.so.1.0", "libc++abi.so.1.0", "libc++.so.1.0")
SYSTEM_PATTERNS = (
    "/usr/lib/llvm-*/lib/libLLVM*.so*",
    "/usr/lib/*-linux-gnu/libLLVM*.so*",
    "/usr/lib64/libLLVM*.so*",
    "/usr/lib/libLLVM*.so*",
    "/usr/local/lib/libLLVM*.so*",
    "/opt/homebrew/opt/llvm*/lib/libLLVM*.dylib",
    "/usr/local/opt/llvm*/lib/libLLVM*.dylib",
)
FIX = (
    "pip install karellen-llvm-core (Linux on x86-64), or an LLVM of 16 or later by the system's package manager, "
    "or point DRJIT_LIBLLVM_PATH at such a libLLVM"
)


@dataclass(frozen=True)
class LlvmLibrary:
    path: Path
    major: int
    origin: str

    def __str__(self) -> str:
        return f"{self.major} ({self.origin}): {self.path}"


def find_llvm() -> LlvmLibrary:
    """The LLVM to use: the user's own choice, else the newest system library >= 16, else the wheel's.

    Raises:
        InputError: there is none, or the user's choice is missing or too old.
    """
    if chosen := os.environ.get(ENVIRONMENT_VARIABLE):
        return _users_choice(Path(chosen))
    found = [lib for lib in system_libraries() if lib.major >= MIN_LLVM_MAJOR]
    if found:
        return max(found, key=lambda lib: lib.major)
    if wheel := _wheel_library():
        return wheel
    old = ", ".join(f"{lib.path} (version {lib.major})" for lib in system_libraries())
    raise InputError(
        "there is no LLVM that Dr.Jit can use on the CPU",
        expected=f"libLLVM of version {MIN_LLVM_MAJOR} or later",
        found=old or "none",
        fix=FIX,
    )


def use_llvm(library: LlvmLibrary) -> None:
    """Make Dr.Jit take this library; call before Mitsuba is imported."""
    if library.origin == "wheel":
        # Local: were its libunwind global, every C++ exception of Mitsuba's would end in a segmentation fault.
        for name in WHEEL_DEPENDENCIES:
            ctypes.CDLL(str(_wheel_file(name)), mode=ctypes.RTLD_LOCAL)
    os.environ[ENVIRONMENT_VARIABLE] = str(library.path)


def system_libraries() -> list[LlvmLibrary]:
    """Every system libLLVM whose file name tells its version, old ones included."""
    libraries: dict[Path, LlvmLibrary] = {}
    for pattern in SYSTEM_PATTERNS:
        for path in Path("/").glob(pattern.lstrip("/")):
            real = path.resolve()
            major = _version_in_name(real)
            if major is not None and real.is_file():
                libraries[real] = LlvmLibrary(real, major, "system")
    return list(libraries.values())


def _users_choice(path: Path) -> LlvmLibrary:
    where = f"environment variable {ENVIRONMENT_VARIABLE}={path}"
    if not path.is_file():
        raise InputError("the chosen LLVM library does not exist", where=where, fix=FIX)
    major = _version_in_name(path.resolve()) or _version_by_loading(path)
    if major is None or major < MIN_LLVM_MAJOR:
        raise InputError(
            "the chosen LLVM library is too old for Dr.Jit, which would abort",
            where=where,
            expected=f"version {MIN_LLVM_MAJOR} or later",
            found=f"version {major}" if major else "a version before 16",
            fix=FIX,
        )
    # A library that this function set earlier in the same process or its parent may be the wheel's.
    wheel = _wheel_library()
    origin = "wheel" if wheel and wheel.path.resolve() == path.resolve() else ENVIRONMENT_VARIABLE
    return LlvmLibrary(path, major, origin)


def _version_in_name(path: Path) -> int | None:
    match = re.search(r"libLLVM(?:-(\d+)|(?:\.so|\.dylib)\.(\d+)|\.(\d+)[.\d]*\.dylib)", path.name)
    return int(next(group for group in match.groups() if group)) if match else None


def _version_by_loading(path: Path) -> int | None:
    """Ask the library; the call exists since LLVM 16, so older ones give None."""
    try:
        ask = ctypes.CDLL(str(path)).LLVMGetVersion
    except (OSError, AttributeError):
        return None
    major = ctypes.c_uint()
    ask(ctypes.byref(major), None, None)
    return major.value


def _wheel_library() -> LlvmLibrary | None:
    path = next(iter(_wheel_files("libLLVM.so")), None)
    if path is None or sys.platform != "linux":
        return None
    major = _version_in_name(path.resolve()) or _version_by_loading(path)
    return LlvmLibrary(path.resolve(), major, "wheel") if major and major >= MIN_LLVM_MAJOR else None


def _wheel_file(name: str) -> Path:
    path = next(_wheel_files(name), None)
    if path is None:
        raise InputError(f"the wheel {WHEEL} lacks {name}", fix=f"pip install --force-reinstall {WHEEL}")
    return path


def _wheel_files(name: str) -> Iterator[Path]:
    try:
        files = importlib.metadata.files(WHEEL) or []
    except importlib.metadata.PackageNotFoundError:
        return
    for file in files:
        if file.name == name:
            yield Path(str(file.locate()))

"""How much memory this process can have: the machine's, or what its container or cluster job is limited to."""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

PROC, CGROUPS = Path("/proc"), Path("/sys/fs/cgroup")


@dataclass(frozen=True)
class MachineMemory:
    """Bytes. whole: with everything else gone, swap included. free: without pushing anything else out."""

    whole: float
    free: float


def machine_memory(proc: Path = PROC, cgroups: Path = CGROUPS) -> MachineMemory | None:
    """None where the machine does not say so as Linux does.

    Args:
        proc, cgroups: where the kernel tells it.
    """
    try:
        lines = (proc / "meminfo").read_text(encoding="ascii").splitlines()
        found = {name: 1024.0 * int(rest.split()[0]) for name, _, rest in (line.partition(":") for line in lines)}
        whole, free = found["MemTotal"] + found.get("SwapTotal", 0.0), found["MemAvailable"]
    except (OSError, ValueError, KeyError, IndexError):
        return None
    limits = list(_limits(proc, cgroups))
    return MachineMemory(min([whole, *limits]), min([free, *limits]))


def _limits(proc: Path, cgroups: Path) -> Iterator[float]:
    """Of the groups that the process is in (version 2's, or version 1's of memory) and those around."""
    try:
        lines = (proc / "self" / "cgroup").read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        return
    for line in lines:
        _, _, rest = line.partition(":")
        controllers, _, name = rest.partition(":")
        if controllers not in ("", "memory"):
            continue
        root, file = (cgroups / controllers, "memory.limit_in_bytes") if controllers else (cgroups, "memory.max")
        group = PurePosixPath(name.lstrip("/"))
        for around in (group, *group.parents):
            with suppress(OSError, ValueError):  # "max", or not to be seen from inside a container
                yield float(int((root / around / file).read_text(encoding="ascii")))

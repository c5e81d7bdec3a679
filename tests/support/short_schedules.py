"""Short schedules for tests: how many iterations each stage has, and nothing of the stages left out."""

from typing import Any

STAGES = ("environment", "texture", "coarse", "again", "joint", "finish")


def schedule(**iterations: int) -> dict[str, dict[str, Any]]:
    """Stages that are not named do not run; the joint one starts at full rates where there is no coarse one."""
    stages: dict[str, dict[str, Any]] = {name: {"iterations": iterations.get(name, 0)} for name in STAGES}
    if not stages["coarse"]["iterations"]:
        stages["joint"]["initial_rate"] = 1.0
    return stages

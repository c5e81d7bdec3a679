"""Old names of settings that once stood in the documents: they still work, with a warning."""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

log = logging.getLogger(__name__)


def _same(value: Any) -> Any:
    return value


@dataclass(frozen=True)
class Renamed:
    """The new dotted name of a setting, and its value in terms of the old one."""

    new: str
    value: Callable[[Any], Any] = _same


def _skip_edges(value: Any) -> Any:
    return () if value else ("edge",)


def _renamed_value(names: Mapping[str, str]) -> Callable[[Any], Any]:
    return lambda value: names.get(value, value) if isinstance(value, str) else value


_GEOMETRY = {"metric": "vertex_metric"}
_BACKENDS = {"wavefront": "batched"}
_TERMS = {
    "data": "data",
    "silhouette": "silhouette",
    "edge": "edge",
    "prior": "temporal",
    "limits": "joint_limits",
    "pose": "usual_pose",
    "shape": "usual_shape",
    "tie": "occluded",
    "penetration": "penetration",
}
#: Old dotted names; the longest that begins a setting's name counts.
RENAMED: Mapping[str, Renamed] = {
    "instants": Renamed("frame_coupling"),
    "instants_are": Renamed("frame_coupling"),
    "objective.residual": Renamed("losses.pixel.norm"),
    "objective.huber_delta": Renamed("losses.pixel.huber_delta"),
    "objective.edge_contrast_px": Renamed("losses.edge.contrast_px"),
    "objective.prior_window": Renamed("losses.temporal.window"),
    "objective.prior_sigma": Renamed("losses.temporal.sigma"),
    "objective.prior_a": Renamed("losses.temporal.a"),
    "objective.prior_order": Renamed("losses.temporal.order"),
    "objective.tie_seen": Renamed("losses.occluded.seen"),
    "objective.colour_ridge_px": Renamed("losses.colour_ridge.pixels"),
    **{f"objective.lambda_{old}": Renamed(f"losses.{new}.weight") for old, new in _TERMS.items()},
    "trust.weigh": Renamed("camera_weights.enabled"),
    "trust": Renamed("camera_weights"),
    "rates": Renamed("learning_rates"),
    "optimiser.geometry": Renamed("optimizer.geometry", _renamed_value(_GEOMETRY)),
    "optimiser.metric.rotation_spread": Renamed("optimizer.vertex_metric.spread.rotation"),
    "optimiser.metric.translation_spread": Renamed("optimizer.vertex_metric.spread.translation"),
    "optimiser.metric.articulation_spread": Renamed("optimizer.vertex_metric.spread.articulation"),
    "optimiser.metric.shape_spread": Renamed("optimizer.vertex_metric.spread.shape"),
    "optimiser.metric": Renamed("optimizer.vertex_metric"),
    "optimiser": Renamed("optimizer"),
    **{
        f"schedule.{stage}.{old}": Renamed(f"stages.{stage}.{new.new}", new.value)
        for stage in ("environment", "texture", "coarse", "again", "joint", "finish")
        for old, new in {
            "views_per_instant": Renamed("views_per_frame"),
            "edges": Renamed("skip_losses", _skip_edges),
            "second_start": Renamed("restart"),
        }.items()
    },
    "schedule": Renamed("stages"),
    "render.backend": Renamed("render.backend", _renamed_value(_BACKENDS)),
}


def renamed(name: str) -> Renamed:
    """The new name of a dotted setting; its own where it has not changed."""
    for old in sorted(RENAMED, key=len, reverse=True):
        if name == old or name.startswith(old + "."):
            entry = RENAMED[old]
            return Renamed(entry.new + name.removeprefix(old), entry.value)
    return Renamed(name)


def with_new_names(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Nested settings under their new names, old ones told."""
    result: dict[str, Any] = {}
    for name, value in _leaves(settings, ""):
        entry = renamed(name)
        new = entry.value(value)
        if entry.new != name or (new is not value and new != value):  # NaN differs from itself
            was, now = (f"{name}: {value}", f"{entry.new}: {new}") if entry.new == name else (name, entry.new)
            log.warning("the setting %s is deprecated: it is %s now", was, now)
        _put(result, entry.new.split("."), new)
    return result


def _leaves(settings: Mapping[str, Any], prefix: str):
    for key, value in settings.items():
        name = f"{prefix}{key}"
        if isinstance(value, Mapping) and value:
            yield from _leaves(value, f"{name}.")
        else:
            yield name, value


def _put(target: dict[str, Any], path: list[str], value: Any) -> None:
    for key in path[:-1]:
        inner = target.setdefault(key, {})
        target = inner if isinstance(inner, dict) else {}
    target[path[-1]] = value

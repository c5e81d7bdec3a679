"""What is said of a result: figures, what cameras say that the fit never saw, and a verdict on every frame."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float, UInt8

from handrefine.runs.result import Metrics, ViewRender
from handrefine.sequence import FrameId, Side


@dataclass(frozen=True, eq=False)
class HeldOutView:
    """One view of a camera that the fit never saw.

    image, label: as of `ViewResult`; renders are before any camera's colours.
    """

    frame: FrameId
    camera: str
    image: Float[np.ndarray, "height width 3"]
    label: UInt8[np.ndarray, "height width"]
    before: ViewRender
    after: ViewRender


@dataclass(frozen=True, eq=False)
class HeldOutReport:
    """What cameras say that the fit never saw.

    Attributes:
        together: the contents of `holdout.json`, means over the hands:
            `{"cameras": [{"camera", "frame": null, figure: {"before", "after"}, ...}, ...], "mean": {...}}`.
        by_hand: the same of every hand.
        views: of every hand, the views around it.
    """

    together: Metrics
    by_hand: Mapping[Side, Metrics]
    views: Mapping[Side, tuple[HeldOutView, ...]]


@dataclass(frozen=True, eq=False)
class Judgement:
    """Figures, each a `metrics.json`: of the whole run, and by hand; and what speaks against each hand.

    verdicts: of every hand, what `verdict.json` says of its frames; nothing where nobody judged them.
    """

    together: Metrics
    by_hand: Mapping[Side, Metrics]
    held_out: HeldOutReport | None = None
    against: Mapping[Side, Sequence[str]] = field(default_factory=dict)
    verdicts: Mapping[Side, Sequence[Metrics]] = field(default_factory=dict)

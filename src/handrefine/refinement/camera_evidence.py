"""How far each camera is to be believed: whether it agrees with the others, and how much of the hand it sees."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

#: Excess, in robust standard deviations, up to which a camera counts fully; beyond, by the square of the ratio.
TOLERATED = 2.0
#: The least that counts as a standard deviation: a share of the median, and an absolute misfit.
LEAST_SHARE = 0.5
LEAST_SILHOUETTE, LEAST_COLOUR = 0.05, 0.05
#: Share of the best camera's visible area below which a camera loses weight.
LITTLE = 0.1
#: Weight from which on no reason is told.
BELIEVED = 0.9

GEOMETRY, COLOUR, LITTLE_SEEN = "geometry disagrees", "colour disagrees", "sees little of the hand"


@dataclass(frozen=True, eq=False)
class CameraEvidence:
    """What tells of each camera; NaN where nothing does.

    silhouette: area where render and labels disagree, as a share of the labelled hand's area.
    colour: rms difference of render and image on the hand, as a share of the image's rms there.
    refitted: the same after the affine colour transform that suits this camera best.
    visible: visible area of the hand, as a share of the camera that sees most.
    """

    silhouette: Float[np.ndarray, " camera"]
    colour: Float[np.ndarray, " camera"]
    refitted: Float[np.ndarray, " camera"]
    visible: Float[np.ndarray, " camera"]


@dataclass(frozen=True)
class CameraTrust:
    """How far one camera is believed, weights in [0, 1].

    weight: of its colours; silhouette_weight: of its silhouettes, which wrong colours leave right.
    agreement: the part of the weight that the other cameras decide.
    reason: why the weight is low; None where it is not.
    """

    camera: str
    weight: float
    silhouette_weight: float
    agreement: float
    visible_share: float
    reason: str | None


def camera_trust(names: Sequence[str], evidence: CameraEvidence) -> list[CameraTrust]:
    """Weights by robust statistics over the cameras.

    A camera's excess is `e = (x - median) / s` with `s = max(1.48 MAD, 0.5 median, least)` for each misfit x, the
    least being 0.05: twice the median is always tolerated, since rough masks and what a model cannot show differ
    from camera to camera. `(2 / e)^2` is its agreement where e > 2, else 1 (with
    fewer than three cameras always: two cannot tell which of them is wrong). Colours that a transform of the
    camera's own would mend speak against its colour only, those that none would mend against its calibration.
    The agreement of the worst misfit counts, times `min(1, visible share / 0.1)`.
    """
    geometry = np.minimum(
        _agreement(evidence.silhouette, LEAST_SILHOUETTE), _agreement(evidence.refitted, LEAST_COLOUR)
    )
    colour = _agreement(evidence.colour, LEAST_COLOUR)
    visible = np.nan_to_num(evidence.visible, nan=0.0)
    sight = np.minimum(1.0, visible / LITTLE)
    agreement = np.minimum(geometry, colour)
    factors = np.stack([geometry, colour, sight])
    # Colours that disagree while geometry disagrees nearly as much are a consequence of the geometry.
    factors[1] = np.where(geometry < 2 * colour, np.maximum(colour, geometry), colour)
    reasons = np.array([GEOMETRY, COLOUR, LITTLE_SEEN])[factors.argmin(axis=0)]
    return [
        CameraTrust(
            camera=name,
            weight=float(agreement[k] * sight[k]),
            silhouette_weight=float(geometry[k] * sight[k]),
            agreement=float(agreement[k]),
            visible_share=float(visible[k]),
            reason=None if agreement[k] * sight[k] >= BELIEVED else str(reasons[k]),
        )
        for k, name in enumerate(names)
    ]


def _agreement(misfit: Float[np.ndarray, " camera"], least: float) -> Float[np.ndarray, " camera"]:
    known = misfit[np.isfinite(misfit)]
    if len(known) < 3:
        return np.ones(len(misfit))
    median = np.median(known)
    scale = max(1.4826 * float(np.median(np.abs(known - median))), LEAST_SHARE * float(median), least)
    excess = np.nan_to_num((misfit - median) / scale, nan=0.0)
    return np.where(excess > TOLERATED, (TOLERATED / np.maximum(excess, TOLERATED)) ** 2, 1.0)

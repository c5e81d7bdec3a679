"""Which hand model a run takes, and what several hands of one person have in common."""

from pathlib import Path
from typing import Literal

from pydantic import ConfigDict, NonNegativeInt
from pydantic.dataclasses import dataclass

_STRICT = ConfigDict(extra="forbid")


@dataclass(frozen=True, kw_only=True, config=_STRICT)
class HandConfig:
    model_file: Path | None = None
    """MANO_RIGHT.pkl or MANO_LEFT.pkl of the official release; without it the embedded open hand is used."""
    fix_left_shape: bool | None = None
    """Flip the sign of the left model's first shape direction where it equals the right's (InterHand2.6M did,
    DexYCB did not); by default as the dataset's annotators did."""
    joints: Literal["auto", "model", "landmarks"] = "auto"
    """What annotated joints mean when MANO is fitted to them. model: the hand model's own joints. landmarks: the
    skeleton's, as MediaPipe, OpenPose, COCO-WholeBody and InterHand2.6M mark them. auto: what explains them."""
    fill: NonNegativeInt = 0
    """Refine frames without annotation, too, at most so many between two annotated ones, from which their start is
    interpolated."""


@dataclass(frozen=True, kw_only=True, config=_STRICT)
class HandsConfig:
    """What two hands of one person have in common (`--hand both`), and how much of a hand is drawn."""

    shared_shape: bool = False
    """One shape for both, the left hand's mirrored: fewer unknowns where one of them is seen badly."""
    shared_texture: bool = False
    """One texture for both, in the right hand's atlas."""
    end_at_wrist: bool = False
    """Leave what the model has past its wrist out of pictures and silhouettes: it moves with the palm, and a bent
    wrist would put it where no forearm is. Of one hand as well."""

"""The unknowns of a video in one table: what each is, its unit, who has one, and how far it may be off."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Variable:
    """One kind of unknown.

    Attributes:
        shape: of one owner's values; empty where the configuration decides (surface, texture, light).
        owner: what has one: every frame of a hand, a hand, the whole video, or a camera.
        learning_rate: Adam's, in `unit` (section 3.6 of the paper where it has one).
        spread: how far off an annotation may be, in `unit`; None for what does not move the surface. Variables
            with a spread are the geometry, which the vertex metric measures.
        moves_images: it moves what an image shows without moving a surface.
        by_default: stages that name no variables move it.
    """

    name: str
    unit: str
    shape: tuple[int, ...]
    owner: Literal["frame", "hand", "video", "camera"]
    learning_rate: float
    spread: float | None = None
    moves_images: bool = False
    by_default: bool = True


#: In the order in which the columns of the vertex metric stand.
VARIABLES: tuple[Variable, ...] = (
    Variable("rotation", "rad", (3,), "frame", 0.0015, 0.06),
    Variable("translation", "m", (3,), "frame", 0.0047, 0.003),
    Variable("articulation", "rad", (45,), "frame", 0.0087, 0.1),
    Variable("shape", "betas", (10,), "hand", 0.003, 0.5),
    Variable("surface", "m", (), "hand", 0.0001, 0.00025),
    Variable("texture", "reflectance", (), "hand", 0.014),
    Variable("environment", "radiance", (), "video", 0.1),
    Variable("colour", "linear RGB", (3, 4), "camera", 0.001),
    Variable("exposure", "log gain", (), "camera", 0.02, by_default=False),
    Variable("calibration", "rad", (4,), "camera", 0.0002, moves_images=True, by_default=False),
)
#: What moves a hand's surface.
GEOMETRY: tuple[Variable, ...] = tuple(v for v in VARIABLES if v.spread is not None)
GEOMETRY_NAMES: tuple[str, ...] = tuple(v.name for v in GEOMETRY)
#: What contours in images depend on, and not colours alone.
CONTOUR_NAMES: tuple[str, ...] = tuple(v.name for v in VARIABLES if v in GEOMETRY or v.moves_images)
#: The pose alone, frame by frame.
POSE_NAMES: tuple[str, ...] = tuple(v.name for v in GEOMETRY if v.owner == "frame")


def learning_rates() -> dict[str, float]:
    """Adam's rates by variable."""
    return {v.name: v.learning_rate for v in VARIABLES}


def spreads() -> dict[str, float]:
    """How far off each variable of an annotation may be."""
    return {v.name: v.spread for v in VARIABLES if v.spread is not None}

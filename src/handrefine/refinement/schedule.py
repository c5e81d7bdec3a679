"""The stages of a refinement: what each of them moves, at which resolution, and how fast."""

from collections.abc import Mapping
from typing import Annotated, Literal

from annotated_types import Gt, Le
from pydantic import ConfigDict, NonNegativeFloat, NonNegativeInt, PositiveInt
from pydantic import dataclasses as typed

from handrefine.scene.variables import POSE_NAMES, VARIABLES

ALL_VARIABLES = tuple(v.name for v in VARIABLES if v.by_default)


@typed.dataclass(frozen=True, kw_only=True, config=ConfigDict(extra="forbid"))
class StageConfig:
    """One stage of the schedule."""

    iterations: NonNegativeInt
    """Number of iterations; 0 skips the stage."""
    most_iterations: PositiveInt | None = None
    """Where given, the loss has a say in the end: a stage whose loss has settled ends earlier, and one whose loss
    still falls goes on, up to this many iterations. None: it ends by its count."""
    variables: tuple[str, ...] = ALL_VARIABLES
    """What is optimized: names of `handrefine.scene.variables.VARIABLES`."""
    texture_levels: PositiveInt = 8
    """How many of the texture's lowest levels of detail are enabled."""
    resolution: Annotated[float, Gt(0), Le(1)] = 1.0
    """Images are shrunk by this factor: 0.5 takes a quarter of the time and pulls from further away."""
    views_per_frame: PositiveInt | None = None
    """An iteration looks at about so many views of every frame, at all of them in turn; none: at all at once."""
    initial_rate: NonNegativeFloat = 1.0
    """Share of the learning rates at the stage's beginning."""
    final_rate: NonNegativeFloat = 1.0
    """Learning rates follow half a cosine to this share of them at the stage's end."""
    skip_losses: tuple[str, ...] = ()
    """Terms of the objective that this stage leaves out. Edges serve the surface and cost the texture."""
    mend_cameras: bool = False
    """Cameras that turn out to be grossly wrong are turned right at the stage's end, and told."""
    gradient: Literal["renderer", "image"] = "renderer"
    """Where the gradient of the geometry comes from. renderer: differentiated ray tracing. image: forward renders,
    whose pictures say how they change as the surface moves: cheaper, and less exact in the end (optimizer.geometry
    gauss_newton only)."""
    blur_px: NonNegativeFloat = 0.0
    """Silhouettes are compared blurred by so many pixels, which tells how far off they are."""
    closed_form: bool = False
    """Texture, light and colours are solved for at every iteration instead of descended in (optimizer.geometry
    gauss_newton only)."""
    renew_labels: bool = False
    """At the stage's end the images are cropped and labelled anew around the hands as they are by then: which hand
    is in front where, and where the forearms are."""
    restart: bool = False
    """Fingers begin the stage anew between their neighbours in time, and go back where that has not paid."""


def default_stages() -> dict[str, StageConfig]:
    """The three stages of section 3.6, in this order; ours are a coarse joint stage before the last of them, a
    restart of the fingers, and a last stage in which only the appearance goes on."""
    return {
        "environment": StageConfig(
            iterations=10,
            variables=("environment", "colour"),
            texture_levels=1,
            resolution=0.5,
            views_per_frame=4,
            skip_losses=("edge",),
        ),
        "texture": StageConfig(
            iterations=10,
            variables=("texture", "colour"),
            texture_levels=2,
            resolution=0.5,
            views_per_frame=4,
            skip_losses=("edge",),
        ),
        "coarse": StageConfig(
            iterations=60,
            texture_levels=6,
            resolution=0.5,
            views_per_frame=4,
            final_rate=0.3,
        ),
        "again": StageConfig(
            iterations=20,
            variables=POSE_NAMES,
            texture_levels=6,
            resolution=0.5,
            views_per_frame=4,
            initial_rate=0.6,
            final_rate=0.3,
            restart=True,
        ),
        "joint": StageConfig(
            iterations=30,
            views_per_frame=4,
            initial_rate=0.3,
            final_rate=0.02,
        ),
        "finish": StageConfig(
            iterations=40,
            variables=("texture", "environment", "colour"),
            views_per_frame=4,
            final_rate=0.02,
            skip_losses=("edge",),
        ),
    }


def running(stages: Mapping[str, StageConfig]) -> dict[str, StageConfig]:
    """The stages that run, in their order."""
    return {name: stage for name, stage in stages.items() if stage.iterations > 0}

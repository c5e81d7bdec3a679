"""What a refinement found, as plain arrays: all that is written, shown or judged later comes from it."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
from jaxtyping import Bool, Float, UInt8

from handrefine.config import Config
from handrefine.mesh import MeshTopology
from handrefine.progress import Record
from handrefine.sequence import Camera, FrameId, ManoParameters, Side

#: Shades of a label image: what the silhouette term was told of a pixel.
NOT_HAND, UNKNOWN, HAND = 0, 128, 255


@dataclass(frozen=True, eq=False)
class HandState:
    """One hand at F frames: its parameters and what the hand model made of them, in metres."""

    mano: ManoParameters
    verts_world: Float[np.ndarray, "frame vertex 3"]
    joints_world: Float[np.ndarray, "frame 21 3"]


@dataclass(frozen=True, eq=False)
class ViewRender:
    """One rendered view: linear RGB of the hands over black after the camera's colour transform, and coverage.

    coverage: share of the pixel that hands cover; own_coverage: that this hand covers.
    """

    rgb: Float[np.ndarray, "height width 3"]
    coverage: Float[np.ndarray, "height width"]
    own_coverage: Float[np.ndarray, "height width"]


@dataclass(frozen=True, eq=False)
class ViewResult:
    """What one view shows, and what the hand looks like in it.

    window_px: the part of the full image that is compared, (x0, y0, x1, y1), upper bounds exclusive.
    size_px: width and height to which it is resampled.
    image: linear RGB. label: `HAND`, `NOT_HAND` or `UNKNOWN`.
    """

    frame: FrameId
    camera: str
    window_px: tuple[int, int, int, int]
    size_px: tuple[int, int]
    image: Float[np.ndarray, "height width 3"]
    label: UInt8[np.ndarray, "height width"]
    before: ViewRender
    after: ViewRender


@dataclass(frozen=True, eq=False)
class HandResult:
    """One hand, as it was annotated and as it was refined.

    Attributes:
        hand_model: name of the model that the parameters belong to; open_hand: it is the embedded one.
        frames: the dataset's numbers of the frames at which the hand was refined; the states' first axis.
        textures: linear RGB reflectance, row 0 at the top; one, or one a frame where frames are independent.
        textures_seen: texels of each that at least one camera saw, on a coarser grid.
        stage_textures: the (first) texture at the end of every stage.
        views: the views around this hand.
        other_joints_world: annotated joints of the person's other hand at these frames; NaN where unknown.
        joint_residual_mm: mean distance of the initial fit to the joints; None where MANO was annotated.
    """

    side: Side
    hand_model: str
    open_hand: bool
    topology: MeshTopology
    frames: tuple[FrameId, ...]
    before: HandState
    after: HandState
    textures: Float[np.ndarray, "texture_frame height width 3"]
    textures_seen: Bool[np.ndarray, "texture_frame seen_size seen_size"]
    stage_textures: Mapping[str, Float[np.ndarray, "_ _ 3"]]
    views: tuple[ViewResult, ...]
    other_joints_world: Float[np.ndarray, "frame 21 3"] | None = None
    joint_residual_mm: float | None = None


@dataclass(frozen=True)
class MendedCamera:
    """A camera that was grossly wrong: what was changed, and what it did.

    rotation_mrad: of the whole turn; roll_mrad: its part about the view. shift_px: of the hands in the full image.
    focal_scale: factor of the focal lengths; 1 where they were right. misfit: of the silhouettes, as a share of
    the labelled area.
    """

    camera: str
    rotation_mrad: float
    roll_mrad: float
    shift_px: float
    focal_scale: float
    misfit_before: float
    misfit_after: float

    def __str__(self) -> str:
        scale = "" if self.focal_scale == 1 else f", focal length x {self.focal_scale:.3f}"
        return (
            f"camera {self.camera} was wrong and is mended: turned by {self.rotation_mrad:.1f} mrad (roll"
            f" {self.roll_mrad:.1f}{scale}), which moves the hands by {self.shift_px:.0f} px; misfit of the"
            f" silhouettes {self.misfit_before:.2f} -> {self.misfit_after:.2f}"
        )


@dataclass(frozen=True, eq=False)
class CameraResult:
    """One camera of the fit: how far it was believed, and what it does to colours.

    camera: full and uncropped, as calibrated, or as it was mended. colour_transform: [M | b].
    rotation_cam_mrad: by how much its calibration was turned, in its own frame; None where that was not refined.
    """

    camera: Camera
    weight: float
    agreement: float
    visible_share: float
    reason: str | None
    colour_transform: Float[np.ndarray, "3 4"]
    rotation_cam_mrad: Float[np.ndarray, "3"] | None = None
    mended: MendedCamera | None = None


@dataclass(frozen=True, eq=False)
class RunResult:
    """The result of `handrefine.refine`: one hand, or several that were refined together.

    Attributes:
        environment: radiance of every direction, in the layout of `handrefine.spherical`.
        light_coefficients: the spherical harmonics that it was baked from.
        records: the log, one entry an iteration.
        warnings: every warning that came while refining, and how often.
        variant: of Mitsuba.
    """

    sequence_name: str
    config: Config
    hands: tuple[HandResult, ...]
    cameras: tuple[CameraResult, ...]
    environment: Float[np.ndarray, "map_height map_width 3"]
    light_coefficients: Float[np.ndarray, "coefficient 3"]
    records: list[Record]
    seconds: float
    variant: str
    version: str
    warnings: Mapping[str, int] = field(default_factory=dict)

    def hand(self, side: Side) -> HandResult:
        """The hand of that side.

        Raises:
            KeyError: it was not refined.
        """
        return {hand.side: hand for hand in self.hands}[side]

    def alone(self, side: Side) -> "RunResult":
        """The same run with one of its hands."""
        return replace(self, hands=(self.hand(side),))

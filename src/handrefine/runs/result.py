"""What a refinement found, as plain arrays: all that is written, shown or judged later comes from it."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np
from jaxtyping import Bool, Float, Int, UInt8

from handrefine.config import Config
from handrefine.mesh import MeshTopology
from handrefine.person import Person
from handrefine.progress import Record
from handrefine.sequence import Camera, FrameId, FrameIndex, ManoParameters, Side, ViewKey

#: Shades of a label image: what the silhouette term was told of a pixel.
NOT_HAND, UNKNOWN, HAND = 0, 128, 255
#: Figures by their names in `metrics.json`.
Metrics = Mapping[str, Any]


@dataclass(frozen=True, eq=False)
class HandState:
    """One hand at F frames: its parameters and its geometry, in metres.

    parametric_verts_world: what the hand model makes of the parameters alone, where `verts_world` is another
        surface (the person's own, or one that a scene module deforms); None where they are the same.
    """

    mano: ManoParameters
    verts_world: Float[np.ndarray, "frame vertex 3"]
    joints_world: Float[np.ndarray, "frame 21 3"]
    parametric_verts_world: Float[np.ndarray, "frame vertex 3"] | None = None

    @property
    def surface(self) -> Literal["parametric", "displaced"]:
        """Whose surface `verts_world` is: that of the parameters, or a displaced one."""
        return "parametric" if self.parametric_verts_world is None else "displaced"


@dataclass(frozen=True, eq=False)
class JointEvidence:
    """What every joint's place rests on, at the hand's frames.

    std_mm: root mean square distance from the truth that is to be expected.
    cameras: how many cameras see what moves with the joint.
    """

    std_mm: Float[np.ndarray, "frame 21"]
    cameras: Int[np.ndarray, "frame 21"]


@dataclass(frozen=True, eq=False)
class RunAnnotation:
    """All that a run says of one hand but images and textures: the content of `annotation.npz`.

    frames: the dataset's own frame numbers, in the order of the states' first axis.
    cameras: full, uncropped cameras.
    views: (position in `frames`, camera name) of every image that the run used.
    hand_model: name of the model that the parameters belong to; open_hand: it is the embedded one.
    other_joints_world: annotated joints of the person's other hand at these frames; NaN where unknown.
    evidence: None in files of earlier versions.
    pca_components: of the hand model, where the dataset's parameters are coefficients of these.
    """

    side: Side
    frames: tuple[FrameId, ...]
    before: HandState
    after: HandState
    topology: MeshTopology
    cameras: tuple[Camera, ...]
    views: tuple[ViewKey, ...]
    hand_model: str = "unknown"
    open_hand: bool = False
    other_joints_world: Float[np.ndarray, "frame 21 3"] | None = None
    evidence: JointEvidence | None = None
    pca_components: Float[np.ndarray, "45 45"] | None = None


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
        residual_by_joint_mm: the same of every joint by its name.
        person: what is theirs in every video; None where every frame has a shape of its own.
        other_model: the dataset's parameters belong to another hand model than the refined ones.
        filled: those of the frames of which the dataset said nothing, and `before` is interpolated.
        pca_components: of the hand model, where the dataset's parameters are coefficients of these.
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
    residual_by_joint_mm: Mapping[str, float] = field(default_factory=dict)
    person: Person | None = None
    other_model: bool = False
    filled: tuple[FrameId, ...] = ()
    evidence: JointEvidence | None = None
    pca_components: Float[np.ndarray, "45 45"] | None = None


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
    rotation_cam_mrad: by how much its calibration was turned, in its own frame; picture_scale: by how much its
        pictures were enlarged about the hands; None where that was not refined.
    """

    camera: Camera
    weight: float
    agreement: float
    visible_share: float
    reason: str | None
    colour_transform: Float[np.ndarray, "3 4"]
    rotation_cam_mrad: Float[np.ndarray, "3"] | None = None
    picture_scale: float | None = None
    mended: MendedCamera | None = None


@dataclass(frozen=True, eq=False)
class RunResult:
    """The result of `handrefine.refine`: one hand, or several that were refined together.

    Attributes:
        environment: radiance of every direction, in the layout of `handrefine.spherical`.
        light_coefficients: the spherical harmonics that it was baked from.
        records: the log, one entry an iteration.
        warnings: every warning that came while refining, and how often.
        left_out: what was not finite, and in how many iterations it was therefore left out.
        unwritten: files and folders of the run folder that could not be written.
        variant: of Mitsuba.
        unfinished: where the run was stopped before its end, in words; None where it was not.
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
    unfinished: str | None = None
    left_out: Mapping[str, int] = field(default_factory=dict)
    unwritten: tuple[str, ...] = ()

    @property
    def sides(self) -> tuple[Side, ...]:
        return tuple(hand.side for hand in self.hands)

    def hand(self, side: Side) -> HandResult:
        """The hand of that side.

        Raises:
            KeyError: it was not refined.
        """
        return {hand.side: hand for hand in self.hands}[side]

    def alone(self, side: Side) -> "RunResult":
        """The same run with one of its hands, and that hand's own figures in the records."""
        records = [_of_hand(record, side) for record in self.records]
        return replace(self, hands=(self.hand(side),), records=records)

    def annotation(self, side: Side) -> RunAnnotation:
        """What the run says of one hand, without images and textures."""
        hand = self.hand(side)
        return RunAnnotation(
            side=side,
            frames=hand.frames,
            before=hand.before,
            after=hand.after,
            topology=hand.topology,
            cameras=tuple(of.camera for of in self.cameras),
            views=tuple((FrameIndex(hand.frames.index(view.frame)), view.camera) for view in hand.views),
            hand_model=hand.hand_model,
            open_hand=hand.open_hand,
            other_joints_world=hand.other_joints_world,
            evidence=hand.evidence,
            pca_components=hand.pca_components,
        )


def label_shades(
    known: Bool[np.ndarray, "*shape"], hand: Bool[np.ndarray, "*shape"]
) -> UInt8[np.ndarray, "*shape"]:
    """The shade of every pixel, given where labels say something, and where that is hand."""
    return np.where(known, np.where(hand, HAND, NOT_HAND), UNKNOWN).astype(np.uint8)


def _of_hand(record: Record, side: Side) -> Record:
    """The record with one hand's figures in the place of the hands' means."""
    hands = record.get("hands")
    own = hands.get(side, {}) if isinstance(hands, Mapping) else {}
    return {name: value for name, value in record.items() if name != "hands"} | dict(own)

"""The nouns: a hand annotation, and a multi-view video of a hand. Metres and radians throughout."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal, NewType

import numpy as np
from jaxtyping import Bool, Float

from handrefine.camera import Camera
from handrefine.errors import InputError
from handrefine.findings import Finding
from handrefine.things import Thing

Side = Literal["right", "left"]
#: A dataset's own number of a frame: what files are named by and users say. Numbers skip.
FrameId = NewType("FrameId", int)
#: A frame's position in a list of frames, 0, 1, 2 ...: what arrays are indexed by.
FrameIndex = NewType("FrameIndex", int)
#: One image of a sequence: the position of its frame in `HandSequence.frames`, and its camera's name.
ViewKey = tuple[FrameIndex, str]
#: What a command may be asked for.
Hands = Literal["right", "left", "both"]

#: Order of the 21 joints everywhere inside handrefine: the wrist, then every finger from its root to its tip.
JOINT_NAMES: tuple[str, ...] = (
    "wrist",
    *(f"{finger}{k}" for finger in ("thumb", "index", "middle", "ring", "pinky") for k in (1, 2, 3, 4)),
)
WRIST, MIDDLE_KNUCKLE = JOINT_NAMES.index("wrist"), JOINT_NAMES.index("middle1")
#: The joints that move rigidly with the wrist.
PALM = [JOINT_NAMES.index(name) for name in ("wrist", "thumb1", "index1", "middle1", "ring1", "pinky1")]
#: The 20 bones as pairs of joints: of every finger four, from the wrist to its tip.
BONES: tuple[tuple[int, int], ...] = tuple(
    (WRIST if k == 0 else first + k - 1, first + k) for first in range(1, 21, 4) for k in range(4)
)


def frame_positions(frames: Iterable[FrameId]) -> dict[FrameId, FrameIndex]:
    """The position of every frame number in `HandSequence.frames`, which has each once, ascending."""
    return {frame: FrameIndex(k) for k, frame in enumerate(sorted(set(frames)))}


def sides_of(hands: Hands) -> tuple[Side, ...]:
    """The hands meant, the right one first."""
    return ("right", "left") if hands == "both" else (hands,)


@dataclass(frozen=True, eq=False)
class ManoParameters:
    """MANO parameters of one hand at F frames, in the world frame.

    pose_aa: global rotation (3) and 15 joint rotations (45), axis-angle. With `flat_hand_mean=False`
        the 45 are relative to the model's mean pose (InterHand2.6M), else to the flat hand.
    trans_m: added to the vertices after MANO has rotated them about its own root joint.
    open_hand: they are the embedded open hand's; a MANO file would make another hand of them.
    """

    pose_aa: Float[np.ndarray, "frame 48"]
    shape: Float[np.ndarray, "frame 10"]
    trans_m: Float[np.ndarray, "frame 3"]
    flat_hand_mean: bool = False
    open_hand: bool = False

    def relative_to(self, hands_mean: Float[np.ndarray, "45"]) -> "ManoParameters":
        """The same hand with joint angles relative to its model's mean pose (`flat_hand_mean=False`)."""
        if not self.flat_hand_mean:
            return self
        pose_aa = np.concatenate([self.pose_aa[:, :3], self.pose_aa[:, 3:] - hands_mean], axis=1)
        return replace(self, pose_aa=pose_aa, flat_hand_mean=False)

    def in_components(self, components: Float[np.ndarray, "45 45"]) -> "PcaParameters":
        """The same hand in coefficients of its model's components; the inverse of `PcaParameters.in_angles`.

        Raises:
            InputError: the angles are relative to the flat hand.
        """
        if self.flat_hand_mean:
            raise InputError("principal components count from the mean pose, the angles from the flat hand")
        coefficients = np.linalg.solve(components.T, self.pose_aa[:, 3:].T).T
        pose_pca = np.concatenate([self.pose_aa[:, :3], coefficients], axis=1)
        return PcaParameters(pose_pca, self.shape, self.trans_m)

    def at(self, indices: Sequence[FrameIndex]) -> "ManoParameters":
        """The parameters at some of the frames."""
        rows = list(indices)
        return replace(self, pose_aa=self.pose_aa[rows], shape=self.shape[rows], trans_m=self.trans_m[rows])


@dataclass(frozen=True, eq=False)
class PcaParameters:
    """MANO parameters whose finger pose is told in the hand model's principal components, in the world frame.

    pose_pca: global rotation (axis-angle), then 45 coefficients of the rows of the model's `hands_components`,
        relative to its mean pose.
    """

    pose_pca: Float[np.ndarray, "frame 48"]
    shape: Float[np.ndarray, "frame 10"]
    trans_m: Float[np.ndarray, "frame 3"]

    def at(self, indices: Sequence[FrameIndex]) -> "PcaParameters":
        """The parameters at some of the frames."""
        rows = list(indices)
        return replace(self, pose_pca=self.pose_pca[rows], shape=self.shape[rows], trans_m=self.trans_m[rows])

    def in_angles(self, components: Float[np.ndarray, "45 45"]) -> ManoParameters:
        """The same hand with joint angles, given its model's components."""
        pose_aa = np.concatenate([self.pose_pca[:, :3], self.pose_pca[:, 3:] @ components], axis=1)
        return ManoParameters(pose_aa, self.shape, self.trans_m)


@dataclass(frozen=True, eq=False)
class HandAnnotation:
    """What a dataset says of one hand at every frame: MANO parameters, 3D joints, or both.

    mano_valid, joint_valid: False where the dataset says nothing (missing hand, unlabelled joint).
    mano_pca: in the place of `mano` where only the hand model can tell the joint angles; a refined annotation has
        both.
    """

    side: Side
    mano: ManoParameters | None = None
    mano_valid: Bool[np.ndarray, " frame"] | None = None
    joints_world: Float[np.ndarray, "frame 21 3"] | None = None
    joint_valid: Bool[np.ndarray, "frame 21"] | None = None
    mano_pca: PcaParameters | None = None


#: Reads one image: linear RGB float32 in [0, 1], or a boolean mask.
ImageReader = Callable[[], Float[np.ndarray, "height width 3"]]
MaskReader = Callable[[], Bool[np.ndarray, "height width"]]
#: Of one hand, by view: x and y in pixels of the full image, NaN where nothing is found, and confidence.
Detections = Mapping[ViewKey, Float[np.ndarray, "21 3"]]
#: See `HandSequence.write_back`.
WriteBack = Callable[["HandSequence", Mapping[Side, HandAnnotation], Path], list[Path]]


@dataclass(frozen=True, eq=False)
class HandSequence:
    """A multi-view video: cameras, frames, lazily read images, and the annotation of one or two hands.

    frames: the dataset's own frame numbers, ascending, in general with gaps; every other per-frame array
        follows their order. A `ViewKey` without an entry in `images` is a missing view.
    masks: True where a pixel shows skin; by what the mask's maker saw, so other hand and forearm may be included.
    things: those whose meshes and poses are given; at the frames of `frames`.
    detections: of some hands, joints that a detector has found in the images.
    objects: True where a pixel shows a thing that is neither hand nor background: it says nothing of the hand.
    source: what the writer needs to give back the dataset's own format (a reader's private matter).
    write_back: writes a refined annotation of this sequence in the dataset's own format below a folder, and
        returns the files; None where there is no such writer.
    fix_left_shape: the annotators turned the sign of the left MANO model's first shape direction.
    official_mano: the parameters belong to the official MANO files; another hand model can only follow the joints.
    findings: what the reader noticed, above all what is there and is not used.
    subject: whose hands these are, by a name that is the same in all sequences of one person; None where the
        dataset does not say.
    """

    name: str
    cameras: Mapping[str, Camera]
    frames: tuple[FrameId, ...]
    images: Mapping[ViewKey, ImageReader]
    annotations: Mapping[Side, HandAnnotation]
    masks: Mapping[ViewKey, MaskReader] = field(default_factory=dict)
    objects: Mapping[ViewKey, MaskReader] = field(default_factory=dict)
    things: tuple[Thing, ...] = ()
    detections: Mapping[Side, Detections] = field(default_factory=dict)
    source: object = None
    write_back: WriteBack | None = None
    fix_left_shape: bool = False
    official_mano: bool = False
    findings: tuple[Finding, ...] = ()
    subject: str | None = None

    @property
    def positions(self) -> tuple[FrameIndex, ...]:
        """The position of every frame, 0, 1, 2 ..."""
        return tuple(FrameIndex(k) for k in range(len(self.frames)))

    def annotation(self, side: Side) -> HandAnnotation:
        if side not in self.annotations:
            raise InputError(
                f"the sequence has no {side} hand",
                where=self.name,
                found=", ".join(self.annotations) or "no hand at all",
                fix="choose the other hand",
            )
        return self.annotations[side]

    def with_cameras(self, names: Sequence[str]) -> "HandSequence":
        """The same video seen by some of its cameras only.

        Args:
            names: as `called` understands them.

        Raises:
            InputError: a name is not a camera of this sequence.
        """
        names = called(names, self.cameras)
        for name in names:
            if name not in self.cameras:
                raise InputError(
                    f"there is no camera {name!r}", where=self.name, expected=f"one of {', '.join(self.cameras)}"
                )
        return replace(
            self,
            cameras={name: self.cameras[name] for name in names},
            images={key: read for key, read in self.images.items() if key[1] in names},
            masks={key: read for key, read in self.masks.items() if key[1] in names},
            objects={key: read for key, read in self.objects.items() if key[1] in names},
            detections={
                side: {key: found for key, found in of.items() if key[1] in names}
                for side, of in self.detections.items()
            },
        )

    def with_frames(self, indices: Sequence[FrameIndex]) -> "HandSequence":
        """The same video at some of its frames, in ascending order; positions count anew."""
        place = {index: FrameIndex(k) for k, index in enumerate(indices)}

        def of(values: np.ndarray | None) -> np.ndarray | None:
            return None if values is None else values[list(indices)]

        def at(annotation: HandAnnotation) -> HandAnnotation:
            mano, pca = annotation.mano, annotation.mano_pca
            return HandAnnotation(
                annotation.side,
                mano=None if mano is None else mano.at(indices),
                mano_valid=of(annotation.mano_valid),
                joints_world=of(annotation.joints_world),
                joint_valid=of(annotation.joint_valid),
                mano_pca=None if pca is None else pca.at(indices),
            )

        return replace(
            self,
            frames=tuple(self.frames[k] for k in indices),
            images={(place[k], name): read for (k, name), read in self.images.items() if k in place},
            masks={(place[k], name): read for (k, name), read in self.masks.items() if k in place},
            objects={(place[k], name): read for (k, name), read in self.objects.items() if k in place},
            things=tuple(thing.at(indices) for thing in self.things),
            detections={
                side: {(place[k], name): found for (k, name), found in of.items() if k in place}
                for side, of in self.detections.items()
            },
            annotations={side: at(annotation) for side, annotation in self.annotations.items()},
        )


#: A sequence and the refined annotation of its hands, at its frames.
RefinedSequence = tuple[HandSequence, Mapping[Side, HandAnnotation]]


def called(wanted: Sequence[str], names: Collection[str]) -> list[str]:
    """The cameras that are meant, each once: by name, or as image folders are called (`cam04` is camera 04).
    What no camera is called stays as it is."""
    bare = {name: name.removeprefix("cam") for name in wanted}
    meant = (bare[name] if name not in names and bare[name] in names else name for name in wanted)
    return list(dict.fromkeys(meant))

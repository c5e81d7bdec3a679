"""What the 3D viewer shows of a run."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float

from handrefine.mesh import MeshTopology
from handrefine.runs.reader import HandRun
from handrefine.runs.result import HandState, JointEvidence
from handrefine.sequence import Camera, FrameId, FrameIndex, Side, ViewKey
from handrefine.viewer.scene import WindowImage


@dataclass(frozen=True, eq=False)
class ShownHand:
    """One hand of the run.

    frames: the dataset's numbers of the hand's own frames: the first axis of everything below.
    states: by "before" and "after".
    texture: linear RGB reflectance, row 0 at the top.
    truth_verts_world: the true vertices, where they are known.
    """

    side: Side
    frames: tuple[FrameId, ...]
    states: Mapping[str, HandState]
    topology: MeshTopology
    texture: Float[np.ndarray, "height width 3"]
    evidence: JointEvidence | None = None
    truth_verts_world: Float[np.ndarray, "frame vertex 3"] | None = None

    def error_mm(self, which: str) -> Float[np.ndarray, "frame vertex"] | None:
        """Distance of every vertex from the truth."""
        if self.truth_verts_world is None:
            return None
        return 1000 * np.linalg.norm(self.states[which].verts_world - self.truth_verts_world, axis=-1)


@dataclass(frozen=True, eq=False)
class ViewerContent:
    """What is shown.

    frames: the dataset's numbers of all frames at which one of the hands is.
    images: by (position in `frames`, camera name), where there are any.
    """

    title: str
    frames: tuple[FrameId, ...]
    hands: tuple[ShownHand, ...]
    cameras: tuple[Camera, ...]
    images: Mapping[ViewKey, WindowImage] = field(default_factory=dict)


def viewer_content(
    hands: Sequence[HandRun], truth_verts_world: Mapping[Side, Float[np.ndarray, "frame vertex 3"]] | None = None
) -> ViewerContent:
    """What the folders of a run's hands say.

    Args:
        truth_verts_world: the true vertices of the hands at their frames.
    """
    truths = truth_verts_world or {}
    frames = tuple(sorted({frame for hand in hands for frame in hand.annotation.frames}))
    images: dict[ViewKey, WindowImage] = {}
    for hand in hands:
        for entry in hand.views if hand.layout.view_index.exists() else ():
            key = (FrameIndex(frames.index(entry.frame)), entry.camera) if entry.frame in frames else None
            if key is not None and key not in images:  # of two hands' windows one is enough
                images[key] = WindowImage(hand.view_images(entry).image, entry.window_px)
    sides = " and ".join(hand.side for hand in hands)
    root = hands[0].layout.root.resolve()
    name = root.name if len(hands) == 1 else root.parent.name
    return ViewerContent(
        title=f"{name}, {sides} hand{'s' if len(hands) > 1 else ''}",
        frames=frames,
        hands=tuple(_shown(hand, truths.get(hand.side)) for hand in hands),
        cameras=hands[0].annotation.cameras,
        images=images,
    )


def _shown(hand: HandRun, truth_verts_world: Float[np.ndarray, "frame vertex 3"] | None) -> ShownHand:
    annotation = hand.annotation
    return ShownHand(
        side=hand.side,
        frames=annotation.frames,
        states={"before": annotation.before, "after": annotation.after},
        topology=annotation.topology,
        texture=hand.texture,
        evidence=annotation.evidence,
        truth_verts_world=truth_verts_world,
    )

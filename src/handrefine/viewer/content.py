"""What the 3D viewer shows of a run."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float

from handrefine.mesh import MeshTopology
from handrefine.runs.reader import HandRun
from handrefine.runs.result import HandState
from handrefine.sequence import Camera, FrameId, FrameIndex, ViewKey
from handrefine.viewer.scene import WindowImage


@dataclass(frozen=True, eq=False)
class ViewerContent:
    """What is shown.

    frames: the dataset's own numbers.
    states: by "before" and "after", at the frames of `frames`.
    texture: linear RGB reflectance, row 0 at the top.
    images: by (position in `frames`, camera name), where there are any.
    truth_verts_world: the true vertices at the same frames, where they are known.
    """

    title: str
    frames: tuple[FrameId, ...]
    states: Mapping[str, HandState]
    topology: MeshTopology
    texture: Float[np.ndarray, "height width 3"]
    cameras: tuple[Camera, ...]
    images: Mapping[ViewKey, WindowImage] = field(default_factory=dict)
    truth_verts_world: Float[np.ndarray, "frame vertex 3"] | None = None

    def error_mm(self, which: str) -> Float[np.ndarray, "frame vertex"] | None:
        """Distance of every vertex from the truth."""
        if self.truth_verts_world is None:
            return None
        return 1000 * np.linalg.norm(self.states[which].verts_world - self.truth_verts_world, axis=-1)


def viewer_content(
    run: HandRun, truth_verts_world: Float[np.ndarray, "frame vertex 3"] | None = None
) -> ViewerContent:
    """What the run folder of one hand says.

    Args:
        truth_verts_world: the true vertices at the run's frames.
    """
    annotation = run.annotation
    images = {
        (FrameIndex(annotation.frames.index(entry.frame)), entry.camera): WindowImage(
            run.view_images(entry).image, entry.window_px
        )
        for entry in (run.views if run.layout.view_index.exists() else ())
        if entry.frame in annotation.frames
    }
    return ViewerContent(
        title=f"{run.layout.root.resolve().name}, {annotation.side} hand",
        frames=annotation.frames,
        states={"before": annotation.before, "after": annotation.after},
        topology=annotation.topology,
        texture=run.texture,
        cameras=annotation.cameras,
        images=images,
        truth_verts_world=truth_verts_world,
    )

"""A dataset whose videos are single files: `NAME.clip.npz` holds images, calibration and MANO of a right hand."""

from functools import partial

import numpy as np

from handrefine.datasets.dataset_format import DatasetFormat, chosen_cameras, chosen_sequence
from handrefine.sequence import Camera, HandAnnotation, HandSequence, ManoParameters

END = ".clip.npz"


def list_clips(root):
    return sorted(path.name.removesuffix(END) for path in root.glob(f"*{END}"))


def read_clip(root, *, sequence=None, cameras=None):
    name = chosen_sequence(list_clips(root), sequence, root)
    with np.load(root / f"{name}{END}") as file:
        clip = dict(file)
    place = {str(camera): k for k, camera in enumerate(clip["camera"])}
    wanted = chosen_cameras(list(place), cameras, root)
    n_frames, _, height, width, _ = clip["images"].shape  # linear RGB
    mano = ManoParameters(clip["pose_aa"], clip["shape"], clip["trans_m"])

    def camera(c):
        k = place[c]
        return Camera(c, width, height, *clip["intrinsics"][k], clip["R_cam_world"][k], clip["t_cam_world"][k])

    return HandSequence(
        name=name,
        cameras={c: camera(c) for c in wanted},
        frames=tuple(clip["frames"].tolist()),
        images={(k, c): partial(np.asarray, clip["images"][k, place[c]]) for k in range(n_frames) for c in wanted},
        annotations={"right": HandAnnotation("right", mano=mano)},
    )


CLIP = DatasetFormat(
    name="clip",
    marks=f"*{END}",
    recognise=lambda root: bool(list_clips(root)),
    list_sequences=list_clips,
    read=read_clip,
)

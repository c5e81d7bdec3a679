"""All that is odd about an input, in one list; before the first iteration."""

import logging
from collections.abc import Iterator, Sequence

import numpy as np
import torch

from handrefine.config import Config
from handrefine.findings import Finding, refuse, tell
from handrefine.preprocess.initialization import Initialization, posed_joints
from handrefine.preprocess.plausibility.cameras import hands_in_view, odd_cameras, odd_rig
from handrefine.preprocess.plausibility.evidence import look
from handrefine.preprocess.plausibility.joints import left_out, odd_joints, odd_parameters
from handrefine.preprocess.plausibility.masks import odd_masks
from handrefine.preprocess.plausibility.pictures import odd_pictures, odd_principal_points
from handrefine.sequence import HandSequence

log = logging.getLogger(__name__)
#: Vertices that are looked at: every so many.
THINNED = 7


def check_input(sequence: HandSequence, starts: Sequence[Initialization], config: Config) -> list[Finding]:
    """Tell every oddity of a video and its annotation; with the reader's own, in one list.

    Args:
        sequence: as it was read, all of its frames.
        starts: the annotated hands; positions are those of the sequence's frames.

    Raises:
        InputError: the input cannot be right (unless `config.implausible_input` says to go on), or images are
            broken; it lists all that is.
    """
    findings = [*sequence.findings, *_oddities(sequence, starts, config)]
    if config.implausible_input == "refuse":
        fix = "mend the input; or, if it is right, go on with --implausible-input warn"
        refuse(findings, sequence.name, fix)
    tell(findings, log)
    return findings


def _oddities(sequence: HandSequence, starts: Sequence[Initialization], config: Config) -> Iterator[Finding]:
    for start in starts:
        where, annotation = f"{start.hand.side} hand", sequence.annotation(start.hand.side)
        yield from left_out(annotation, start.frame_indices, sequence.frames, where)
        if start.joint_residual_mm is not None:
            yield from odd_joints(start.hand, annotation, start.joint_residual_mm, where)
        else:
            yield from odd_parameters(start.hand, annotation, start.parameters, start.frame_indices, where)
    cameras = sequence.cameras
    yield from odd_rig(cameras)
    yield from odd_principal_points([*cameras.values()])
    pictures = {(int(position), name) for position, name in sequence.images}
    for start in starts:
        joints = np.full((len(sequence.frames), 21, 3), np.nan)
        joints[start.frame_indices] = posed_joints(start.hand, start.parameters)
        yield from hands_in_view(cameras, sequence.frames, joints, pictures)
    views = look(sequence, [_vertices(start, len(sequence.frames)) for start in starts])
    yield from odd_pictures(views)
    if config.labels.source in ("auto", "masks"):
        yield from odd_masks(views)
        yield from odd_cameras(views)


def _vertices(start: Initialization, n_frames: int) -> np.ndarray:
    """Some vertices at all frames of the video; NaN where the hand is not annotated."""
    mano = start.parameters
    tensors = (torch.as_tensor(v, dtype=torch.float32) for v in (mano.pose_aa, mano.shape, mano.trans_m))
    with torch.no_grad():
        posed = start.hand(*tensors, flat_hand_mean=mano.flat_hand_mean).verts_world[:, ::THINNED].numpy()
    verts = np.full((n_frames, *posed.shape[1:]), np.nan)
    verts[start.frame_indices] = posed
    return verts

"""What tells whether a checkpoint belongs to a run: its settings, and what it has read."""

import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import torch

from handrefine.config_files import config_to_mapping
from handrefine.errors import InputError
from handrefine.refinement.problem import Problem
from handrefine.state import State

#: Means of the same pictures may differ by this much: machines round otherwise.
SAME_MEAN = 1e-3


def fingerprint(problems: Sequence[Problem]) -> State:
    """Digests of the settings, and of cameras, frames and annotations; the mean of every picture as it is seen.

    Call before the problems, one a video, have changed.
    """
    settings = [
        {"config": config_to_mapping(of.config), "hands": [hand.side for hand in of.hands]} for of in problems
    ]
    told = settings[0] if len(settings) == 1 else settings
    return {
        "settings": _digest([json.dumps(told, sort_keys=True, default=str).encode()]),
        "data": _digest(part for problem in problems for part in _data(problem)),
        "pictures": np.concatenate([_means(problem) for problem in problems]),
    }


def refuse_foreign(found: State, own: State, where: object) -> None:
    """Raises:
    InputError: a checkpoint of another run.
    """
    for name, what in (("settings", "other settings or hands"), ("data", "other cameras, frames or annotations")):
        if found[name] != own[name]:
            raise _foreign(what, where)
    pictures = found["pictures"], own["pictures"]
    if pictures[0].shape != pictures[1].shape or not np.allclose(
        *pictures, rtol=0, atol=SAME_MEAN, equal_nan=True
    ):
        raise _foreign("other pictures or masks", where)


def _foreign(what: str, where: object) -> InputError:
    return InputError(
        f"a checkpoint belongs to a run with {what}",
        where=where,
        fix="resume with the data and settings of the run that wrote it, or begin anew with another --out",
    )


def _digest(parts: Iterable[bytes]) -> str:
    sha = hashlib.sha256()
    for part in parts:
        sha.update(len(part).to_bytes(8, "little") + part)
    return sha.hexdigest()


def _data(problem: Problem) -> Iterator[bytes]:
    """As it was read, before anything is computed that machines round otherwise."""
    sequence = problem.sequence
    yield repr((sequence.name, sequence.frames, problem.observations.keys)).encode()
    for camera in sequence.cameras.values():
        yield repr((camera.name, camera.width, camera.height, camera.grey, camera.lens)).encode()
        path = () if camera.path is None else tuple(vars(camera.path).values())
        for numbers in (camera.intrinsics, camera.R_cam_world, camera.t_cam_world, *path):
            yield np.ascontiguousarray(numbers, np.float64).tobytes()
    for start in problem.starts:
        yield repr((start.hand.side, start.hand.name)).encode()
        if start.joint_residual_mm is None:  # else the parameters are a fit's, which are computed
            for numbers in (start.parameters.pose_aa, start.parameters.shape, start.parameters.trans_m):
                yield np.ascontiguousarray(numbers, np.float64).tobytes()


def _means(problem: Problem) -> np.ndarray:
    """Of every view, mean colour and share of the pixels that are labelled as hand."""
    seen = problem.observations
    with torch.no_grad():
        of_pixels = torch.cat([seen.image, seen.hand_share[:, None]], dim=1)
        return np.stack([part.flatten(0, 1).mean(dim=0).cpu().numpy() for part in seen.views.split(of_pixels)])

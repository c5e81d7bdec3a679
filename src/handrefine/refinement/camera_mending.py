"""Cameras that are grossly wrong are mended: turned to where their labels want the hands, and told."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import asdict

import numpy as np
import torch
from scipy.spatial.transform import Rotation

from handrefine.refinement.camera_alignment import Alignment, SilhouettePair, align
from handrefine.refinement.camera_weights import CameraWeights
from handrefine.refinement.hooks import Hook, Stage
from handrefine.refinement.problem import Problem
from handrefine.runs.result import MendedCamera
from handrefine.sequence import Camera
from handrefine.state import State

log = logging.getLogger(__name__)
#: A camera that is far off shows parts of the hands only until its windows follow.
ROUNDS = 2
ALIGNMENT_SEED = 2**31 - 2
#: A wrong camera's misfit falls at least to the first share for some hand, and to the second for all together: the
#: masks of one hand may be too poor to lie on any render.
HALVED, LESS = 0.5, 0.75
#: Robust standard deviations by which a wrong camera's motion exceeds the others', and the least that counts as
#: one: a share of the median motion, and of the hand's size in the image.
EXCESS, LEAST_SHARE, LEAST_SIZE = 4.0, 0.5, 0.01
#: With fewer cameras none can be told to be the wrong one.
FEWEST_CAMERAS = 3
#: Each hand by itself must ask for the common motion, up to this share of it.
AGREEMENT = 0.5


class MendCameras(Hook):
    """Mends cameras after the stages that ask for it; the cameras' weights start anew."""

    def __init__(self, weights: CameraWeights) -> None:
        self._weights = weights
        self.mended: dict[str, MendedCamera] = {}

    def stage_ends(self, stage: Stage) -> Problem | None:
        if not stage.config.mend_cameras:
            return None
        problem = stage.problem
        for _ in range(ROUNDS):
            found = mend_cameras(silhouette_pairs(problem), problem.sequence.cameras)
            if not found:
                break
            for name, (_, told) in found.items():
                log.warning("%s", told)
                self.mended[name] = told
            self._weights.believe(found)
            problem = problem.observed_anew({name: camera for name, (camera, _) in found.items()})
        return problem

    def state(self) -> State:
        """What is told of every mended camera."""
        return {name: asdict(told) for name, told in self.mended.items()}

    def load_state(self, state: State) -> None:
        self.mended = {name: MendedCamera(**told) for name, told in state.items()}


@torch.no_grad()
def silhouette_pairs(problem: Problem) -> dict[str, list[SilhouettePair]]:
    """Renders and labels of all views, by camera, before any small turn of its calibration."""
    model, seen = problem.model, problem.observations
    rendering = model.render(problem.renderer, model.geometries(), texture_levels=1, seed=ALIGNMENT_SEED)
    coverage = seen.views.split(rendering.coverage.sum(dim=1))
    share, known = seen.views.split(seen.hand_share), seen.views.split(seen.silhouette_weight)
    pairs: dict[str, list[SilhouettePair]] = {}
    for k, ((_, name), window) in enumerate(zip(seen.keys, seen.windows, strict=True)):
        size = np.array([window.x1_px - window.x0_px, window.y1_px - window.y0_px])
        pairs.setdefault(name, []).append(
            SilhouettePair(
                coverage[k].cpu().numpy(),
                share[k].cpu().numpy(),
                known[k].cpu().numpy(),
                np.array([window.x0_px, window.y0_px], float),
                size / (window.camera.width, window.camera.height),
                0 if seen.hand_of_view is None else seen.hand_of_view[k],
            )
        )
    return pairs


def mend_cameras(
    pairs: Mapping[str, Sequence[SilhouettePair]], cameras: Mapping[str, Camera]
) -> dict[str, tuple[Camera, MendedCamera]]:
    """The cameras that are grossly wrong, as they should be.

    A camera is wrong where the best motion of its renders at least halves its misfit (of one hand, and takes a
    quarter of all), moves it far more than the others are moved (by robust statistics), and is what every hand
    asks for by itself. Few can be wrong at once: the others decide what is usual.

    Args:
        pairs: of every camera, renders and labels of its views.
        cameras: full cameras, by name.
    """
    alignments = {name: found for name, of in pairs.items() if (found := align(of)) is not None}
    if len(alignments) < FEWEST_CAMERAS:
        return {}
    excess = _excess(alignments, pairs)
    mended = {}
    for name, found in alignments.items():
        if excess[name] <= EXCESS:
            continue
        by_hand = _by_hand(pairs[name], found)
        if _halved(found, by_hand) and _agree(found, by_hand):
            turned = found.motion.camera(cameras[name])
            mended[name] = turned, _told(name, cameras[name], turned, found)
    return mended


def _excess(
    alignments: Mapping[str, Alignment], pairs: Mapping[str, Sequence[SilhouettePair]]
) -> dict[str, float]:
    """How far each camera's motion exceeds the usual, in robust standard deviations."""
    sizes = {name: _size_px(pairs[name]) for name in alignments}
    relative = np.array([found.motion.length_px / sizes[name] for name, found in alignments.items()])
    median = float(np.median(relative))
    deviation = 1.4826 * float(np.median(np.abs(relative - median)))
    scale = max(deviation, LEAST_SHARE * median, LEAST_SIZE)
    return dict(zip(alignments, ((relative - median) / scale).tolist(), strict=True))


def _size_px(pairs: Sequence[SilhouettePair]) -> float:
    """Side of a square as large as a rendered hand is on average, full-image pixels."""
    areas = [float(p.coverage.sum() * p.scale.prod()) for p in pairs]
    return float(np.sqrt(max(np.mean(areas), 1.0)))


def _by_hand(pairs: Sequence[SilhouettePair], common: Alignment) -> list[Alignment]:
    """The best motion of every hand alone."""
    hands = sorted({p.hand for p in pairs})
    if len(hands) == 1:
        return [common]
    found = [align([p for p in pairs if p.hand == hand]) for hand in hands]
    return [of for of in found if of is not None]


def _halved(common: Alignment, by_hand: Sequence[Alignment]) -> bool:
    some = any(of.misfit_after <= HALVED * of.misfit_before for of in by_hand)
    return some and common.misfit_after <= LESS * common.misfit_before


def _agree(common: Alignment, by_hand: Sequence[Alignment]) -> bool:
    for own in by_hand:
        centre = np.array([*own.motion.about_px, 1.0])
        off = own.motion.matrix() @ centre - common.motion.matrix() @ centre
        if np.hypot(*off) > AGREEMENT * max(common.motion.length_px, 1.0):
            return False
    return True


def _told(name: str, old: Camera, new: Camera, found: Alignment) -> MendedCamera:
    turn = Rotation.from_matrix(new.R_cam_world @ old.R_cam_world.T).as_rotvec()
    return MendedCamera(
        name,
        1e3 * float(np.linalg.norm(turn)),
        1e3 * float(turn[2]),
        found.motion.length_px,
        found.motion.scale,
        found.misfit_before,
        found.misfit_after,
    )

"""What each joint's place rests on: the cameras that see it, and how well their pictures constrain it.

The terms that compare pictures are linearised where the fit ended (`optimizers.information`). With A_t a term's
curvature in the variables and v_t the mean square of its residuals, both weighted as in the objective,

    H = sum_t A_t / (v_t PIXELS_A_SAMPLE) + diag(1 / spread^2),    Cov(joint) = J H^-1 J^T.

What no picture knows is as unsure as it was before: a spread is how far off an annotation may be. H couples frames
by the shape alone; the priors' own curvature is left out, which is on the safe side.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from handrefine.hand.model import HandGeometry
from handrefine.losses.base import CameraWeighting, Iterate
from handrefine.losses.norms import reweighting
from handrefine.losses.objective import Objective
from handrefine.observations import Observations
from handrefine.optimizers.information import counted, vertex_information
from handrefine.optimizers.picture_motion import Linearised, linearised, picture_gradient
from handrefine.optimizers.surface_points import PointFinder, SurfacePoints
from handrefine.optimizers.vertex_metric import N_POSE, N_SHAPE, columns, jacobians
from handrefine.refinement.gauss_newton_stage import hit_query
from handrefine.refinement.problem import Problem
from handrefine.refinement.schedule import StageConfig
from handrefine.runs.result import JointEvidence
from handrefine.scene.variables import spreads
from handrefine.scene.video_model import Prediction, VideoHand

#: Pixels whose residuals count as one, since errors of the model reach over many; chosen on synthetic videos
#: (`benchmarks.evidence`).
PIXELS_A_SAMPLE = 320.0
#: Pixels of what moves with a joint from which on a camera sees the joint.
SEEN_PX = 4


def joint_evidence(
    problem: Problem,
    index: int,
    around: Observations,
    prediction: Prediction,
    seen: tuple[CameraWeighting, Sequence],
) -> JointEvidence:
    """The evidence of one hand.

    Args:
        index: the hand's among the problem's.
        around: the views around it. prediction: of these views, as the fit ended.
        seen: weights of the cameras and what is occluded, as in an iteration.
    """
    model = problem.model
    hand, geometry = model.hands[index], prediction.geometries[index]
    finder = PointFinder(model.hands, around.views, problem.runtime.device)
    objective = problem.objective(around, StageConfig(iterations=1))
    comparison = problem.compare(prediction, around)
    iterate = Iterate(model, prediction, comparison, *seen)
    points = _points(problem, finder, around, prediction)
    blocks = _by_variance(_of_pictures(problem, objective, iterate, around, finder), points)
    with torch.no_grad():
        information = vertex_information(blocks, points, prediction.coverage, int(finder.first_vertex[-1]))
        own = slice(int(finder.first_vertex[index]), int(finder.first_vertex[index + 1]))
        std_mm = 1e3 * joint_variance(hand, information.tensor[own] / PIXELS_A_SAMPLE).sqrt()
    return JointEvidence(std_mm.cpu().numpy(), _cameras(around, points, geometry, own.start))


def _points(problem: Problem, finder: PointFinder, around: Observations, prediction: Prediction) -> SurfacePoints:
    """The surface points of all pixels, and of those beside a contour."""
    model = problem.model
    with torch.no_grad():
        tells = hit_query(problem.new_renderer(problem.config.render, around.views))
        hits = tells.first_hits(model.surfaces(prediction.geometries))
        source = None if model.rotations is None else model.rotations.sources(around)
        return finder.find(hits, prediction.geometries, beside_px=1, source=source)


def _of_pictures(
    problem: Problem, objective: Objective, iterate: Iterate, around: Observations, finder: PointFinder
) -> list[Linearised]:
    """The blocks of residuals that depend on pictures."""
    protect = problem.config.losses.protect_texture
    gradient = picture_gradient(iterate.prediction, around, finder.stack)
    blocks = linearised(objective, iterate, around, gradient, protect=protect)
    return [of for of in blocks if of.motion is not None]


def _by_variance(blocks: Sequence[Linearised], points: SurfacePoints) -> list[Linearised]:
    """Every block in units of the mean square of its residuals where the hand is."""
    scaled = []
    for of in blocks:
        block = of.block
        difference = block.difference[points.pixel]
        square = (reweighting(block.norm, difference) * difference.square()).sum(dim=1)
        weight = torch.ones_like(square) if block.weight is None else block.weight[points.pixel]
        counts = (weight > 0).sum()
        mean = float((weight * square).sum() / counts.clamp(min=1))
        if mean > 0:
            unit = of.scale * block.scale / counted(block)
            scaled.append(replace(of, scale=of.scale / (unit * mean)))
    return scaled


def joint_variance(hand: VideoHand, tensor: Float[Tensor, "vertex 3 3"]) -> Float[Tensor, "frame 21"]:
    """The trace of every joint's covariance, m^2; frames are eliminated before the shape that they share.

    tensor: of every vertex and frame, 1 / m^2.
    """
    of_verts, of_joints = jacobians(hand)
    n_frames, n = len(of_verts), N_POSE + N_SHAPE  # a personal surface moves no joint
    of_verts, of_joints = of_verts[..., :n], of_joints.flatten(1, 2)
    by_vertex = of_verts.reshape(n_frames, -1, 3, n)
    form = of_verts.mT @ (tensor.reshape(n_frames, -1, 3, 3) @ by_vertex).flatten(1, 2)
    known = {name: 1 / spreads()[name] ** 2 for name in columns()}
    prior = torch.cat([form.new_full((of.stop - of.start,), known[name]) for name, of in columns().items()])
    alone = hand.pose.shape.ndim == 2
    own, shape = slice(0, n if alone else N_POSE), slice(n if alone else N_POSE, n)
    factor = torch.linalg.cholesky(form[:, own, own] + torch.diag(prior[own]))
    moved = torch.cholesky_solve(of_joints[..., own].mT, factor)
    variance = (of_joints[..., own].mT * moved).sum(dim=1)
    if not alone:
        coupling = torch.cholesky_solve(form[:, own, shape], factor)
        left = form[:, shape, shape].sum(dim=0) + torch.diag(prior[shape])
        left = left - (form[:, own, shape].mT @ coupling).sum(dim=0)
        through = of_joints[..., shape] - of_joints[..., own] @ coupling
        variance = variance + (through * torch.linalg.solve(left, through.mT).mT).sum(dim=2)
    return variance.reshape(n_frames, 21, 3).sum(dim=2)


def _cameras(
    around: Observations, points: SurfacePoints, geometry: HandGeometry, first_vertex: int
) -> Int[np.ndarray, "frame 21"]:
    """From how many cameras at least `SEEN_PX` pixels show what is nearest to a joint."""
    verts, joints = geometry.verts_world, geometry.joints_world
    nearest = torch.cdist(verts, joints).argmin(dim=2).flatten()
    vertex = points.corners[:, 0] - first_vertex
    ours = points.own & (vertex >= 0) & (vertex < len(nearest))
    # Two views of one camera at one frame do not exist, so that views are counted.
    n_views, n_joints = len(around.keys), joints.shape[1]
    frame = torch.div(vertex[ours], verts.shape[1], rounding_mode="floor")
    place = (frame * n_joints + nearest[vertex[ours]]) * n_views + points.view[ours]
    shown = torch.bincount(place, minlength=joints.shape[0] * n_joints * n_views)
    seen = (shown.reshape(-1, n_joints, n_views) >= SEEN_PX).sum(dim=2)
    return seen.cpu().numpy()

"""Image-space derivatives: residuals as pictures move, and the curvature of what needs no picture."""

import numpy as np
import pytest
import torch
from made_iterates import iterate_of, pose_of, prediction_of, setup_of, video_hand
from made_observations import SIZE, observations

from handrefine.losses.base import Iterate, LossTerm, Residuals, TermConfig
from handrefine.losses.data import DataConfig
from handrefine.losses.edge import EdgeConfig
from handrefine.losses.joint_limits import JointLimitsConfig
from handrefine.losses.norms import PixelNorm, Squared, absolute, reweighting
from handrefine.losses.objective import Objective
from handrefine.losses.silhouette import SilhouetteConfig
from handrefine.losses.usual_shape import UsualShapeConfig
from handrefine.losses.view_stack import ViewStack
from handrefine.optimizers.picture_motion import PictureGradient, linearised
from handrefine.optimizers.prior_curvature import priors

TERMS: dict[str, TermConfig] = {"data": DataConfig(), "silhouette": SilhouetteConfig(), "edge": EdgeConfig()}


def test_gradients_of_views_of_several_sizes_stop_at_their_borders() -> None:
    sizes = [(5, 7), (8, 4)]
    stack = ViewStack(sizes)
    ramps = [torch.arange(h)[:, None] * 2.0 + torch.arange(w) * 3.0 for h, w in sizes]
    gradient = stack.gradient(torch.cat([ramp.flatten() for ramp in ramps])[:, None])[:, 0]
    for (h, w), part in zip(sizes, gradient.split([35, 32]), strict=True):
        x, y = part.reshape(h, w, 2).unbind(dim=2)
        assert (x[:, 1:-1] == 3).all()
        assert (y[1:-1] == 2).all()
        assert (x[:, [0, -1]] == 0).all()
        assert (y[[0, -1]] == 0).all()


@pytest.mark.parametrize("norm", [PixelNorm(), PixelNorm(norm="l2"), Squared(0.1), absolute])
def test_the_square_touches_the_norm_where_it_is_taken(norm) -> None:
    difference = torch.tensor([[0.3], [-0.7], [0.2]], requires_grad=True)
    (slope,) = torch.autograd.grad(norm(difference).sum(), difference)
    torch.testing.assert_close(reweighting(norm, difference) * difference.detach(), slope)


def test_residuals_are_differentiated_in_the_motion_of_pictures() -> None:
    """Against residuals of pictures that have changed by a small multiple of the tangent."""
    seen = observations()
    iterate = iterate_of([video_hand(pose_of(np.zeros((1, 48))))], prediction=prediction_of(0.9 * seen.target))
    generator, n = torch.Generator().manual_seed(0), len(seen.target)
    gradient = PictureGradient(
        0.1 * torch.randn(n, 3, 2, generator=generator), 0.1 * torch.randn(n, 1, 2, generator=generator)
    )
    objective = Objective.build(TERMS, setup_of(iterate.model.hands))
    blocks = list(linearised(objective, iterate, seen, gradient, protect=False))
    assert [of.term for of in blocks] == ["data", "silhouette", "edge"]
    assert [of.paintable for of in blocks] == [True, False, True]
    of, step = iterate.prediction, 1e-2
    for axis in range(2):
        moved = prediction_of(of.hand_rgb)
        moved = type(moved)(
            of.geometries,
            of.hand_rgb + step * gradient.hand_rgb[..., axis],
            of.coverage + step * gradient.by_hand[:, 0, axis],
            of.by_hand + step * gradient.by_hand[..., axis],
        )
        after = iterate_of(iterate.model.hands, prediction=moved)
        for linear in blocks[:2]:
            (block,) = objective.terms[linear.term].residuals(after)
            assert linear.motion is not None
            torch.testing.assert_close(
                linear.motion[..., axis], (block.difference - linear.block.difference) / step, rtol=0, atol=1e-4
            )


def test_pictures_move_twice_and_what_needs_no_picture_is_asked_once() -> None:
    """A direction costs a forward derivative of every term that reads pictures, and of no other."""
    seen = observations()
    iterate = iterate_of([video_hand(pose_of(np.zeros((1, 48))))], prediction=prediction_of(seen.target))
    objective = Objective.build({**TERMS, "limits": JointLimitsConfig()}, setup_of(iterate.model.hands))
    counted = {name: Counted(term) for name, term in objective.terms.items()}
    n = len(seen.target)
    gradient = PictureGradient(torch.ones(n, 3, 2), torch.ones(n, 1, 2))
    list(linearised(Objective(counted, objective.weights), iterate, seen, gradient, protect=False))
    assert {name: term.asked for name, term in counted.items()} == {
        "data": 2, "silhouette": 2, "edge": 2, "limits": 1,
    }  # fmt: skip


class Counted:
    """A term that counts how often it is asked."""

    def __init__(self, term: LossTerm) -> None:
        self._term, self.asked = term, 0
        self.reads, self.judges_frames = term.reads, term.judges_frames

    def residuals(self, iterate: Iterate) -> list[Residuals]:
        self.asked += 1
        return self._term.residuals(iterate)


def test_joint_limits_and_shapes_have_their_exact_curvature() -> None:
    hand = video_hand(pose_of(np.full((2, 48), 0.9)))
    with torch.no_grad():
        hand.pose.shape.fill_(0.5)
    iterate = iterate_of([hand])
    terms: dict[str, TermConfig] = {"limits": JointLimitsConfig(), "shape": UsualShapeConfig()}
    objective = Objective.build(terms, setup_of([hand]))
    nothing = PictureGradient(torch.zeros(4 * SIZE**2, 3, 2), torch.zeros(4 * SIZE**2, 1, 2))
    blocks = list(linearised(objective, iterate, observations(), nothing, protect=False))
    parameters = [hand.pose.articulation, hand.pose.shape]
    found = priors(blocks, parameters, seed=0)
    for k, parameter in enumerate(parameters):
        here = torch.stack(list(objective(iterate).values())).sum()
        (slope,) = torch.autograd.grad(here, parameter, create_graph=True, retain_graph=True)
        (curvature,) = torch.autograd.grad(slope.sum(), parameter, retain_graph=True)
        torch.testing.assert_close(found.gradient[k], slope.detach())
        torch.testing.assert_close(found.curvature[k], curvature)
        assert (curvature > 0).any()

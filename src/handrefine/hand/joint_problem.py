"""The least-squares problem of a fit to joints, and its solution by Levenberg and Marquardt."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from handrefine.hand.anatomy import PosePrior, shape_residuals
from handrefine.hand.joint_conventions import JointConvention
from handrefine.hand.model import HandModel


@dataclass(frozen=True, eq=False)
class JointProblem:
    """Targets and priors; the unknowns are (pose 48, translation 3) a frame, and one person.

    A person is a shape of 10, and 21 freedoms of the joints along their bones where the convention has them.
    """

    model: HandModel
    prior: PosePrior
    convention: JointConvention
    target: Float[Tensor, "frame 21 3"]
    valid: Float[Tensor, "frame 21"]

    def nobody(self) -> Float[Tensor, " person"]:
        """The average person."""
        return self.target.new_zeros(10 + 21 * self.convention.is_free)

    def joints(
        self, state: Float[Tensor, "frame 51"], person: Float[Tensor, " person"]
    ) -> Float[Tensor, "frame 21 3"]:
        x = self.model.joints(state[:, :48], person[:10].expand(len(state), -1), state[:, 48:])
        return self.convention.seen(x, person[10:] if self.convention.is_free else None)

    def distances(
        self, state: Float[Tensor, "frame 51"], person: Float[Tensor, " person"]
    ) -> Float[Tensor, "frame 21"]:
        return torch.linalg.norm(self.joints(state, person) - self.target, dim=-1)

    def residuals(
        self, state: Float[Tensor, "51"], person: Float[Tensor, " person"], target: Tensor, weight: Tensor
    ) -> Float[Tensor, " residual"]:
        """One frame's weighted joint residuals and pose prior."""
        data = (self.joints(state[None], person)[0] - target) * weight[:, None]
        return torch.cat([data.ravel(), self.prior.residuals(state[3:48])])

    @staticmethod
    def of_person(person: Float[Tensor, " person"]) -> Float[Tensor, " residual"]:
        """The prior of a person: the shape's, and a unit Gaussian of the freedoms."""
        return torch.cat([shape_residuals(person[:10]), person[10:]])


def trust(distance: Tensor, scale: float) -> Tensor:
    """Weight of Geman and McClure's estimator `rho = d^2 c^2 / (c^2 + d^2)`."""
    return (scale**2 / (scale**2 + distance.square())).square()


def levenberg_marquardt(
    problem: JointProblem, state: Tensor, person: Tensor, scale: float, noise: float, iterations: int
) -> tuple[Tensor, Tensor]:
    def cost(state: Tensor, person: Tensor) -> float:
        d = problem.distances(state, person).square()
        prior = torch.func.vmap(problem.prior.residuals)(state[:, 3:48]).square().sum()
        robust = problem.valid * d * scale**2 / (d + scale**2)
        return float(robust.sum() / noise**2 + prior + problem.of_person(person).square().sum())

    damping, now = 1e-3, cost(state, person)
    for _ in range(iterations):
        system = _normal_equations(problem, state, person, scale, noise)
        while damping < 1e6:
            step, person_step = _schur_solve(*system, damping)
            new = cost(state + step, person + person_step)
            if new < now:
                break
            damping *= 10
        else:
            break
        gain, now = now - new, new
        state, person, damping = state + step, person + person_step, max(damping / 10, 1e-9)
        if gain < 1e-6 * (1 + now):
            break
    return state, person


def _normal_equations(
    problem: JointProblem, state: Tensor, person: Tensor, scale: float, noise: float
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    """Blocks of the reweighted `J^T J` and `J^T r`: pose-pose, pose-person, person-person; pose, person."""
    trusted = trust(problem.distances(state, person), scale)
    weight = (problem.valid * trusted).sqrt() / noise
    arguments = (state, person, problem.target, weight)
    jacobian = torch.func.jacfwd(problem.residuals, argnums=(0, 1))
    Jp, Js = torch.func.vmap(jacobian, in_dims=(0, None, 0, 0))(*arguments)
    r = torch.func.vmap(problem.residuals, in_dims=(0, None, 0, 0))(*arguments)[..., None]
    K, rs = torch.func.jacfwd(problem.of_person)(person), problem.of_person(person)
    return (
        Jp.mT @ Jp,
        Jp.mT @ Js,
        (Js.mT @ Js).sum(0) + K.T @ K,
        (Jp.mT @ r)[..., 0],
        (Js.mT @ r).sum(0)[:, 0] + K.T @ rs,
    )


def _schur_solve(
    A: Tensor, B: Tensor, C: Tensor, a: Tensor, c: Tensor, damping: float
) -> tuple[Float[Tensor, "frame 51"], Float[Tensor, " person"]]:
    """Solves `[A B; B^T C] (x, s) = -(a, c)`, A block-diagonal over frames, diagonals raised by the damping."""
    A = A + damping * torch.diag_embed(A.diagonal(dim1=-2, dim2=-1))
    C = C + damping * torch.diag(C.diagonal())
    solved = torch.linalg.solve(A, torch.cat([B, a[..., None]], dim=-1))
    inverse_B, inverse_a = solved[..., :-1], solved[..., -1]
    person_step = torch.linalg.solve(
        C - (B.mT @ inverse_B).sum(0), -c + (B.mT @ inverse_a[..., None]).sum(0)[:, 0]
    )
    return -inverse_a - inverse_B @ person_step, person_step

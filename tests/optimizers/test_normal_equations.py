"""The linear system of a Gauss-Newton step, and the texture that is eliminated from it."""

import pytest
import torch

from handrefine.optimizers.normal_equations import Absorbed, NormalEquations, slipping
from handrefine.optimizers.vertex_metric import Motion, in_blocks

FRAMES, VERTICES, OWN, SHARED = 3, 40, 51, 10


def positive(*shape: int, seed: int) -> torch.Tensor:
    root = torch.randn(*shape, shape[-1], generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return root @ root.mT


def jacobian() -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randn(FRAMES, 3 * VERTICES, OWN + SHARED, generator=generator, dtype=torch.float64)


def axes() -> torch.Tensor:
    generator = torch.Generator().manual_seed(3)
    return torch.linalg.qr(torch.randn(FRAMES, VERTICES, 3, 3, generator=generator, dtype=torch.float64))[0]


def dense(rows: torch.Tensor) -> torch.Tensor:
    """All columns side by side: those of every frame, then the shape's, summed."""
    own = rows[..., :OWN].permute(1, 0, 2).flatten(1)
    return torch.cat([own, rows[..., OWN:].sum(dim=0)], dim=1)


def test_the_texture_takes_away_what_it_can_follow() -> None:
    """Against the least-squares problem with the slip as further unknowns, solved for it."""
    J, skin, R = jacobian(), positive(FRAMES, VERTICES, 3, seed=1), axes()
    rows = dense(slipping(J, skin, R, share=1.0, alone=False))
    change = torch.randn(rows.shape[1], generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    own, shape = change[: FRAMES * OWN].reshape(FRAMES, OWN), change[FRAMES * OWN :]
    moved = (J @ torch.cat([own, shape.expand(FRAMES, SHARED)], dim=1)[..., None]).reshape(FRAMES, VERTICES, 3)
    without = torch.einsum("fvi,fvij,fvj->", moved, skin, moved)
    along = R[..., :2]
    total = (along.mT @ skin @ along).sum(dim=0)
    slip = torch.linalg.solve(total, (along.mT @ skin @ moved[..., None]).sum(dim=0)[..., 0])
    left = moved - (along @ slip[None, ..., None])[..., 0]
    with_slip = torch.einsum("fvi,fvij,fvj->", left, skin, left)
    assert float(without - (rows @ change).square().sum()) == pytest.approx(float(with_slip), rel=5e-3)


@pytest.mark.parametrize("share", [0.5, 0.95])
def test_conjugate_gradients_solve_the_system_with_the_texture(share: float) -> None:
    J, skin = jacobian(), positive(FRAMES, VERTICES, 3, seed=1)
    A = skin + 0.5 * positive(FRAMES, VERTICES, 3, seed=4)
    form = J.mT @ (A @ J.reshape(FRAMES, VERTICES, 3, -1)).reshape(J.shape)
    rows = slipping(J, skin, axes(), share=share, alone=False)
    part = Absorbed(slice(0, FRAMES), rows[..., :OWN], rows[..., OWN:].sum(dim=0))
    ones = Motion(torch.ones(FRAMES, OWN).double(), torch.ones(SHARED).double())
    equations = NormalEquations(in_blocks(form, torch.zeros(FRAMES, 21, 3, 61), alone=False), ones, (part,))
    generator = torch.Generator().manual_seed(5)
    gradient = Motion(
        torch.randn(FRAMES, OWN, generator=generator).double(), torch.randn(SHARED, generator=generator).double()
    )
    solution = equations.solve(gradient)
    H = torch.zeros(FRAMES * OWN + SHARED, FRAMES * OWN + SHARED, dtype=torch.float64)
    for f in range(FRAMES):
        columns = [*range(OWN * f, OWN * f + OWN), *range(FRAMES * OWN, FRAMES * OWN + SHARED)]
        H[torch.tensor(columns)[:, None], torch.tensor(columns)] += form[f]
    full = H + torch.eye(len(H)) - dense(rows).T @ dense(rows)
    expected = torch.linalg.solve(full, -torch.cat([gradient.own.flatten(), gradient.shared]))
    found = torch.cat([solution.own.flatten(), solution.shared])
    assert float((found - expected).norm() / expected.norm()) < 0.01


def test_frames_alone_are_solved_one_by_one() -> None:
    form = positive(FRAMES, 61, seed=6)
    blocks = in_blocks(form, torch.zeros(FRAMES, 21, 3, 61), alone=True)
    diagonal = Motion(torch.ones(FRAMES, 61).double(), torch.zeros(0).double())
    gradient = Motion(torch.randn(FRAMES, 61, generator=torch.Generator().manual_seed(7)).double(), torch.zeros(0))
    found = NormalEquations(blocks, diagonal).solve(gradient)
    expected = -torch.linalg.solve(form + torch.eye(61), gradient.own[..., None])[..., 0]
    torch.testing.assert_close(found.own, expected)

"""Gradient and curvature of the terms that need no picture: limits, usual poses, time, penetration."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from handrefine.losses.norms import reweighting
from handrefine.optimizers.information import counted
from handrefine.optimizers.picture_motion import Linearised

#: Random vectors of an estimate; for terms whose residuals have one parameter each a single one is exact.
PROBES = 4


@dataclass(frozen=True, eq=False)
class Priors:
    """Of every parameter its gradient and the diagonal of the Gauss-Newton matrix, in the parameters' shapes."""

    gradient: list[Tensor]
    curvature: list[Tensor]


def priors(blocks: Iterable[Linearised], parameters: Sequence[nn.Parameter], seed: int) -> Priors:
    """Differentiate the blocks that depend on parameters directly, whatever they are.

    The diagonal of `J^T Q J`, with Q the weights times the norms' reweighting, is the mean of `(J^T Q^(1/2) z)^2`
    over random signs z (Bekas, Kokiopoulou and Saad 2007): exact where no residual has two parameters, as with
    joint limits.
    """
    gradient = [torch.zeros_like(p) for p in parameters]
    curvature = [torch.zeros_like(p) for p in parameters]
    of_parameters = [of for of in blocks if of.motion is None and of.block.difference.requires_grad]
    if not of_parameters:
        return Priors(gradient, curvature)
    _add(gradient, torch.stack([of.scale * of.block.value() for of in of_parameters]).sum(), parameters)
    generator = torch.Generator().manual_seed(seed)
    roots = [_root(of) for of in of_parameters]
    for _ in range(PROBES):
        signs = [torch.randint(2, root.shape, generator=generator).to(root) * 2 - 1 for root in roots]
        probe = torch.stack(
            [
                (of.block.difference * root * z).sum()
                for of, root, z in zip(of_parameters, roots, signs, strict=True)
            ]
        ).sum()
        found = [torch.zeros_like(p) for p in parameters]
        _add(found, probe, parameters)
        for total, of in zip(curvature, found, strict=True):
            total.add_(of.square(), alpha=1 / PROBES)
    return Priors(gradient, curvature)


def _root(of: Linearised) -> Tensor:
    """The square root of every residual's weight times its norm's reweighting."""
    block = of.block
    weight = of.scale * block.scale / counted(block) * reweighting(block.norm, block.difference)
    if block.weight is not None:
        weight = weight * block.weight[:, None]
    return weight.clamp(min=0).sqrt().detach()


def _add(sums: list[Tensor], value: Tensor, parameters: Sequence[nn.Parameter]) -> None:
    for total, of in zip(
        sums, torch.autograd.grad(value, parameters, retain_graph=True, allow_unused=True), strict=True
    ):
        if of is not None:
            total.add_(of)

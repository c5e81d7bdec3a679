"""The system of equations of one Gauss-Newton step, and its solution."""

from dataclasses import dataclass

import torch
from torch import Tensor

from handrefine.optimizers.normal_equations import Absorbed, NormalEquations
from handrefine.optimizers.vertex_metric import Motion, VertexMetric
from handrefine.state import State

#: A variable that stands still is held by so many times the system's mean curvature.
HELD = 1e9


@dataclass(frozen=True, eq=False)
class System:
    """H, G, g and the priors' curvature of one group."""

    curvature: VertexMetric
    metric: VertexMetric
    gradient: Motion
    of_priors: Motion
    absorbed: tuple[Absorbed, ...]

    def state(self) -> State:
        absorbed = [
            {"frames": [of.frames.start, of.frames.stop], "own": of.own, "shared": of.shared}
            for of in self.absorbed
        ]
        parts = {name: getattr(self, name).state() for name in ("curvature", "metric", "gradient", "of_priors")}
        return {**parts, "absorbed": absorbed}

    @staticmethod
    def from_state(state: State, device: torch.device) -> "System":
        curvature, metric = (VertexMetric.from_state(state[name], device) for name in ("curvature", "metric"))
        gradient, of_priors = (Motion.from_state(state[name], device) for name in ("gradient", "of_priors"))
        absorbed = [
            Absorbed(slice(*of["frames"]), of["own"].to(device), of["shared"].to(device))
            for of in state["absorbed"]
        ]
        return System(curvature, metric, gradient, of_priors, tuple(absorbed))

    def solve(self, damping: float, stiffness: Motion) -> Motion:
        """The step.

        stiffness: D beside G; infinite for variables that do not move.
        """
        h, g = self.curvature, self.metric
        translation = h.blocks[:, 3:6, 3:6].diagonal(dim1=1, dim2=2)
        # The mean curvature against a unit of mean squared vertex motion, over all frames or at each.
        mean = max(float(translation.sum() / 3 / (1 if len(h.shared) else len(translation))), 1e-12)
        weight = damping * mean

        def diagonal(of_metric: Tensor, of_priors: Tensor) -> Tensor:
            return torch.where(torch.isinf(of_metric), HELD * mean, weight * of_metric + of_priors)

        both = Motion(
            diagonal(stiffness.own, self.of_priors.own), diagonal(stiffness.shared, self.of_priors.shared)
        )
        whole = VertexMetric(
            h.blocks + weight * g.blocks, h.coupling + weight * g.coupling, h.shared + weight * g.shared, h.joints
        )
        return NormalEquations(whole, both, self.absorbed).solve(self.gradient)

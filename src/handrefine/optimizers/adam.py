"""Adam at the rates of the table of variables, with care for texels that the images hardly show."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch

from handrefine.scene.video_model import Unknowns
from handrefine.state import State


class Adam:
    """Adam (Kingma and Ba 2015), one rate a variable (section 3.6)."""

    def __init__(self, model: Unknowns, names: Sequence[str], rates: Mapping[str, float]) -> None:
        groups = [
            {"params": model.parameters_of(name), "lr": 0.0, "rate": rates[name]}
            for name in names
            if name != "texture"
        ]
        levels = model.parameters_of("texture") if "texture" in names else ()
        groups += [{"params": [level], "lr": 0.0, "rate": rates["texture"]} for level in levels]
        self._n_levels = len(levels)
        self._adam = torch.optim.Adam(groups, fused=True) if groups else None

    def step(self, factor: float) -> None:
        """One step at this share of the full rates."""
        if self._adam is not None:
            self._calm_faint_texels(self._adam)
            for group in self._adam.param_groups:
                group["lr"] = group["rate"] * factor
            self._adam.step()
            # The fused step changes parameters unseen: what was made of their last version would count as current.
            for group in self._adam.param_groups:
                for parameter in group["params"]:
                    torch.autograd.graph.increment_version(parameter)

    def state(self) -> State:
        """The averages of every parameter that has moved, by its number, and each group's epsilon."""
        if self._adam is None:
            return {}
        averages = {str(number): of for number, of in self._adam.state_dict()["state"].items()}
        return {"averages": averages, "epsilon": [group["eps"] for group in self._adam.param_groups]}

    def load_state(self, state: State) -> None:
        """Go on from there."""
        if self._adam is None:
            return
        parameters = [parameter for group in self._adam.param_groups for parameter in group["params"]]
        found = state["averages"].items()
        averages = {int(number): _laid_out(of, parameters[int(number)]) for number, of in found}
        self._adam.load_state_dict({**self._adam.state_dict(), "state": averages})
        for group, epsilon in zip(self._adam.param_groups, state["epsilon"], strict=True):
            group["eps"] = epsilon

    def _calm_faint_texels(self, adam: torch.optim.Adam) -> None:
        """Let texels that the images hardly show take small steps.

        Adam scales every texel's gradient to full steps, also where it is a trace of light reflected between
        fingers or comes from one glancing pixel, and mostly noise. With the level's root mean square gradient
        added to its denominator such a texel follows its coarser levels instead.
        """
        for group in adam.param_groups[len(adam.param_groups) - self._n_levels :]:
            (level,) = group["params"]
            if level.grad is not None:
                mean_square = level.grad.square().sum() / level.grad.count_nonzero().clamp(min=1)
                group["eps"] = max(float(mean_square.sqrt()), 1e-30)


def _laid_out(averages: Mapping[str, Any], parameter: torch.Tensor) -> dict[str, Any]:
    """Averages in their parameter's order in memory, by which the fused step pairs them."""
    return {
        name: torch.empty_like(parameter).copy_(of) if torch.is_tensor(of) and of.shape == parameter.shape else of
        for name, of in averages.items()
    }

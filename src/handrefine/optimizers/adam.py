"""Adam at the rates of the table of variables, with care for texels that the images hardly show."""

from collections.abc import Mapping, Sequence

import torch

from handrefine.scene.video_model import VideoModel


class Adam:
    """Adam (Kingma and Ba 2015), one rate a variable (section 3.6)."""

    def __init__(self, model: VideoModel, names: Sequence[str], rates: Mapping[str, float]) -> None:
        groups = [
            {"params": model.parameters_of(name), "lr": 0.0, "rate": rates[name]}
            for name in names
            if name != "texture"
        ]
        levels = model.parameters_of("texture") if "texture" in names else ()
        self._levels = [{"params": [level], "lr": 0.0, "rate": rates["texture"]} for level in levels]
        groups += self._levels
        self._adam = torch.optim.Adam(groups, fused=True) if groups else None

    def step(self, factor: float) -> None:
        """One step at this share of the full rates."""
        self._calm_faint_texels()
        if self._adam is not None:
            for group in self._adam.param_groups:
                group["lr"] = group["rate"] * factor
            self._adam.step()

    def _calm_faint_texels(self) -> None:
        """Let texels that the images hardly show take small steps.

        Adam scales every texel's gradient to full steps, also where it is a trace of light reflected between
        fingers or comes from one glancing pixel, and mostly noise. With the level's root mean square gradient
        added to its denominator such a texel follows its coarser levels instead.
        """
        for group in self._levels:
            (level,) = group["params"]
            if level.grad is not None:
                mean_square = level.grad.square().sum() / level.grad.count_nonzero().clamp(min=1)
                group["eps"] = max(float(mean_square.sqrt()), 1e-30)

"""Camera weights while a refinement runs: measured from its predictions, renewed every few iterations."""

import logging
from collections.abc import Iterable, Sequence
from dataclasses import asdict

import numpy as np
import torch
from jaxtyping import Float
from pydantic import ConfigDict, NonNegativeFloat, PositiveInt
from pydantic import dataclasses as typed
from torch import Tensor

from handrefine.losses.comparison import Comparison
from handrefine.observations import Observations
from handrefine.refinement.camera_evidence import CameraEvidence, CameraTrust, camera_trust
from handrefine.refinement.colour_misfit import ColourMoments
from handrefine.scene.video_model import Prediction
from handrefine.state import State

log = logging.getLogger(__name__)
#: Coverage from which on a pixel's colour is the hand's.
COVERED = 0.5


@typed.dataclass(frozen=True, kw_only=True, config=ConfigDict(extra="forbid"))
class CameraWeightsConfig:
    """Which cameras are believed."""

    enabled: bool = True
    """Give less weight to a camera that disagrees with the others or sees little of the hand."""
    every: PositiveInt = 10
    """Iterations between two measurements of the weights."""
    warn_below: NonNegativeFloat = 0.5
    """The run warns of a camera whose weight ends below this."""


class CameraWeights:
    """Weights of all cameras; 1 until they have been measured, and always where the configuration says so.

    Attributes:
        colour, silhouette: the weights, which photometric and silhouette terms multiply their pixels' weights by.
        trusts: the latest measurement.
    """

    def __init__(self, config: CameraWeightsConfig, camera_names: Sequence[str], device: torch.device) -> None:
        self._config, self._names, self._device = config, tuple(camera_names), device
        self.colour: Float[Tensor, " camera"] = torch.ones(len(camera_names), device=device)
        self.silhouette: Float[Tensor, " camera"] = self.colour
        self.trusts: list[CameraTrust] = [CameraTrust(name, 1.0, 1.0, 1.0, 1.0, None) for name in camera_names]
        self.visible_share: Float[np.ndarray, " camera"] = np.ones(len(camera_names))
        self._iteration = 0
        self._forget()

    def watch(self, prediction: Prediction, comparison: Comparison, seen: Observations, n_batches: int) -> None:
        """Take note of one iteration's prediction; renew the weights when all views have been seen and it is time.

        n_batches: iterations that it takes to see every view.
        """
        period = max(self._config.every, n_batches)
        self._iteration += 1
        if self._iteration % period > period - n_batches or self._iteration % period == 0:
            self._note(prediction, comparison, seen)
        if self._iteration % period == 0:
            self._renew()

    @torch.no_grad()
    def _note(self, prediction: Prediction, comparison: Comparison, seen: Observations) -> None:
        coverage, camera = prediction.coverage.detach(), seen.camera_of_pixel

        def total(values: Tensor) -> Tensor:
            return torch.bincount(camera, values.double(), minlength=len(self._names)).cpu()

        self._disagreeing += total((coverage - seen.hand_share).abs() * seen.silhouette_weight)
        self._labelled += total(seen.hand_share * seen.silhouette_weight)
        self._covered += total(coverage)
        self._comparable += total(coverage * seen.colour_weight)
        counted = (coverage > COVERED) & seen.measured
        self._moments.add(comparison.as_seen.detach(), comparison.target, counted, camera)

    def _renew(self) -> None:
        colour, refitted = self._moments.misfit()
        visible = np.nan_to_num(self.visible_share * _quotient(self._comparable, self._covered))
        evidence = CameraEvidence(
            silhouette=_quotient(self._disagreeing, self._labelled),
            colour=colour.numpy(),
            refitted=refitted.numpy(),
            visible=visible / max(float(np.nanmax(visible)), 1e-12),
        )
        self.trusts = camera_trust(self._names, evidence)
        self._forget()
        if self._config.enabled:
            # One row for both, moved to the device at once.
            weights = torch.tensor([[t.weight, t.silhouette_weight] for t in self.trusts], dtype=torch.float32)
            self.colour, self.silhouette = weights.to(self._device).unbind(dim=1)

    def _forget(self) -> None:
        zero = torch.zeros(len(self._names), dtype=torch.float64)
        self._disagreeing, self._labelled, self._covered, self._comparable = (zero.clone() for _ in range(4))
        self._moments = ColourMoments(len(self._names))

    def believe(self, cameras: Iterable[str]) -> None:
        """Let some cameras count fully again, until they are measured anew."""
        for name in cameras:
            k = self._names.index(name)
            self.colour, self.silhouette = self.colour.clone(), self.silhouette.clone()
            self.colour[k] = self.silhouette[k] = 1.0
        self._forget()

    def state(self) -> State:
        """The weights, what they were measured by, and what has been noted since."""
        return {
            "colour": self.colour,
            "silhouette": self.silhouette,
            "trusts": [asdict(trust) for trust in self.trusts],
            "visible_share": self.visible_share,
            "iteration": self._iteration,
            "noted": [self._disagreeing, self._labelled, self._covered, self._comparable],
            "moments": self._moments.state(),
        }

    def load_state(self, state: State) -> None:
        """Go on from there."""
        self.colour, self.silhouette = (state[name].to(self._device) for name in ("colour", "silhouette"))
        self.trusts = [CameraTrust(**trust) for trust in state["trusts"]]
        self.visible_share, self._iteration = state["visible_share"], state["iteration"]
        self._disagreeing, self._labelled, self._covered, self._comparable = state["noted"]
        self._moments.load_state(state["moments"])

    def warn(self) -> None:
        """Tell of the cameras whose final weight is low."""
        for trust in self.trusts:
            if trust.weight < self._config.warn_below:
                effect = (
                    f"it counts {trust.weight:.2f} of its pixels" if self._config.enabled else "it counts fully"
                )
                log.warning("camera %s: %s; %s", trust.camera, trust.reason, effect)


def _quotient(part: Tensor, whole: Tensor) -> Float[np.ndarray, " camera"]:
    return torch.where(whole > 0, part / whole.clamp(min=1e-12), torch.nan).numpy()

"""Several videos in one descent: their gradients add up, and one optimiser moves all of their unknowns."""

from collections.abc import Mapping, Sequence

from handrefine.optimizers.stage_optimizer import StageOptimizer
from handrefine.refinement.hooks import Stage
from handrefine.refinement.stages import DescentStage, MakeSteps, Steps
from handrefine.scene.shared_person import SeveralVideos
from handrefine.state import State


class JointDescent:
    """Minimises `sum_k w_k L_k` over all unknowns of videos k, some of which are one parameter.

    The objective of a video is a mean over what it shows, so that w_k is its number of views over their mean:
    every view counts as much as any other.

    Args:
        n_views: of every video.
    """

    def __init__(self, model: SeveralVideos, n_views: Sequence[int]) -> None:
        self._model, self._n_views = model, n_views
        self._optimizer: StageOptimizer | None = None

    def steps_of(self, index: int) -> MakeSteps:
        """Makes the steps of one video's stages; stages are begun, and iterate, in the order of the videos."""

        def make(stage: Stage, rates: Mapping[str, float]) -> Steps:
            if index == 0 or self._optimizer is None:
                optimizer = stage.problem.config.optimizer
                self._optimizer = StageOptimizer(self._model, stage.config.variables, rates, optimizer)
            n_videos = len(self._n_views)
            weight = self._n_views[index] * n_videos / sum(self._n_views)
            turn = _Turn(self._optimizer, first=index == 0, last=index == n_videos - 1)
            return DescentStage(stage, turn, weight)

        return make


class _Turn:
    """A video's turn at the common optimiser: the first clears the gradients, the last takes the step."""

    def __init__(self, optimizer: StageOptimizer, *, first: bool, last: bool) -> None:
        self._optimizer, self._first, self._last = optimizer, first, last

    def zero_grad(self) -> None:
        if self._first:
            self._optimizer.zero_grad()

    def step(self, factor: float) -> list[str]:
        return self._optimizer.step(factor) if self._last else []

    def state(self) -> State:
        return self._optimizer.state() if self._first else {}

    def load_state(self, state: State) -> None:
        if self._first:
            self._optimizer.load_state(state)

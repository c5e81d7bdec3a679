"""The verdict on a refined frame, without any truth: whether to use it, and how sure that is.

Two probabilities decide, each `1 / (1 + exp(-(w0 + sum_i w_i x_i)))` of the same figures x (`FIGURES`): that the
refined hand is nearer to the truth than the annotation was, and that it ends more than 5 mm (mean vertex error)
off. The weights were fitted on synthetic videos with known truth, some frames and cameras of which were spoiled,
by `python -m benchmarks.verdict --fit`; other videos judge them, see benchmarks/README.md.
"""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Literal

from handrefine.evaluation.frame_evidence import FrameEvidence, frame_evidence, median
from handrefine.runs.judgement import HeldOutReport
from handrefine.runs.result import Metrics, RunResult
from handrefine.sequence import FrameId, Side

Verdict = Literal["improved", "unchanged", "worse", "beyond repair"]
#: A frame is beyond repair where its hand ends so far off.
BEYOND_MM = 5.0
#: What is too small to matter: misfits and colour differences below it count as it.
LEAST_MISFIT, LEAST_COLOUR = 0.01, 0.005
#: What the std counts as where it is not known: its median over the videos that the weights were fitted on.
USUAL_STD_MM = 2.6
#: What the weights belong to, in this order; see `figures_of`.
FIGURES = (
    "misfit",
    "misfit_held_out",
    "misfit_change",
    "colour",
    "colour_change",
    "known",
    "moved",
    "jump",
    "std",
)
BEYOND = (-5.255, 0.924, 0.0, 0.778, 0.743, 0.0, -1.897, 2.842, 0.242, 2.443)
IMPROVED = (-0.629, 0.0, 0.0, -1.056, 0.0, -2.153, 1.881, 0.0, 0.0, 0.0)
#: From these probabilities on a frame is called beyond repair, improved or worse: a lost hand should not pass for
#: a found one, and what is called improved should be.
CALLED_BEYOND, CALLED_IMPROVED, CALLED_WORSE = 0.35, 0.85, 0.5


@dataclass(frozen=True)
class FrameVerdict:
    """What is said of one hand at one frame.

    confidence: probability that the verdict is right, as calibrated on synthetic videos.
    better, beyond: the two probabilities behind it.
    """

    frame: FrameId
    verdict: Verdict
    confidence: float
    better: float
    beyond: float
    evidence: FrameEvidence

    def to_mapping(self) -> dict[str, object]:
        return asdict(self)


def verdicts(evidence: Sequence[FrameEvidence]) -> list[FrameVerdict]:
    """The verdict on every frame of one hand of one run."""
    return [_verdict(of, x) for of, x in zip(evidence, figures_of(evidence), strict=True)]


def verdicts_by_hand(result: RunResult, report: HeldOutReport | None) -> dict[Side, list[Metrics]]:
    """The verdict on every frame of every hand of a result, as `verdict.json` holds it.

    Args:
        report: what cameras say that the fit never saw; None where none were held out.
    """
    unseen = {} if report is None else report.views
    return {
        hand.side: [
            {**of.to_mapping(), "filled": of.frame in hand.filled}
            for of in verdicts(frame_evidence(hand, unseen.get(hand.side, ())))
        ]
        for hand in result.hands
    }


def figures_of(evidence: Sequence[FrameEvidence]) -> list[tuple[float, ...]]:
    """The figures of every frame, in the order of `FIGURES`: logarithms of shares, so that 0 is usual.

    misfit, misfit_held_out: of the refined hand; what no camera was kept to tell is as of the fitted ones.
    misfit_change, colour_change: after against before. colour: against the median of the run's frames.
    known: share of the hand of which labels say something. moved: in units of 10 mm.
    jump: against the median of the run's frames, in units of 1 mm. std: in units of 1 mm.
    """
    colours = [_first(of.colour_held_out.after, of.colour.after) for of in evidence]
    usual = median(colours)
    jumps = [of.jump_mm.after for of in evidence]
    usual_jump = median(jumps) or 0.0
    found = []
    for of, colour, jump in zip(evidence, colours, jumps, strict=True):
        misfit = _first(of.misfit.after, of.misfit_held_out.after)
        held_out = _first(of.misfit_held_out.after, of.misfit.after)
        before = _first(of.misfit_held_out.before, of.misfit.before)
        colour_before = _first(of.colour_held_out.before, of.colour.before)
        found.append(
            (
                _log(misfit, LEAST_MISFIT),
                _log(held_out, LEAST_MISFIT),
                _log(held_out, LEAST_MISFIT) - _log(before, LEAST_MISFIT),
                _log(colour, LEAST_COLOUR) - _log(usual, LEAST_COLOUR),
                _log(colour, LEAST_COLOUR) - _log(colour_before, LEAST_COLOUR),
                1.0 if of.known is None else of.known,
                math.log1p(of.moved_mm / 10),
                0.0 if jump is None else math.log1p(max(jump - usual_jump, 0.0)),
                math.log1p(USUAL_STD_MM if of.std_mm is None else of.std_mm),
            )
        )
    return found


def _verdict(evidence: FrameEvidence, figures: Sequence[float]) -> FrameVerdict:
    better, beyond = probability(IMPROVED, figures), probability(BEYOND, figures)
    if beyond >= CALLED_BEYOND:
        verdict, sure = "beyond repair", beyond
    elif better >= CALLED_IMPROVED:
        verdict, sure = "improved", better
    elif 1 - better >= CALLED_WORSE:
        verdict, sure = "worse", 1 - better
    else:
        verdict, sure = "unchanged", better
    return FrameVerdict(evidence.frame, verdict, sure, better, beyond, evidence)


def probability(weights: Sequence[float], figures: Sequence[float]) -> float:
    """Of the logistic model."""
    z = weights[0] + sum(w * x for w, x in zip(weights[1:], figures, strict=True))
    return 1 / (1 + math.exp(-max(min(z, 50.0), -50.0)))


def _first(*values: float | None) -> float | None:
    return next((value for value in values if value is not None), None)


def _log(value: float | None, least: float) -> float:
    return 0.0 if value is None else math.log(max(value, least) / least)

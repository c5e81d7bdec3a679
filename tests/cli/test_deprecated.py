"""Old spellings of options still work, and are told."""

import pytest

from handrefine.cli.deprecated import renewed


@pytest.mark.parametrize(
    ("old", "today"),
    [
        (["demo", "--instants", "3", "--cameras=4"], ["demo", "--n-frames", "3", "--n-cameras=4"]),
        (["refine", "--instants-are", "independent"], ["refine", "--frame-coupling", "independent"]),
        (["refine", "--schedule.joint.iterations", "7"], ["refine", "--stages.joint.iterations", "7"]),
        (["refine", "--schedule.joint.views-per-instant=2"], ["refine", "--stages.joint.views-per-frame", "2"]),
        (["refine", "--schedule.joint.no-edges"], ["refine", "--stages.joint.skip-losses", "edge"]),
        (
            ["refine", "--schedule.finish.edges", "--seed", "1"],
            ["refine", "--stages.finish.skip-losses", "--seed", "1"],
        ),
        (["refine", "--trust.no-weigh", "--seed", "1"], ["refine", "--camera-weights.no-enabled", "--seed", "1"]),
        (["refine", "--objective.lambda-prior", "0"], ["refine", "--losses.temporal.weight", "0"]),
        (["refine", "--optimiser.geometry", "metric"], ["refine", "--optimizer.geometry", "vertex_metric"]),
        (["refine", "--render.backend", "wavefront"], ["refine", "--render.backend", "batched"]),
        (["refine", "--rates.texture", "0.01"], ["refine", "--learning-rates.texture", "0.01"]),
    ],
)
def test_an_old_spelling_becomes_todays(old: list[str], today: list[str]) -> None:
    found, messages = renewed(old)
    assert found == today
    assert messages


def test_todays_options_are_left_alone() -> None:
    line = ["refine", "--data", "DIR", "--cameras", "00,01", "--stages.joint.iterations", "3", "--overwrite"]
    assert renewed(line) == (line, [])

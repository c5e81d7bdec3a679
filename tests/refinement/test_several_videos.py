"""Several videos of one person in one descent: what is the person's is one, everything else each video's own."""

from pathlib import Path

import numpy as np
import pytest
from short_schedules import schedule

from handrefine.config import Config
from handrefine.config_files import changed, config_from_mapping
from handrefine.datasets.registry import read_dataset
from handrefine.errors import InputError, VideoError
from handrefine.refinement.checkpoints import Checkpoints
from handrefine.refinement.refine import Video, refine, refine_together
from handrefine.refinement.session import Session
from handrefine.runs.result import RunResult
from handrefine.sequence import HandSequence
from handrefine.synthetic.truth import SyntheticSettings
from handrefine.synthetic.video import synthesize

CONFIG = config_from_mapping(
    {
        "texture": {"size": 16},
        "crop": {"max_size_px": 48},
        "surface": {"modes": 6},
        "schedule": schedule(environment=1, texture=1, joint=3),
    }
)


@pytest.fixture(scope="module")
def videos(tmp_path_factory: pytest.TempPathFactory) -> list[HandSequence]:
    """Two of one person: of two frames and of one."""
    made = []
    for k in range(2):
        folder = tmp_path_factory.mktemp("video") / "data"
        settings = SyntheticSettings(
            n_cameras=2, n_frames=2 - k, size=48, texture_size=64, seed=1000 + k, person_seed=7
        )
        synthesize(folder, ("right",), settings, 10.0, Config(seed=1000 + k))
        made.append(read_dataset(folder))
    return made


def shape(of: RunResult) -> np.ndarray:
    return of.hand("right").after.mano.shape


def test_two_copies_of_a_video_find_together_what_one_finds_alone(videos: list[HandSequence]) -> None:
    alone = refine(videos[0], "right", CONFIG)
    both = refine_together([Video(sequence=videos[0])] * 2, CONFIG)
    before, after = (of.verts_world for of in (alone.hand("right").before, alone.hand("right").after))
    moved = np.abs(after - before).max()
    apart = [np.abs(of.hand("right").after.verts_world - after).max() for of in both]
    assert moved > 1e-3
    assert max(apart) < 0.01 * moved


def test_the_person_is_one_and_lights_are_two_and_a_stopped_run_goes_on(
    videos: list[HandSequence], tmp_path: Path
) -> None:
    together = [Video(sequence=of) for of in videos]
    first, second = refine_together(together, CONFIG)
    assert np.array_equal(shape(first)[0], shape(second)[0])
    for name in ("coefficients_m", "shape"):
        assert np.array_equal(*(getattr(of.hand("right").person, name) for of in (first, second)))
    assert np.abs(first.hand("right").person.coefficients_m).max() > 0
    assert np.array_equal(first.hand("right").textures, second.hand("right").textures)
    assert not np.allclose(first.light_coefficients, second.light_coefficients)
    assert [len(of.hand("right").frames) for of in (first, second)] == [2, 1]

    asked = iter([*[False] * 6, True])
    kept = Session(stop=lambda: next(asked), checkpoints=Checkpoints(tmp_path / "kept"))
    stopped = refine_together([Video(sequence=videos[0], session=kept), together[1]], CONFIG)
    assert [of.unfinished for of in stopped] == ["stopped in stage joint, after 4 iterations"] * 2
    kept = Session(checkpoints=Checkpoints(tmp_path / "kept", resume=True))
    again = refine_together([Video(sequence=videos[0], session=kept), together[1]], CONFIG)
    for one, other in zip(again, (first, second), strict=True):
        verts, wanted = (of.hand("right").after.verts_world for of in (one, other))
        assert np.allclose(verts, wanted, rtol=0, atol=1e-6)
        assert np.allclose(one.hand("right").textures, other.hand("right").textures, atol=1e-4)
        assert [of["iteration"] for of in one.records] == list(range(5))


def test_the_video_that_is_wrong_is_named(videos: list[HandSequence]) -> None:
    with pytest.raises(VideoError, match="left") as told:
        refine_together([Video(sequence=videos[0]), Video(sequence=videos[1], hands=("left",))], CONFIG)
    assert told.value.position == 1


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"optimizer": {"geometry": "gauss_newton"}}, "one video at a time"),
        ({"stages": {"joint": {"most_iterations": 9}}}, "in step"),
        ({"frame_coupling": "independent"}, "no person in common"),
    ],
)
def test_what_several_videos_cannot_do_is_refused(
    videos: list[HandSequence], changes: dict[str, object], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        refine_together([Video(sequence=of) for of in videos], changed(CONFIG, changes))

"""The typed configuration: defaults, YAML differences, and errors that say what to do."""

from pathlib import Path

import pytest
import yaml

from handrefine.config import Config, stages_of
from handrefine.config_files import config_from_mapping, config_to_mapping, load_config
from handrefine.errors import InputError

CONFIGS = Path(__file__).parents[1] / "configs"


def test_the_papers_preset_is_the_papers() -> None:
    config = load_config(CONFIGS / "paper.yaml")
    stages = [(name, stage.iterations) for name, stage in stages_of(config.schedule)]
    assert stages == [("environment", 10), ("texture", 10), ("joint", 80)]
    assert all(stage.views_per_frame is None and stage.resolution == 1 for _, stage in stages_of(config.schedule))
    assert all(stage.edges for _, stage in stages_of(config.schedule))
    assert config.optimiser.geometry == "adam"
    assert (config.rates.texture, config.rates.shape, config.rates.articulation) == (0.014, 0.003, 0.0087)
    assert (config.rates.rotation, config.rates.translation) == (0.0015, 0.0047)
    assert (config.rates.colour, config.rates.environment) == (0.001, 0.1)


def test_a_configuration_survives_yaml(tmp_path: Path) -> None:
    config = config_from_mapping({"render": {"spp": 9}, "schedule": {"joint": {"iterations": 3}}, "seed": 5})
    file = tmp_path / "config.yaml"
    file.write_text(yaml.safe_dump(config_to_mapping(config)))
    assert load_config(file) == config
    assert config.render.spp == 9
    assert config.schedule.joint.variables == Config().schedule.joint.variables


@pytest.mark.parametrize(
    ("differences", "words"),
    [
        ({"rendr": {}}, ("rendr", "did you mean render?")),
        ({"render": {"ssp": 1}}, ("render.ssp", "did you mean render.spp?")),
        ({"schedule": {"joint": {"iteration": 1}}}, ("did you mean schedule.joint.iterations?",)),
        ({"render": {"spp": 0}}, ("render.spp", "greater than 0")),
        ({"render": {"spp": "x"}, "light": {"order": 9}}, ("render.spp", "light.order")),
        ({"schedule": {"joint": {"variables": ["postion"]}}}, ("schedule.joint.variables.0", "translation")),
    ],
)
def test_every_fault_is_told_with_its_place(differences: dict, words: tuple[str, ...]) -> None:
    with pytest.raises(InputError) as error:
        config_from_mapping(differences)
    for word in words:
        assert word in str(error.value)


@pytest.mark.parametrize(("text", "word"), [("a: [", "not valid YAML"), ("- 1", "not a mapping")])
def test_a_broken_file_is_told(tmp_path: Path, text: str, word: str) -> None:
    file = tmp_path / "broken.yaml"
    file.write_text(text)
    with pytest.raises(InputError, match=word):
        load_config(file)


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read"):
        load_config(tmp_path / "absent.yaml")


def test_every_preset_is_valid() -> None:
    presets = sorted((Path(__file__).parents[1] / "configs").glob("*.yaml"))
    assert presets
    for preset in presets:
        load_config(preset)

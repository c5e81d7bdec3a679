"""The typed configuration: defaults, YAML differences, old names, and errors that say what to do."""

import logging
from pathlib import Path

import pytest
import yaml

from handrefine.config import Config
from handrefine.config_files import config_from_mapping, config_to_mapping, load_config
from handrefine.errors import InputError
from handrefine.losses.base import OF_IMAGES, OF_SILHOUETTES
from handrefine.preset import about, preset_names
from handrefine.refinement.check import check_config
from handrefine.refinement.schedule import ALL_VARIABLES
from handrefine.scene.variables import VARIABLES

CONFIGS = Path(__file__).parents[1] / "configs"
#: What every preset's objective is made of, and how much each term weighs: a term that is added to the defaults is
#: no part of those that name theirs, and a weight that changes there does not change the paper's.
OURS = {
    "data": 1.0,
    "silhouette": 1.0,
    "edge": 1.0,
    "temporal": 0.03,
    "joint_limits": 1e-3,
    "usual_pose": 1e-4,
    "usual_shape": 5e-4,
    "shape_limits": 1e-3,
    "usual_surface": 1e-3,
    "occluded": 0.01,
    "penetration": 1e-5,
    "colour_ridge": 1.0,
}
TERMS = {
    "dmvr": OURS,
    "quick": OURS,
    "real": OURS | {"usual_skin": 0.05},
    "second_order": OURS | {"usual_shape": 5e-6},
    "paper": {"data": 1.0, "silhouette": 1.0, "edge": 1.0, "temporal": 1.0},
    "smvr": {name: weight for name, weight in OURS.items() if name not in ("temporal", "usual_surface")},
}


def test_every_preset_has_the_terms_that_it_should_have() -> None:
    presets = {path.stem: load_config(path) for path in CONFIGS.glob("*.yaml")}
    chosen = {name: config.losses.chosen() for name, config in presets.items()}
    assert {name: {term: of.weight for term, of in terms.items()} for name, terms in chosen.items()} == TERMS
    assert {name: list(terms) for name, terms in chosen.items()} == {name: list(of) for name, of in TERMS.items()}
    for config in presets.values():
        check_config(config, [])
    paper = yaml.safe_load((CONFIGS / "paper.yaml").read_text())
    assert paper["losses"]["terms"] == list(TERMS["paper"])  # named, not what is left of the defaults


def test_the_papers_preset_is_the_papers() -> None:
    config = load_config(CONFIGS / "paper.yaml")
    assert {name: stage.iterations for name, stage in config.stages.items()} == {
        "environment": 10,
        "texture": 10,
        "joint": 80,
    }
    for stage in config.stages.values():
        assert (stage.views_per_frame, stage.resolution, stage.skip_losses) == (None, 1, ())
    assert config.losses.pixel.norm == "l1"
    assert config.losses.edge.contrast_px == 0
    assert (config.losses.temporal.weight, config.losses.temporal.order) == (1, 0)
    assert not config.camera_weights.enabled
    assert config.optimizer.geometry == "adam"
    rates = {"rotation": 0.0015, "translation": 0.0047, "articulation": 0.0087, "shape": 0.003}
    rates |= {"texture": 0.014, "environment": 0.1, "colour": 0.001}
    assert rates.items() <= config.learning_rates.items()


def test_settings_follow_the_table_of_variables() -> None:
    config = Config()
    assert config.learning_rates == {v.name: v.learning_rate for v in VARIABLES}
    assert set(ALL_VARIABLES) == {v.name for v in VARIABLES} - {"exposure", "calibration"}
    assert {v.name for v in VARIABLES} - set(OF_IMAGES) == set()
    assert set(OF_IMAGES) - set(OF_SILHOUETTES) == {"texture", "environment", "colour", "exposure"}
    spreads = {v.name: v.spread for v in VARIABLES if v.spread is not None}
    assert config.optimizer.vertex_metric.spread == spreads


def test_a_configuration_survives_yaml(tmp_path: Path) -> None:
    changes = {"render": {"spp": 9}, "stages": {"joint": {"iterations": 3}}, "seed": 5}
    config = config_from_mapping(changes)
    file = tmp_path / "config.yaml"
    file.write_text(yaml.safe_dump(config_to_mapping(config)))
    assert load_config(file) == config
    assert config.render.spp == 9
    assert config.stages["joint"].variables == Config().stages["joint"].variables
    quick = load_config(CONFIGS / "quick.yaml")
    assert config_from_mapping(config_to_mapping(quick)) == quick


def test_a_list_of_stages_says_which_there_are() -> None:
    polish = {"name": "polish", "iterations": 5, "variables": ["texture"]}
    config = config_from_mapping({"stages": [{"name": "texture"}, polish]})
    assert list(config.stages) == ["texture", "polish"]
    assert config.stages["texture"] == Config().stages["texture"]
    assert config.stages["polish"].variables == ("texture",)
    with pytest.raises(InputError, match="needs a name"):
        config_from_mapping({"stages": [{"iterations": 5}]})


@pytest.mark.parametrize(
    ("differences", "words"),
    [
        ({"rendr": {}}, ("rendr", "did you mean render?")),
        ({"render": {"ssp": 1}}, ("render.ssp", "did you mean render.spp?")),
        ({"stages": {"joint": {"iteration": 1}}}, ("did you mean stages.joint.iterations?",)),
        ({"losses": {"edge": {"contrst_px": 1}}}, ("did you mean losses.edge.contrast_px?",)),
        ({"render": {"spp": 0}}, ("render.spp", "greater than 0")),
        ({"render": {"spp": "x"}, "light": {"order": 9}}, ("render.spp", "light.order")),
    ],
)
def test_every_fault_is_told_with_its_place(differences: dict, words: tuple[str, ...]) -> None:
    with pytest.raises(InputError) as error:
        config_from_mapping(differences)
    for word in words:
        assert word in str(error.value)


@pytest.mark.parametrize(
    ("differences", "words"),
    [
        ({"stages": {"joint": {"variables": ["postion"]}}}, ("stages.joint.variables", "postion", "translation")),
        ({"stages": {"joint": {"skip_losses": ["edges"]}}}, ("stages.joint.skip_losses", "edges", "silhouette")),
        ({"losses": {"terms": ["dat"]}}, ("losses.terms", "dat", "silhouette")),
        ({"learning_rates": {"pose": 1}}, ("learning_rates", "pose", "articulation")),
        ({"optimizer": {"geometry": "sgd"}}, ("optimizer.geometry", "adam")),
        ({"frame_coupling": "independent"}, ("temporal", "losses.terms")),
    ],
)
def test_names_that_do_not_exist_and_settings_that_exclude_each_other(
    differences: dict, words: tuple[str, ...]
) -> None:
    with pytest.raises(InputError) as error:
        check_config(config_from_mapping(differences), [])
    for word in words:
        assert word in str(error.value)


def test_old_names_still_work_and_are_told(caplog: pytest.LogCaptureFixture) -> None:
    old = {
        "instants": "joint",
        "objective": {"lambda_prior": 0.5, "residual": "l1", "colour_ridge_px": 7},
        "schedule": {"joint": {"iterations": 3, "edges": False, "views_per_instant": 2}},
        "rates": {"texture": 0.02},
        "optimiser": {"geometry": "metric", "metric": {"rotation_spread": 0.1, "step_mm": 2.0}},
        "trust": {"weigh": False},
    }
    with caplog.at_level(logging.WARNING, logger="handrefine"):
        config = config_from_mapping(old)
    assert (config.losses.temporal.weight, config.losses.pixel.norm) == (0.5, "l1")
    assert config.losses.colour_ridge.pixels == 7
    joint = config.stages["joint"]
    assert (joint.iterations, joint.skip_losses, joint.views_per_frame) == (3, ("edge",), 2)
    assert config.learning_rates["texture"] == 0.02
    assert config.optimizer.geometry == "vertex_metric"
    assert config.optimizer.vertex_metric.spread["rotation"] == 0.1
    assert config.optimizer.vertex_metric.step_mm == 2.0
    assert not config.camera_weights.enabled
    told = "\n".join(caplog.messages)
    assert "objective.lambda_prior is deprecated: it is losses.temporal.weight now" in told
    assert "schedule.joint.iterations is deprecated: it is stages.joint.iterations now" in told


def test_a_preset_goes_by_its_name() -> None:
    assert load_config("quick") == load_config(CONFIGS / "quick.yaml") != Config()
    assert preset_names() == sorted(path.stem for path in CONFIGS.glob("*.yaml"))
    assert all(about(name) for name in preset_names())


@pytest.mark.parametrize(("text", "word"), [("a: [", "not valid YAML"), ("- 1", "not a mapping")])
def test_a_broken_file_is_told(tmp_path: Path, text: str, word: str) -> None:
    file = tmp_path / "broken.yaml"
    file.write_text(text)
    with pytest.raises(InputError, match=word):
        load_config(file)


def test_files_that_are_missing_or_no_text_are_told(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="presets dmvr, paper, quick, real, second_order, smvr, or a YAML file"):
        load_config(tmp_path / "absent.yaml")
    file = tmp_path / "latin.yaml"
    file.write_bytes("# caf\xe9".encode("latin-1"))
    with pytest.raises(InputError, match="UTF-8"):
        load_config(file)

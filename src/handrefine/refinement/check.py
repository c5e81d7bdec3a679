"""Settings that exclude each other or name what does not exist, told before anything runs."""

from collections.abc import Iterable, Sequence

from handrefine.config import Config
from handrefine.errors import InputError
from handrefine.optimizers.stage_optimizer import GAUSS_NEWTON, optimizer_of_geometry
from handrefine.refinement.schedule import running
from handrefine.scene.variables import VARIABLES


def check_config(config: Config, further_variables: Sequence[str], further_terms: Sequence[str] = ()) -> None:
    """Refuse a configuration that cannot mean anything.

    Args:
        further_variables, further_terms: names of what the caller adds.

    Raises:
        InputError: the first fault.
    """
    _check_names(config, further_variables, further_terms)
    if config.frame_coupling == "joint":
        return
    for name in ("shared_shape", "shared_texture"):
        if getattr(config.hands, name):
            raise InputError(
                "independent frames have a shape and a texture of their own, which hands cannot share",
                where=f"hands.{name}",
                fix=f"switch hands.{name} off",
            )
    if config.surface.modes or config.surface.person is not None:
        raise InputError(
            "independent frames have no surface in common",
            where="surface.modes, surface.person",
            found=f"{config.surface.modes}, {config.surface.person}",
            fix="set modes to 0 and give no person, or leave frame_coupling at joint",
        )
    if config.losses.counts("temporal"):
        raise InputError(
            "independent frames cannot be tied by the temporal term",
            where="frame_coupling: independent",
            found=f"losses.temporal.weight {config.losses.temporal.weight:g}",
            fix="leave temporal out of losses.terms, as configs/smvr.yaml does",
        )


def check_together(config: Config) -> None:
    """Refuse what several videos in one optimization cannot do.

    Raises:
        InputError: the first fault.
    """
    if config.optimizer.geometry == GAUSS_NEWTON:
        raise InputError(
            f"{GAUSS_NEWTON} refines one video at a time",
            where="optimizer.geometry",
            expected="vertex_metric or adam, where videos share a person jointly",
            fix="share the person sequentially, or choose another preset",
        )
    if config.frame_coupling != "joint":
        raise InputError(
            "independent frames have no person in common",
            where="frame_coupling",
            expected="joint",
            found=config.frame_coupling,
        )
    for name, stage in running(config.stages).items():
        if stage.most_iterations is not None:
            raise InputError(
                "stages of several videos end by their count, since they go in step",
                where=f"stages.{name}.most_iterations",
                found=stage.most_iterations,
                fix="leave most_iterations out",
            )


def _check_names(config: Config, further_variables: Sequence[str], further_terms: Sequence[str]) -> None:
    if config.optimizer.geometry != GAUSS_NEWTON:
        optimizer_of_geometry(config.optimizer.geometry)
        for name, stage in running(config.stages).items():
            for key, asked in (("gradient", stage.gradient == "image"), ("closed_form", stage.closed_form)):
                if asked:
                    raise InputError(
                        f"only {GAUSS_NEWTON} can do without the renderer's gradient",
                        where=f"stages.{name}.{key}",
                        found=f"optimizer.geometry {config.optimizer.geometry}",
                        fix=f"set optimizer.geometry to {GAUSS_NEWTON}, or leave the stage at its defaults",
                    )
    config.losses.chosen()
    terms = [*config.losses.known(), *further_terms]
    variables = [*(v.name for v in VARIABLES), *further_variables]
    for stage_name, stage in config.stages.items():
        where = f"stages.{stage_name}"
        _refuse_unknown("variable", stage.variables, variables, f"{where}.variables")
        _refuse_unknown("term of the objective", stage.skip_losses, terms, f"{where}.skip_losses")
    _refuse_unknown("variable", config.learning_rates, variables, "learning_rates")


def _refuse_unknown(kind: str, names: Iterable[str], known: Sequence[str], where: str) -> None:
    for name in names:
        if name not in known:
            raise InputError(f"there is no {kind} {name!r}", where=where, expected="some of " + ", ".join(known))

"""Refine the 3D annotations of multi-view hand videos by differentiable ray tracing.

The names below are the Python interface; each is loaded when it is first used, so that importing the package
costs nothing and chooses no renderer.
"""

from importlib import import_module
from importlib.metadata import version
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from handrefine.config import Config as Config
    from handrefine.config_files import load_config as load_config
    from handrefine.data.dataset_format import DatasetFormat as DatasetFormat
    from handrefine.data.interhand26m import read_interhand26m as read_interhand26m
    from handrefine.data.interhand26m_writer import write_interhand26m_annotation as write_interhand26m_annotation
    from handrefine.data.registry import read_dataset as read_dataset
    from handrefine.errors import InputError as InputError
    from handrefine.hand.fit import fit_to_joints as fit_to_joints
    from handrefine.hand.model import load_hand_model as load_hand_model
    from handrefine.refine.cameras import cameras_that_see_most as cameras_that_see_most
    from handrefine.refine.holdout import measure_holdout as measure_holdout
    from handrefine.refine.measure import metrics_without_truth as metrics_without_truth
    from handrefine.refine.refinement import refine as refine
    from handrefine.refine.refinement import refine_hands as refine_hands
    from handrefine.refine.save import save_run as save_run

__version__ = version("handrefine")

_HOME = {
    "Config": "config",
    "DatasetFormat": "data.dataset_format",
    "InputError": "errors",
    "cameras_that_see_most": "refine.cameras",
    "fit_to_joints": "hand.fit",
    "load_config": "config_files",
    "load_hand_model": "hand.model",
    "metrics_without_truth": "refine.measure",
    "read_dataset": "data.registry",
    "read_interhand26m": "data.interhand26m",
    "measure_holdout": "refine.holdout",
    "refine": "refine.refinement",
    "refine_hands": "refine.refinement",
    "save_run": "refine.save",
    "write_interhand26m_annotation": "data.interhand26m_writer",
}


def __getattr__(name: str) -> object:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)

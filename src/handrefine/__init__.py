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
    from handrefine.datasets.dataset_format import DatasetFormat as DatasetFormat
    from handrefine.datasets.interhand26m import read_interhand26m as read_interhand26m
    from handrefine.datasets.interhand26m_writer import (
        write_interhand26m_annotation as write_interhand26m_annotation,
    )
    from handrefine.datasets.registry import list_sequences as list_sequences
    from handrefine.datasets.registry import read_dataset as read_dataset
    from handrefine.errors import InputError as InputError
    from handrefine.evaluation.held_out import measure_holdout as measure_holdout
    from handrefine.evaluation.run_metrics import metrics_without_truth as metrics_without_truth
    from handrefine.hand.fit import fit_to_joints as fit_to_joints
    from handrefine.hand.model import load_hand_model as load_hand_model
    from handrefine.pipeline import run_task as run_task
    from handrefine.pipeline import save_run as save_run
    from handrefine.pipeline import unfinished_task as unfinished_task
    from handrefine.preprocess.camera_selection import cameras_that_see_most as cameras_that_see_most
    from handrefine.refinement.checkpoints import Checkpoints as Checkpoints
    from handrefine.refinement.problem import Extensions as Extensions
    from handrefine.refinement.refine import refine as refine
    from handrefine.refinement.session import Session as Session
    from handrefine.runs.reader import open_run as open_run
    from handrefine.runs.result import RunResult as RunResult
    from handrefine.runs.write_back import refined_annotation as refined_annotation
    from handrefine.task import Task as Task

__version__ = version("handrefine")

_HOME = {
    "Config": "config",
    "DatasetFormat": "datasets.dataset_format",
    "InputError": "errors",
    "cameras_that_see_most": "preprocess.camera_selection",
    "fit_to_joints": "hand.fit",
    "list_sequences": "datasets.registry",
    "load_config": "config_files",
    "load_hand_model": "hand.model",
    "metrics_without_truth": "evaluation.run_metrics",
    "read_dataset": "datasets.registry",
    "read_interhand26m": "datasets.interhand26m",
    "measure_holdout": "evaluation.held_out",
    "refine": "refinement.refine",
    "Checkpoints": "refinement.checkpoints",
    "Extensions": "refinement.problem",
    "Session": "refinement.session",
    "RunResult": "runs.result",
    "Task": "task",
    "run_task": "pipeline",
    "open_run": "runs.reader",
    "refined_annotation": "runs.write_back",
    "save_run": "pipeline",
    "unfinished_task": "pipeline",
    "write_interhand26m_annotation": "datasets.interhand26m_writer",
}


def __getattr__(name: str) -> object:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)

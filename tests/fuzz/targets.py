"""What is fuzzed: folders of valid files, and what reads them."""

import json
import pickle
from collections.abc import Callable, Mapping
from pathlib import Path

import imageio.v3 as iio
import numpy as np
import yaml
from calibration_files import FILES as CALIBRATIONS
from calibration_files import kalibr_text
from keypoint_files import SOURCES
from keypoint_files import WRITERS as KEYPOINTS
from tiny_arctic import write_arctic
from tiny_assemblyhands import write_assemblyhands
from tiny_datasets import write_dexycb, write_hanco, write_ho3d
from tiny_interhand26m import write_dataset

from fuzz.mutations import (
    Random,
    changed_bytes,
    changed_json,
    changed_json_lines,
    changed_npy,
    changed_npz,
    changed_pickle,
    changed_words,
    changed_yaml,
)
from fuzz.run_targets import OF_RUNS
from fuzz.target import Target, not_finite
from handrefine.capture.calibration.registry import FORMATS, read_calibration
from handrefine.capture.keypoints.registry import read_keypoints
from handrefine.config import Config
from handrefine.config_files import config_to_mapping, load_config
from handrefine.datasets.images import read_image, read_mask
from handrefine.datasets.registry import read_dataset
from handrefine.errors import InputError
from handrefine.hand.model import OPEN_HAND
from handrefine.hand.model_file import load_model_arrays
from handrefine.io.text_files import read_json, read_yaml
from handrefine.sequence import HandSequence
from handrefine.task import Task

#: What a change of another format than the file's raises.
WRONG_KINDS = (ValueError, TypeError, KeyError, OverflowError, IndexError, RecursionError)
#: By the end of a name, how its content is changed besides its bytes.
CHANGES: Mapping[str, Callable[[bytes, Random], bytes]] = {
    ".json": changed_json,
    ".jsonl": changed_json_lines,
    ".yml": changed_yaml,
    ".yaml": changed_yaml,
    ".npz": changed_npz,
    ".npy": changed_npy,
    ".pkl": changed_pickle,
    **dict.fromkeys((".obj", ".txt", ".toml"), changed_words),
}


def mutate(path: Path, content: bytes, random: Random) -> bytes:
    """The content of a file, changed by its format or by its bytes."""
    change = CHANGES.get(path.suffix)
    if change is None or random.random() < 0.35:
        return changed_bytes(content, random)
    try:
        return change(content, random)
    except (*WRONG_KINDS, pickle.PicklingError, yaml.YAMLError):
        return changed_bytes(content, random)  # what cannot be written in this format


def _read_dataset(root: Path) -> object:
    sequence = read_dataset(root, sequence="ABF1" if (root / "train").exists() else None)
    for key, read in [*sequence.images.items(), *sequence.masks.items(), *sequence.objects.items()]:
        camera = sequence.cameras[key[1]]
        assert read().shape[:2] == (camera.height, camera.width)
    _check(sequence)
    return sequence


def _write_interhand26m(root: Path) -> None:
    """With what an import keeps of its detector."""
    write_dataset(root)
    sequence = read_dataset(root)
    shape = (len(sequence.cameras), len(sequence.frames), 2, 21)
    found = {"dataset_uv_px": np.full((*shape, 2), 9.0), "confidence": np.ones(shape)}
    np.savez(root / "detections.npz", camera=[*sequence.cameras], frames=np.array(sequence.frames), **found)


def _write_ho3d(root: Path) -> None:
    """With an object before every camera."""
    write_ho3d(root)
    for path in (root / "train").glob("*/meta/*.pkl"):
        placed = {"objRot": np.ones((3, 1)), "objTrans": np.array([0.02, 0.01, -0.5])}
        path.write_bytes(pickle.dumps(pickle.loads(path.read_bytes()) | placed, protocol=2))
    folder = root / "models" / "003_cracker_box"
    folder.mkdir(parents=True)
    lines = ("v -0.1 0 0", "v 0.1 0 0.01", "v 0 0.1 0", "v 0 0 0.1", "f 1 2 3", "f 1/1/1 3/2 4", "f -1 -2 -3 -4")
    (folder / "textured_simple.obj").write_text("\n".join(lines))


def _check(sequence: HandSequence) -> None:
    bad = [*not_finite(sequence.cameras, "cameras"), *not_finite(sequence.annotations, "annotations")]
    assert not bad, bad


def _write_model(root: Path) -> None:
    with np.load(OPEN_HAND / "model.npz") as arrays:
        content = {name: arrays[name] for name in arrays.files}
    (root / "MANO_RIGHT.pkl").write_bytes(pickle.dumps(content, protocol=4))
    np.savez(root / "hand.npz", **content)


def _read_models(root: Path) -> object:
    for name in ("MANO_RIGHT.pkl", "hand.npz"):
        arrays = load_model_arrays(root / name)
        assert not [*not_finite(arrays)]
    return None


def _write_images(root: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (24, 32, 3), dtype=np.uint8)
    for suffix in ("jpg", "png", "bmp", "tif", "webp"):
        iio.imwrite(root / f"image.{suffix}", pixels)
    iio.imwrite(root / "grey.png", pixels[..., 0].astype(np.uint16) * 257)
    iio.imwrite(root / "alpha.png", np.concatenate([pixels, pixels[..., :1]], axis=2))


def _read_images(root: Path) -> object:
    for path in sorted(root.iterdir()):
        assert np.isfinite(read_image(path, 32, 24)).all()
        read_mask(path, 32, 24)
    return None


def _write_texts(root: Path) -> None:
    content = {"a": [1, 2.5, None, {"b": "text", "c": [True, "\u00e4"]}], "d": {"e": [[1, 2], [3, 4]]}}
    (root / "a.json").write_text(json.dumps(content))
    (root / "a.yaml").write_text(yaml.safe_dump(content) + "f: &x [1, 2]\ng: [*x, *x]\n")


def _read_texts(root: Path) -> object:
    return read_json(root / "a.json"), read_yaml(root / "a.yaml")


def _write_config(root: Path) -> None:
    (root / "config.yaml").write_text(yaml.safe_dump(config_to_mapping(Config())))
    (root / "task.json").write_text(json.dumps(Task(data=Path("d"), out=Path("o")).to_mapping()))


def _read_config(root: Path) -> object:
    config = load_config(root / "config.yaml")
    task = Task.from_mapping(read_json(root / "task.json"), root / "task.json")
    bad = [*not_finite(config), *not_finite(task)]
    assert not bad, bad
    return config


def _write_calibrations(root: Path) -> None:
    for name, (_, write) in CALIBRATIONS.items():
        (root / name).mkdir()
        write(root / name)
    (root / "kalibr").mkdir()
    (root / "kalibr" / "camchain.yaml").write_text(kalibr_text("radtan"))
    (root / "npy").mkdir()
    K, R, t = np.diag([60.0, 60.0, 1.0]), np.eye(3), np.ones((3, 1))
    np.save(root / "npy" / "P.npy", np.stack([K @ np.hstack([R, t])] * 2))


def _read_calibrations(root: Path) -> object:
    """All of them: only one has been changed; one that is refused must not hide the others."""
    refused = None
    for folder in sorted(root.iterdir()):
        files = list(folder.iterdir())
        try:
            _check_cameras(folder if len(files) > 1 else files[0])
        except InputError as error:
            refused = error
    if refused is not None:
        raise refused
    return None


def _write_keypoints(root: Path) -> None:
    for write in KEYPOINTS:
        (root / write.__name__).mkdir()
        write(root / write.__name__)


def _read_keypoints(root: Path) -> object:
    for folder in sorted(root.iterdir()):
        found = read_keypoints(folder, SOURCES)
        assert not [*not_finite(found.confidence)]
    return None


def _check_cameras(path: Path) -> None:
    for form in FORMATS:
        form.recognise(path)
    bad = [*not_finite({camera.name: camera for camera in read_calibration(path)})]
    assert not bad, bad


TARGETS: Mapping[str, Target] = {
    "interhand26m": Target(_write_interhand26m, _read_dataset),
    "dexycb": Target(write_dexycb, _read_dataset),
    "hanco": Target(write_hanco, _read_dataset),
    "ho3d": Target(_write_ho3d, _read_dataset),
    "arctic": Target(write_arctic, _read_dataset),
    "assemblyhands": Target(write_assemblyhands, _read_dataset),
    "calibrations": Target(_write_calibrations, _read_calibrations),
    "keypoints": Target(_write_keypoints, _read_keypoints),
    "models": Target(_write_model, _read_models),
    "images": Target(_write_images, _read_images),
    "texts": Target(_write_texts, _read_texts),
    "config": Target(_write_config, _read_config),
    **OF_RUNS,
}

"""Writer of a refined HanCo annotation: the files of the frames that were refined."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from handrefine.datasets.writing import SourceFolder, own_folder, valid_frames
from handrefine.errors import InputError
from handrefine.io.files import whole_file
from handrefine.io.text_files import read_json
from handrefine.sequence import HandAnnotation, HandSequence, Side

#: Keys of the parameters, and the shape of their lists where there is no file yet.
KEYS = {"poses": (1, 48), "shapes": (1, 10), "global_t": (1, 1, 3)}


@dataclass(frozen=True)
class HanCoSource(SourceFolder):
    """Which part of the dataset a sequence was read from."""

    name: str


def write_hanco_annotation(
    sequence: HandSequence, refined: Mapping[Side, HandAnnotation], out_dir: Path
) -> list[Path]:
    """Write `shape/` and `xyz/` of the refined frames; other keys of a file keep their values.

    Returns:
        The files written. Frames that are not valid in `refined` have none.

    Raises:
        InputError: `sequence` is not from HanCo, the annotation does not fit it, or out_dir is the dataset itself.
    """
    source = own_folder(sequence, HanCoSource, out_dir)
    annotation = refined["right"]
    mano = annotation.mano
    if mano is not None and mano.flat_hand_mean:
        raise InputError("HanCo stores poses relative to the mean pose, not to the flat hand", where=sequence.name)
    written = []
    for row, frame in valid_frames(sequence, annotation):
        stem = f"{source.name}/{frame:08d}.json"
        contents: dict[str, Any] = {}
        if mano is not None:
            original = source.root / "shape" / stem
            document = read_json(original) if original.exists() else {}
            values = {"poses": mano.pose_aa[row], "shapes": mano.shape[row], "global_t": mano.trans_m[row]}
            for key, numbers in values.items():
                shape = np.shape(document[key]) if key in document else KEYS[key]
                document = {**document, key: numbers.reshape(shape).tolist()}
            contents["shape"] = document
        if annotation.joints_world is not None:
            contents["xyz"] = annotation.joints_world[row].tolist()
        for kind, content in contents.items():
            path = Path(out_dir) / kind / stem
            path.parent.mkdir(parents=True, exist_ok=True)
            with whole_file(path) as temporary:
                temporary.write_text(json.dumps(content), encoding="utf-8")
            written.append(path)
    return written

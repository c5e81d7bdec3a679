"""What each finger's place rests on: cameras that see it, and how far off its joints may be."""

import numpy as np

from handrefine.report.contents import RunContents
from handrefine.report.markup import table
from handrefine.sequence import JOINT_NAMES

#: Fingers by the name of their joints, and what their four joints are called here.
FINGERS = tuple(dict.fromkeys(name[:-1] for name in JOINT_NAMES[1:]))
PLACES = ("root", "second", "third", "tip")
#: A standard deviation of so many mm is fully coloured.
UNSURE_MM = 4.0


def evidence(contents: RunContents) -> str:
    """A row a finger: the standard deviation of its joints over the frames, and how many cameras see them."""
    found = None if contents.annotation is None else contents.annotation.evidence
    if found is None or not len(found.std_mm):
        return ""
    mean_mm = np.sqrt(np.square(found.std_mm).mean(axis=0))
    rows: list[tuple[str, ...]] = [
        ("wrist", _cell(mean_mm[0]), "", "", "", _worst(contents, [0]), _cameras(found.cameras[:, :1]))
    ]
    for k, finger in enumerate(FINGERS):
        joints = list(range(1 + 4 * k, 5 + 4 * k))
        cells = [_cell(mean_mm[j]) for j in joints]
        rows.append((finger, *cells, _worst(contents, joints), _cameras(found.cameras[:, joints])))
    head = ("joints of", *(f"{place} <small>mm</small>" for place in PLACES), "largest, at frame", "cameras")
    text = (
        "By how much a joint's place is expected to be off (standard deviation over all directions, root mean "
        "square over frames), and how many cameras see what is nearest to it. Red joints rest on the annotation "
        "and on what hands usually do, whatever the other figures say."
    )
    return f'{table(head, rows, kind="evidence")}<p class="small">{text}</p>'


def _cell(std_mm: float) -> str:
    heat = round(100 * min(1.0, float(std_mm) / UNSURE_MM))
    return f'<span class="heat" style="--heat:{heat}%">{std_mm:.2f}</span>'


def _worst(contents: RunContents, joints: list[int]) -> str:
    annotation = contents.annotation
    if annotation is None or annotation.evidence is None:
        return ""
    of_frames = annotation.evidence.std_mm[:, joints].max(axis=1)
    worst = int(of_frames.argmax())
    return f"{_cell(of_frames[worst])} <small>{annotation.frames[worst]}</small>"


def _cameras(cameras: np.ndarray) -> str:
    least, most = int(cameras.min()), int(cameras.max())
    return str(most) if least == most else f"{least} to {most}"

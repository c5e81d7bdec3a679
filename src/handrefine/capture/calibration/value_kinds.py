"""What a value of a calibration is, by the many names that people give it: `K`, `mtx`, `rvec`, `RT`, `fl_x` ..."""

import re
from collections.abc import Mapping
from numbers import Real
from typing import Any

import numpy as np

#: What a value is, by its name in lower case without `_`, `-`, `.` and spaces; plurals are the same.
ALIASES: Mapping[str, tuple[str, ...]] = {
    "K": (
        *("k", "cameramatrix", "intrinsic", "intrinsicmatrix", "intrinsicsmatrix", "mtx", "matrix", "kmat"),
        *("cammatrix", "camk", "calibrationmatrix", "cammtx", "cameramtx"),
    ),
    "D": (
        *("d", "dist", "distcoeff", "distcoef", "distortion", "distortioncoefficient", "distortioncoeff"),
        *("distortioncoef", "distortionvector", "coeff", "coef", "distvec", "distortionparameter"),
    ),
    "R": ("r", "rot", "rotation", "rotationmatrix", "rvec", "rotationvector", "rmat", "rodrigues", "rotmat"),
    "q": ("q", "qvec", "quat", "quaternion", "rotationquaternion", "quaternionwxyz", "qwxyz"),
    "q_xyzw": ("quaternionxyzw", "qxyzw", "quatxyzw"),
    "t": ("t", "tran", "translation", "translationvector", "tvec", "position", "translationmatrix"),
    "RT": (
        *("rt", "extrinsic", "extrinsicmatrix", "extrinsicsmatrix", "w2c", "worldtocamera", "pose", "rtmatrix"),
        *("worldtocam", "world2cam", "worldviewtransform", "m", "viewmatrix", "tcamworld", "camfromworld"),
    ),
    "RT_world_cam": ("rtworldcam", "c2w", "cameratoworld", "camtoworld", "cam2world", "twc", "tworldcam",
                     "worldfromcam"),
    "P": ("p", "projection", "projectionmatrix", "projmatrix", "proj", "projmat"),
    "size": ("size", "imagesize", "imgsize", "resolution", "imageresolution", "imageshapewh"),
    "width": ("width", "imagewidth", "w", "imwidth"),
    "height": ("height", "imageheight", "h", "imheight"),
    "model": ("model", "distortionmodel", "cameramodel", "fisheye", "fisheyemodel", "type", "distortiontype"),
    "name": ("name", "camera", "cameraname", "camid", "cameraid", "id", "serial", "serialnumber", "camname"),
    "frames": ("frame", "frameid", "framenumber", "frameindex", "frameindice", "frameno"),
    "f": ("f", "focal", "focallength", "focalpx"),
    "c": ("c", "principalpoint", "principal", "princpt", "pp", "opticalcenter", "opticalcentre"),
    "fx": ("fx", "flx", "focallengthx", "focalx"),
    "fy": ("fy", "fly", "focallengthy", "focaly"),
    "cx": ("cx", "ppx", "principalpointx", "u0", "px"),
    "cy": ("cy", "ppy", "principalpointy", "v0", "py"),
}  # fmt: skip
_KIND = {alias: kind for kind, names in ALIASES.items() for alias in names}
#: Kinds that are one number each.
SCALARS = ("fx", "fy", "cx", "cy", "width", "height")
#: OpenCV's coefficients one by one, in its order; those of its fisheye model.
COEFFICIENTS = ("k1", "k2", "p1", "p2", "k3", "k4", "k5", "k6", "s1", "s2", "s3", "s4")
FISHEYE_COEFFICIENTS = ("k1", "k2", "k3", "k4")
#: Words that group a camera's values, or say nothing: no cameras' names.
_SECTIONS = {
    *("calibration", "calib", "camera", "cam", "parameter", "param", "data", "result", "rig", "value", "info"),
    *("left2right", "colour", "color", "rgb"),
}


def kind_of(name: object, value: Any = None) -> str | None:
    """What a value of that name is; None where the name says nothing. `k1` is a coefficient where it is a number,
    and the first camera's matrix where it is none."""
    word = re.sub(r"[\s_.-]", "", str(name)).lower()
    if word in COEFFICIENTS:
        return word if isinstance(value, Real) else None
    kind = _KIND.get(word) or _KIND.get(word.removesuffix("s"))
    if kind == "RT" and np.size(value) == 9:  # `M1`
        return "K" if word == "m" else "R"
    return kind


def is_section(name: str) -> bool:
    """Whether a name only groups values of one camera, or of all."""
    word = re.sub(r"[\s_.-]", "", name).lower()
    return word in _SECTIONS or word.removesuffix("s") in _SECTIONS


def camera_in(name: str) -> str:
    """The camera's name in a name that may also say what is told of it: `cam0_intrinsics` is `cam0`; else
    empty."""
    if kind_of(name) or is_section(name):
        return ""
    words = re.split(r"([_\- .]+)", re.sub(r"[_\- ](to|from)[_\- ].*", "", name))  # `cam1_to_cam0` is cam1's
    kept = [k for k in range(0, len(words), 2) if words[k] and not (kind_of(words[k]) or is_section(words[k]))]
    return "".join(words[kept[0] : kept[-1] + 1]) if kept else ""


def split_name(name: str, value: Any) -> tuple[str, str] | None:
    """Kind and camera of a name that holds both: `K_cam0`, `cam0_K`, `K0`, `DL`, `K_left`, `T_world_cam0`."""
    places = [(name[: m.start()], name[m.end() :]) for m in re.finditer(r"[_/.\- ]", name)]
    ends = re.fullmatch(r"(.*?\D)[_/.\- ]?(\d+|Left|Right|left|right|L|R)", name)
    for head, tail in [*places, *([(ends[1], ends[2])] if ends else [])]:
        for word, camera in ((head, tail), (tail, head)):
            kind = kind_of(word, value)
            if kind is not None and camera:
                return _of_transformation(kind, camera, value)
    return None


def _of_transformation(kind: str, camera: str, value: Any) -> tuple[str, str]:
    """`T_cam0_world` takes world points to the camera, `T_world_cam0` back."""
    ends = re.fullmatch(r"(?:(world|w)_)?(.+?)(?:_(?:world|w))?", camera)
    if kind not in ("t", "RT", "R") or ends is None:
        return kind, camera
    whole = "RT" if np.size(value) in (12, 16) else kind
    return ("RT_world_cam" if ends[1] and whole == "RT" else whole), ends[2]

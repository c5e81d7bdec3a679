"""A person's own hand: what is theirs in every video, and the file that carries it from one to the next."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, get_args

import numpy as np
from jaxtyping import Float

from handrefine.errors import InputError
from handrefine.io.array_files import read_npz
from handrefine.io.files import whole_file
from handrefine.sequence import Side

FORMAT, VERSION = "handrefine person", 2
FIX = "give the person.npz of a run"
#: Name of a hand's texture in the file, before its side.
_TEXTURE = "texture_"


@dataclass(frozen=True, eq=False)
class Person:
    """A hand's shape and the surface beside it, of either side, since both are mirror images; and the skin.

    Attributes:
        hand_model: whose shapes they are, without the side.
        shape: betas.
        coefficients_m: of the smooth modes of displacement, see `handrefine.scene.surface`; none without one.
        displacement_m: of every vertex along its normal, outwards positive: the modes, added up.
        textures: of the sides that were refined: reflectance, linear RGB, and the share that cameras have seen.
    """

    hand_model: str
    shape: Float[np.ndarray, "10"]
    coefficients_m: Float[np.ndarray, " mode"]
    displacement_m: Float[np.ndarray, " vertex"]
    textures: Mapping[Side, Float[np.ndarray, "size size 4"]] = field(default_factory=dict)


def mean_person(found: Sequence[Person]) -> Person:
    """What several videos say of one person; the surface, linear in its coefficients, stays theirs.

    A texel is the mean over the videos that have seen it, or over all where none has.

    Args:
        found: with one hand model, number of modes and size of textures.
    """
    names = ("shape", "coefficients_m", "displacement_m")
    of_side: dict[Side, list[Float[np.ndarray, "size size 4"]]] = {}
    for person in found:
        for side, texture in person.textures.items():
            of_side.setdefault(side, []).append(texture)
    textures = {side: _mean_texture(of) for side, of in of_side.items()}
    means = {name: np.mean([getattr(of, name) for of in found], axis=0) for name in names}
    return replace(found[0], **means, textures=textures)


def _mean_texture(found: Sequence[Float[np.ndarray, "size size 4"]]) -> Float[np.ndarray, "size size 4"]:
    many = np.stack(found)
    seen = many[..., 3:]
    weight = np.where(seen.sum(axis=0) > 0, seen, 1.0)
    rgb = (weight * many[..., :3]).sum(axis=0) / weight.sum(axis=0)
    return np.concatenate([rgb, seen.max(axis=0)], axis=2)


def write_person(path: Path, person: Person) -> None:
    """Write the file; `read_person` gives back the same numbers, those of textures in half precision."""
    textures: dict[str, Any] = {_TEXTURE + side: of.astype(np.float16) for side, of in person.textures.items()}
    with whole_file(path) as temporary:
        np.savez_compressed(
            temporary,
            format=np.str_(FORMAT),
            version=np.int64(VERSION),
            hand_model=np.str_(person.hand_model),
            shape=person.shape,
            coefficients_m=person.coefficients_m,
            displacement_m=person.displacement_m,
            **textures,
        )


def read_person(path: Path) -> Person:
    """Read a person; nothing in the file can run code.

    Raises:
        InputError: the file is missing, damaged, of another kind or of a later version, or holds no numbers.
    """
    arrays = read_npz(path)
    version = arrays.get("version", np.int64(0))
    known = not version.shape and version.dtype.kind in "iu" and version <= VERSION
    if str(arrays.get("format")) != FORMAT or not known:
        found = f"{arrays.get('format', 'no format')}, version {arrays.get('version', 'unknown')}"
        expected = f"{FORMAT}, version {VERSION} at most"
        raise InputError("this is no file of a person", where=path, expected=expected, found=found, fix=FIX)
    for name, sizes in (("shape", (10,)), ("coefficients_m", None), ("displacement_m", None)):
        array = arrays.get(name)
        right = array is not None and array.ndim == 1 and array.dtype.kind == "f" and np.isfinite(array).all()
        if not right or (sizes is not None and array is not None and array.shape != sizes):
            found = "nothing" if array is None else f"{array.dtype} of shape {array.shape}"
            raise InputError(f"a person's {name} is no row of finite numbers", where=path, found=found, fix=FIX)
    shape, *rows = (arrays[name].astype(np.float64) for name in ("shape", "coefficients_m", "displacement_m"))
    sides: tuple[Side, ...] = get_args(Side)
    textures: dict[Side, np.ndarray] = {s: arrays[_TEXTURE + s] for s in sides if _TEXTURE + s in arrays}
    for side, of in textures.items():
        square = of.ndim == 3 and of.shape[0] == of.shape[1] > 0 and of.shape[2] == 4 and of.dtype.kind == "f"
        if not square or not np.all((of >= 0) & (of <= 1)):
            raise InputError(
                f"the texture of a person's {side} hand is no square of RGB and seen in [0, 1]",
                where=path,
                found=f"{of.dtype} of shape {of.shape}",
                fix=FIX,
            )
    textures = {side: of.astype(np.float32) for side, of in textures.items()}
    return Person(str(arrays.get("hand_model", "")), shape, *rows, textures=textures)

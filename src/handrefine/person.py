"""A person's own hand: what is theirs in every video, and the file that carries it from one to the next."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from jaxtyping import Float

from handrefine.errors import InputError
from handrefine.io.array_files import read_npz
from handrefine.io.files import whole_file

FORMAT, VERSION = "handrefine person", 1
FIX = "give the person.npz of a run with `surface.modes` above 0"


@dataclass(frozen=True, eq=False)
class Person:
    """A hand's shape and the surface beside it; of either side, since both are mirror images.

    Attributes:
        hand_model: whose shapes they are, without the side.
        shape: betas.
        coefficients_m: of the smooth modes of displacement, see `handrefine.scene.surface`.
        displacement_m: of every vertex along its normal, outwards positive: the modes, added up.
    """

    hand_model: str
    shape: Float[np.ndarray, "10"]
    coefficients_m: Float[np.ndarray, " mode"]
    displacement_m: Float[np.ndarray, " vertex"]


def mean_person(found: Sequence[Person]) -> Person:
    """What several videos say of one person; the surface, linear in its coefficients, stays theirs.

    Args:
        found: with one hand model and number of modes.
    """
    names = ("shape", "coefficients_m", "displacement_m")
    return replace(found[0], **{name: np.mean([getattr(of, name) for of in found], axis=0) for name in names})


def write_person(path: Path, person: Person) -> None:
    """Write the file; `read_person` gives back the same numbers."""
    with whole_file(path) as temporary:
        np.savez_compressed(
            temporary,
            format=np.str_(FORMAT),
            version=np.int64(VERSION),
            hand_model=np.str_(person.hand_model),
            shape=person.shape,
            coefficients_m=person.coefficients_m,
            displacement_m=person.displacement_m,
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
    numbers = (arrays[name].astype(np.float64) for name in ("shape", "coefficients_m", "displacement_m"))
    return Person(str(arrays.get("hand_model", "")), *numbers)

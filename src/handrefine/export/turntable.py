"""A hand that turns before a camera: pictures of a scene with parameters, and an animation of them."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

import imageio.v3 as iio
import numpy as np
from jaxtyping import Float, UInt8

from handrefine.errors import InputError
from handrefine.sequence import JOINT_NAMES, MIDDLE_KNUCKLE, WRIST

SCENES = Path(__file__).parents[1] / "scenes"
INDEX_KNUCKLE, PINKY_KNUCKLE = JOINT_NAMES.index("index1"), JOINT_NAMES.index("pinky1")
SECONDS_PER_TURN = 4.0

Picture = UInt8[np.ndarray, "height width 3"]
Animation = Literal["webp", "gif"]


def scene_file(scene: str) -> Path:
    """A scene of handrefine's own by its name, or any file.

    Raises:
        InputError: there is no such scene.
    """
    own = {path.stem: path for path in sorted(SCENES.glob("*.xml"))}
    path = own.get(scene, Path(scene))
    if not path.is_file():
        raise InputError("there is no such scene", found=scene, expected=f"{', '.join(own)}, or an XML file")
    return path


def upright(
    verts_world: Float[np.ndarray, "frame vertex 3"], joints_world: Float[np.ndarray, "frame 21 3"]
) -> tuple[Float[np.ndarray, "frame vertex 3"], Float[np.ndarray, "frame 21 3"]]:
    """Every frame stood on its wrist: fingers towards +y, knuckles in the x-y plane, lowest point at y = 0.

    The two hands face the same way only up to a reflection: a right hand shows its back, a left one its palm.
    """
    up = _unit(joints_world[:, MIDDLE_KNUCKLE] - joints_world[:, WRIST])
    across = joints_world[:, PINKY_KNUCKLE] - joints_world[:, INDEX_KNUCKLE]
    facing = _unit(np.cross(across, up))
    axes = np.stack([np.cross(up, facing), up, facing], axis=1)
    origin = joints_world[:, WRIST : WRIST + 1]
    verts = np.einsum("fij,fvj->fvi", axes, verts_world - origin)
    joints = np.einsum("fij,fvj->fvi", axes, joints_world - origin)
    shift = (verts.min(axis=1, keepdims=True) + verts.max(axis=1, keepdims=True)) / 2
    shift[..., 1] = verts[..., 1].min(axis=1, keepdims=True)
    return verts - shift, joints - shift


def turning_pictures(
    scene: Path, hands: Sequence[Path], texture: Path, *, pictures: int, size: int, spp: int
) -> Iterator[Picture]:
    """The hand turned by 360 degrees in equal steps, 8-bit sRGB; start Mitsuba first.

    Args:
        scene: XML with the parameters hand, texture, angle, size and spp.
        hands: PLY files of the frames, which pass evenly and there and back, so that the film has no jump.

    Raises:
        InputError: Mitsuba cannot load the scene.
    """
    import mitsuba as mi

    order = there_and_back(len(hands), pictures)
    for k in range(pictures):
        values: dict[str, Any] = {"hand": str(hands[order[k]]), "texture": str(texture)}
        values |= {"angle": f"{360 * k / pictures:.6f}", "size": str(size), "spp": str(spp)}
        try:
            loaded = mi.load_file(str(scene.resolve()), **values)
        except RuntimeError as error:
            raise InputError("Mitsuba cannot load the scene", where=scene, found=error) from error
        bitmap = mi.util.convert_to_bitmap(mi.render(loaded, seed=mi.UInt32(k)))
        yield np.array(bitmap)[..., :3]


def there_and_back(frames: int, pictures: int) -> list[int]:
    """Which frame each picture of a closed film shows."""
    phase = np.arange(pictures) / pictures
    triangle = 1 - np.abs(2 * phase - 1)
    return np.rint(triangle * (frames - 1)).astype(int).tolist()


def write_animation(path: Path, pictures: Sequence[Picture]) -> None:
    """Write an endless animation, WebP or GIF by the suffix, one turn in `SECONDS_PER_TURN`."""
    options: dict[str, Any] = {"duration": round(1000 * SECONDS_PER_TURN / len(pictures)), "loop": 0}
    if path.suffix == ".webp":
        options |= {"quality": 80, "method": 6}
    iio.imwrite(path, np.stack(pictures), plugin="pillow", **options)


def _unit(vectors: Float[np.ndarray, "frame 3"]) -> Float[np.ndarray, "frame 3"]:
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)

"""A hand that turns before a camera: images of a scene with parameters, and an animation of them."""

import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import imageio.v3 as iio
import numpy as np
from jaxtyping import Float, UInt8

from handrefine.errors import InputError
from handrefine.export.meshes import TexturedMesh, write_ply
from handrefine.export.new_output import new_folder
from handrefine.io.exr import worker_thread
from handrefine.io.image_files import write_image
from handrefine.render.mitsuba.runtime import start_mitsuba
from handrefine.render.mitsuba.scene_file import MOST_SPP, rendered
from handrefine.runs.reader import HandRun, Which
from handrefine.sequence import JOINT_NAMES, MIDDLE_KNUCKLE, WRIST

SCENES = Path(__file__).parents[1] / "scenes"
INDEX_KNUCKLE, PINKY_KNUCKLE = JOINT_NAMES.index("index1"), JOINT_NAMES.index("pinky1")
SECONDS_PER_TURN = 4.0

Image = UInt8[np.ndarray, "height width 3"]
Animation = Literal["webp", "gif"]
#: More than this is a slip of the finger, or more than memory holds.
_MOST = {"n_images": 10_000, "size": 4096, "spp": MOST_SPP}


@dataclass(frozen=True, kw_only=True)
class TurntableSettings:
    """What is rendered.

    Attributes:
        scene: name of a scene of handrefine's own, or an XML file with the same parameters.
        frame: the dataset's number of the one frame to show; all when missing.
        n_images: images of one turn; size: their width and height in pixels.
    """

    scene: str = "turntable"
    frame: int | None = None
    which: Which = "after"
    n_images: int = 36
    size: int = 320
    spp: int = 64
    animation: Animation = "webp"

    def __post_init__(self) -> None:
        for name, most in _MOST.items():
            if not 1 <= getattr(self, name) <= most:
                option = "--" + name.replace("_", "-")
                raise InputError(f"{option} is out of range", expected=f"1 to {most}", found=getattr(self, name))


def write_turntable(
    run: HandRun,
    out: Path,
    settings: TurntableSettings,
    watched: Callable[[Iterator[Image]], Iterable[Image]] = iter,
) -> None:
    """Write `out/000.png` ... and `out/turntable.webp`.

    Args:
        watched: lets a caller see the images pass, e.g. to show progress.

    Raises:
        InputError: the run, frame or scene does not exist, or `out` does.
    """
    scene = scene_file(settings.scene)
    rows, texture = list(run.frame_indices(settings.frame)), run.texture_file.resolve()
    state = run.state(settings.which)
    standing, _ = upright(state.verts_world[rows], state.joints_world[rows])
    mesh = TexturedMesh.of(standing, run.annotation.topology)
    with new_folder(out) as unfinished, tempfile.TemporaryDirectory() as meshes:
        start_mitsuba()
        hands = [Path(meshes) / f"{k}.ply" for k in range(len(rows))]
        for k, path in enumerate(hands):
            write_ply(path, mesh, k)
        shown = []
        for k, image in enumerate(watched(turning_images(scene, hands, texture, settings))):
            write_image(unfinished / f"{k:03d}.png", image)
            shown.append(image)
        if len(shown) > 1:
            write_animation(unfinished / f"turntable.{settings.animation}", shown)


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


def turning_images(
    scene: Path, hands: Sequence[Path], texture: Path, settings: TurntableSettings
) -> Iterator[Image]:
    """The hand turned by 360 degrees in equal steps, 8-bit sRGB; start Mitsuba first.

    Args:
        scene: XML with the parameters hand, texture, angle, size and spp.
        hands: PLY files of the frames, which pass evenly and there and back, so that the film has no jump.

    Raises:
        InputError: Mitsuba cannot load the scene.
    """
    import mitsuba as mi

    n_images = settings.n_images
    order = there_and_back(len(hands), n_images)
    for k in range(n_images):
        values: dict[str, Any] = {"hand": str(hands[order[k]]), "texture": str(texture)}
        values |= {"angle": f"{360 * k / n_images:.6f}"}
        values |= {"size": str(settings.size), "spp": str(settings.spp)}
        try:
            with worker_thread():  # the scene may have a light in an EXR file
                loaded = mi.load_file(str(scene.resolve()), **values)
        except RuntimeError as error:
            raise InputError("Mitsuba cannot load the scene", where=scene, found=error) from error
        image = rendered(loaded, None, settings.size**2, seed=k)
        yield np.array(mi.util.convert_to_bitmap(mi.TensorXf(image)))[..., :3]


def there_and_back(n_frames: int, n_images: int) -> list[int]:
    """Which frame each image of a closed film shows."""
    phase = np.arange(n_images) / n_images
    triangle = 1 - np.abs(2 * phase - 1)
    return np.rint(triangle * (n_frames - 1)).astype(int).tolist()


def write_animation(path: Path, images: Sequence[Image]) -> None:
    """Write an endless animation, WebP or GIF by the suffix, one turn in `SECONDS_PER_TURN`."""
    options: dict[str, Any] = {"duration": round(1000 * SECONDS_PER_TURN / len(images)), "loop": 0}
    if path.suffix == ".webp":
        options |= {"quality": 80, "method": 6}
    iio.imwrite(path, np.stack(images), plugin="pillow", **options)


def _unit(vectors: Float[np.ndarray, "frame 3"]) -> Float[np.ndarray, "frame 3"]:
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)

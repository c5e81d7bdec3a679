"""Truth for synthetic videos: a moving hand, its shape, skin and light, and the cameras around it. No pictures."""

import os
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, Protocol, get_args, runtime_checkable

import numpy as np
import torch
from jaxtyping import Float

from handrefine.data.gesture import finger_gesture, frame_numbers, gesture_time, global_motion, with_abrupt_move
from handrefine.data.mismatch import MismatchSettings, uneven_light
from handrefine.data.pair import meeting
from handrefine.data.studio import cameras_around, key_light, skin_variation
from handrefine.errors import InputError
from handrefine.mesh import MeshTopology
from handrefine.sequence import Camera, HandAnnotation, ManoParameters, Side

#: matched: the model can explain every picture. mismatched: it cannot, see `handrefine.data.mismatch`.
TruthKind = Literal["matched", "mismatched"]
#: Longest gap between frames, in steps of three.
_LARGEST_GAP = {"matched": 4, "mismatched": 12}
#: Before the names of a second hand's arrays in a truth file.
SECOND = "second_"


@runtime_checkable  # so that shape checks while testing can handle it
class HandLayer(Protocol):
    """What truth needs of a hand model: `handrefine.hand.HandModel` is one.

    Calling it with `(pose_aa, shape, trans_m, flat_hand_mean=...)` gives an object with `verts_world` and
    `joints_world`, tensors of shape (frame, vertex, 3) and (frame, 21, 3) in metres.
    """

    side: Side
    topology: MeshTopology
    hands_mean: torch.Tensor
    open_hand: bool

    def __call__(self, *parameters: torch.Tensor, flat_hand_mean: bool) -> Any: ...


@dataclass(frozen=True, kw_only=True)
class SyntheticSettings:
    """What kind of video to invent.

    Attributes:
        cameras: number of cameras on the half-sphere around the hand.
        instants: number of instants of the gesture.
        size: width and height of every image in pixels.
        texture_size: width and height of the true texture in texels.
        seed: same seed and settings, same truth.
        kind: matched, or mismatched: uneven light, a larger variety of gaps, an abrupt move; photographs differ
            from the model as `mismatch` says.
    """

    cameras: int = 6
    instants: int = 4
    size: int = 128
    texture_size: int = 512
    seed: int = 0
    kind: TruthKind = "matched"
    mismatch: MismatchSettings = field(default_factory=MismatchSettings)

    def __post_init__(self) -> None:
        for name in ("cameras", "instants", "size", "texture_size"):
            if getattr(self, name) < 1:
                raise InputError(f"{name} must be at least 1", found=getattr(self, name))


@dataclass(frozen=True, eq=False)
class SyntheticTruth:
    """Everything that a synthetic video was made of.

    texture: linear RGB reflectance, row 0 at the top (v = 1).
    light: coefficients in the basis of `handrefine.spherical.sh_basis`: radiance(d) = basis(d) @ light, from
        infinitely far away; a mismatched video has a lamp besides.
    verts_world: in the model's own vertices also where the photographed surface has a relief.
    """

    side: Side
    cameras: Mapping[str, Camera]
    frames: tuple[int, ...]
    mano: ManoParameters
    verts_world: Float[np.ndarray, "frame vertex 3"]
    joints_world: Float[np.ndarray, "frame 21 3"]
    texture: Float[np.ndarray, "height width 3"]
    light: Float[np.ndarray, "coefficient 3"]

    @property
    def annotation(self) -> HandAnnotation:
        """The true annotation, valid everywhere."""
        n = len(self.frames)
        return HandAnnotation(
            self.side, self.mano, np.ones(n, dtype=bool), self.joints_world, np.ones((n, 21), dtype=bool)
        )


def make_truth(
    hand: HandLayer, skin: Float[np.ndarray, "height width 3"], settings: SyntheticSettings
) -> SyntheticTruth:
    """Invent a gesture, a person and a recording room.

    Args:
        hand: hand model, right or left.
        skin: reflectance to start from in the model's atlas, linear RGB, row 0 at the top.
    """
    return make_truths([hand], [skin], settings)[0]


def make_truths(
    hands: Sequence[HandLayer], skins: Sequence[Float[np.ndarray, "_ _ 3"]], settings: SyntheticSettings
) -> tuple[SyntheticTruth, ...]:
    """The same for one or two hands of one person; instants, cameras and light are common to both.

    Both have the same betas, hence the mirrored shape where the models mirror each other, a gesture each, and a
    variation of the skin each. Their palms face one another, the second hand as near to the first as it gets
    without touching it (see `handrefine.data.pair`), so that each hides and shadows parts of the other.
    """
    gesture_rng, shape_rng, camera_rng, light_rng, skin_rng, mismatch_rng, second_rng, second_skin_rng = (
        np.random.default_rng(s) for s in np.random.SeedSequence(settings.seed).spawn(8)
    )
    frames = frame_numbers(settings.instants, gesture_rng, largest_gap=_LARGEST_GAP[settings.kind])
    time = gesture_time(frames)
    if settings.kind == "mismatched":
        time = with_abrupt_move(time, mismatch_rng)
    betas = np.clip(shape_rng.normal(0, 0.7, 10), -2, 2)
    turn = None if len(hands) == 1 else second_rng.uniform(-np.pi, np.pi)
    moving = [
        _moving_hand(hand, betas, time, rng, turn)
        for hand, rng in zip(hands, (gesture_rng, second_rng), strict=False)
    ]
    if turn is not None:
        moving[1] = moving[1].shifted(meeting(moving[0].verts_world, moving[1].verts_world, turn, second_rng))
    textures = [
        skin_variation(skin, settings.texture_size, rng)
        for skin, rng in zip(skins, (skin_rng, second_skin_rng), strict=False)
    ]
    light = key_light(moving[0].verts_world, hands[0].topology, textures[0], light_rng)
    if settings.kind == "mismatched":
        light = uneven_light(light, mismatch_rng)
    verts_world = np.concatenate([moved.verts_world for moved in moving], axis=1)
    cameras = cameras_around(verts_world, settings.cameras, settings.size, camera_rng)
    return tuple(
        SyntheticTruth(
            side=hand.side,
            cameras=cameras,
            frames=frames,
            mano=moved.mano,
            verts_world=moved.verts_world,
            joints_world=moved.joints_world,
            texture=texture,
            light=light,
        )
        for hand, moved, texture in zip(hands, moving, textures, strict=True)
    )


@dataclass(frozen=True, eq=False)
class _MovingHand:
    mano: ManoParameters
    verts_world: Float[np.ndarray, "frame vertex 3"]
    joints_world: Float[np.ndarray, "frame 21 3"]

    def shifted(self, by_m: Float[np.ndarray, "3"]) -> "_MovingHand":
        mano = replace(self.mano, trans_m=self.mano.trans_m + by_m)
        return _MovingHand(mano, self.verts_world + by_m, self.joints_world + by_m)


def _moving_hand(
    hand: HandLayer,
    betas: Float[np.ndarray, "10"],
    time: Float[np.ndarray, " frame"],
    rng: np.random.Generator,
    turn: float | None,
) -> _MovingHand:
    rest = _posed(hand, np.zeros((1, 48)), np.zeros((1, 10)), np.zeros((1, 3)), flat_hand_mean=True)
    fingers = finger_gesture(rest[1][0], hand.side, time, rng)
    rotation, trans_m = global_motion(hand.side, time, rng, turn=turn)
    pose_aa = np.concatenate([rotation, fingers - hand.hands_mean.detach().cpu().numpy()], axis=1)
    shape = np.tile(betas, (len(time), 1))
    verts_world, joints_world = _posed(hand, pose_aa, shape, trans_m, flat_hand_mean=False)
    mano = ManoParameters(pose_aa, shape, trans_m, flat_hand_mean=False, open_hand=hand.open_hand)
    return _MovingHand(mano, verts_world, joints_world)


def save_truth(path: Path, truth: SyntheticTruth, second: SyntheticTruth | None = None) -> None:
    """Write the truth as one `.npz` without pickled objects; complete under its name, or not at all.

    A second hand's own arrays stand beside the first hand's under names that begin with `second_`.
    """
    cameras = list(truth.cameras.values())
    arrays: dict[str, Any] = {
        **_hand_arrays(truth),
        "frames": np.array(truth.frames),
        "light": truth.light,
        "camera_names": np.array(list(truth.cameras)),
        "camera_sizes_px": np.array([[c.width, c.height] for c in cameras]),
        "camera_intrinsics_px": np.array([c.intrinsics for c in cameras]),
        "camera_R_cam_world": np.array([c.R_cam_world for c in cameras]),
        "camera_t_cam_world": np.array([c.t_cam_world for c in cameras]),
    }
    if second is not None:
        arrays |= {f"{SECOND}{name}": values for name, values in _hand_arrays(second).items()}
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with unfinished.open("wb") as file:
            np.savez_compressed(file, **arrays)
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)


def load_truth(path: Path, side: Side | None = None) -> SyntheticTruth:
    """The truth of one hand: of the given side where the file holds it, else of the first.

    Raises:
        InputError: the file is missing or no truth file, lacks an array, or holds one that is not finite or does
            not fit the others.
    """
    arrays = _read_arrays(Path(path), side)
    sizes, intrinsics = arrays["camera_sizes_px"], arrays["camera_intrinsics_px"].tolist()
    R, t = arrays["camera_R_cam_world"], arrays["camera_t_cam_world"]
    names = [str(name) for name in arrays["camera_names"]]
    return SyntheticTruth(
        side="left" if arrays["side"] == "left" else "right",
        cameras={
            name: Camera(name, *size, *intrinsics[k], R_cam_world=R[k], t_cam_world=t[k])
            for k, (name, size) in enumerate(zip(names, sizes.tolist(), strict=True))
        },
        frames=tuple(int(frame) for frame in arrays["frames"]),
        mano=ManoParameters(
            arrays["pose_aa"],
            arrays["shape"],
            arrays["trans_m"],
            flat_hand_mean=bool(arrays["flat_hand_mean"]),
            open_hand=bool(arrays.get("open_hand", False)),  # earlier versions did not say
        ),
        verts_world=arrays["verts_world"],
        joints_world=arrays["joints_world"],
        texture=arrays["texture"],
        light=arrays["light"],
    )


#: Arrays of a truth file, with the sizes that are known: F instants, C cameras, None for any.
_ARRAYS: Mapping[str, tuple[int | str | None, ...]] = {
    "side": (),
    "flat_hand_mean": (),
    "frames": ("F",),
    "pose_aa": ("F", 48),
    "shape": ("F", 10),
    "trans_m": ("F", 3),
    "verts_world": ("F", None, 3),
    "joints_world": ("F", 21, 3),
    "texture": (None, None, 3),
    "light": (None, 3),
    "camera_names": ("C",),
    "camera_sizes_px": ("C", 2),
    "camera_intrinsics_px": ("C", 4),
    "camera_R_cam_world": ("C", 3, 3),
    "camera_t_cam_world": ("C", 3),
}


def _hand_arrays(truth: SyntheticTruth) -> dict[str, np.ndarray]:
    """What belongs to one hand alone."""
    return {
        "side": np.array(truth.side),
        "pose_aa": truth.mano.pose_aa,
        "shape": truth.mano.shape,
        "trans_m": truth.mano.trans_m,
        "flat_hand_mean": np.array(truth.mano.flat_hand_mean),
        "open_hand": np.array(truth.mano.open_hand),
        "verts_world": truth.verts_world,
        "joints_world": truth.joints_world,
        "texture": truth.texture,
    }


def _read_arrays(path: Path, side: Side | None) -> dict[str, np.ndarray]:
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
    except FileNotFoundError:
        raise InputError("there is no truth file", where=path) from None
    except (OSError, ValueError, zipfile.BadZipFile, AttributeError) as error:
        raise InputError("a truth file cannot be read", where=path, found=error) from error
    if side is not None and str(arrays.get(f"{SECOND}side")) == side:
        arrays |= {name.removeprefix(SECOND): v for name, v in arrays.items() if name.startswith(SECOND)}
    known: dict[str | int | None, int] = {}
    for name, shape in _ARRAYS.items():
        if name not in arrays:
            raise InputError(f"a truth file lacks {name!r}", where=path, found=", ".join(arrays))
        values = arrays[name]
        expected = tuple(
            n if n is None or isinstance(n, int) else known.setdefault(n, s)
            for n, s in zip(shape, values.shape, strict=False)
        )
        if len(shape) != values.ndim or any(
            n not in (None, s) for n, s in zip(expected, values.shape, strict=True)
        ):
            raise InputError(f"{name!r} of a truth file has the wrong shape", where=path, found=values.shape)
        if values.dtype.kind == "f" and not np.isfinite(values).all():
            raise InputError(f"{name!r} of a truth file holds NaN or infinity", where=path)
    if str(arrays["side"]) not in get_args(Side):
        raise InputError("a truth file's side is neither right nor left", where=path, found=arrays["side"])
    return arrays


def _posed(
    hand: HandLayer, pose_aa: np.ndarray, shape: np.ndarray, trans_m: np.ndarray, *, flat_hand_mean: bool
) -> tuple[np.ndarray, np.ndarray]:
    """Vertices and joints as float64 arrays."""
    like = {"dtype": hand.hands_mean.dtype, "device": hand.hands_mean.device}
    with torch.no_grad():
        out = hand(
            *(torch.as_tensor(values, **like) for values in (pose_aa, shape, trans_m)),
            flat_hand_mean=flat_hand_mean,
        )
    return out.verts_world.double().cpu().numpy(), out.joints_world.double().cpu().numpy()

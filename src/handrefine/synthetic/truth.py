"""Truth for synthetic videos: moving hands, their shape, skin and light, the cameras around them. No images."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from jaxtyping import Float

from handrefine.errors import InputError
from handrefine.hand.model import HandModel
from handrefine.sequence import Camera, FrameId, HandAnnotation, ManoParameters, Side
from handrefine.synthetic.capture_rig import cameras_around, key_light, skin_variation
from handrefine.synthetic.gesture import frame_numbers, gesture_time, moving_hand, with_abrupt_move
from handrefine.synthetic.hand_placement import shift_to_face
from handrefine.synthetic.held_thing import HeldKind
from handrefine.synthetic.mismatch import MismatchSettings, uneven_light

#: matched: the model can explain every image. mismatched: it cannot, see `handrefine.synthetic.mismatch`.
TruthKind = Literal["matched", "mismatched"]
#: More than this is a slip of the finger.
_MOST = {"n_cameras": 1000, "n_frames": 100_000, "size": 2**13, "texture_size": 2**14}
#: Longest gap between frames, in steps of three.
_LARGEST_GAP = {"matched": 4, "mismatched": 12}


@dataclass(frozen=True, kw_only=True)
class SyntheticSettings:
    """What kind of video to invent.

    Attributes:
        n_cameras: number of cameras on the half-sphere around the hand.
        n_frames: number of frames of the gesture.
        size: width and height of every image in pixels.
        texture_size: width and height of the true texture in texels.
        seed: same seed and settings, same truth.
        person_seed: where given, whose hands they are: videos of one have the same shape and skin.
        kind: matched, or mismatched: uneven light, a larger variety of gaps, an abrupt move; images differ
            from the model as `mismatch` says.
        held: a thing in the first hand, see `handrefine.synthetic.held_thing`.
    """

    n_cameras: int = 6
    n_frames: int = 4
    size: int = 128
    texture_size: int = 512
    seed: int = 0
    person_seed: int | None = None
    kind: TruthKind = "matched"
    mismatch: MismatchSettings = field(default_factory=MismatchSettings)
    held: HeldKind = "none"

    def __post_init__(self) -> None:
        for name, most in _MOST.items():
            if not 1 <= getattr(self, name) <= most:
                raise InputError(f"{name} is out of range", expected=f"1 to {most}", found=getattr(self, name))
        for name in ("seed", "person_seed"):
            if (value := getattr(self, name)) is not None and not 0 <= value < 2**32:
                raise InputError(f"{name} is out of range", expected="0 to 2^32 - 1", found=value)


@dataclass(frozen=True, eq=False)
class SyntheticTruth:
    """Everything that a synthetic video was made of.

    texture: linear RGB reflectance, row 0 at the top (v = 1).
    light: coefficients in the basis of `handrefine.spherical.sh_basis`: radiance(d) = basis(d) @ light, from
        infinitely far away; a mismatched video has a lamp besides.
    verts_world: in the model's own vertices also where the rendered surface has a relief.
    """

    side: Side
    cameras: Mapping[str, Camera]
    frames: tuple[FrameId, ...]
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
    hand: HandModel, skin: Float[np.ndarray, "height width 3"], settings: SyntheticSettings
) -> SyntheticTruth:
    """Invent a gesture, a person and a recording room.

    Args:
        hand: hand model, right or left.
        skin: reflectance to start from in the model's atlas, linear RGB, row 0 at the top.
    """
    return make_truths([hand], [skin], settings)[0]


def make_truths(
    hands: Sequence[HandModel], skins: Sequence[Float[np.ndarray, "_ _ 3"]], settings: SyntheticSettings
) -> tuple[SyntheticTruth, ...]:
    """The same for one or two hands of one person; frames, cameras and light are common to both.

    Both have the same betas, hence the mirrored shape where the models mirror each other, a gesture each, and a
    variation of the skin each. Their palms face one another, the second hand as near to the first as it gets
    without touching it (see `handrefine.synthetic.hand_placement`): each hides and shadows parts of the other.
    """
    gesture_rng, shape_rng, camera_rng, light_rng, skin_rng, mismatch_rng, second_rng, second_skin_rng = _rngs(
        settings.seed
    )
    if settings.person_seed is not None:
        _, shape_rng, _, _, skin_rng, _, _, second_skin_rng = _rngs(settings.person_seed)
    frames = frame_numbers(settings.n_frames, gesture_rng, largest_gap=_LARGEST_GAP[settings.kind])
    time = gesture_time(frames)
    if settings.kind == "mismatched":
        time = with_abrupt_move(time, mismatch_rng)
    betas = np.clip(shape_rng.normal(0, 0.7, 10), -2, 2)
    turn = second_rng.uniform(-np.pi, np.pi) if len(hands) > 1 else None
    first, *others = (
        moving_hand(hand, betas, time, rng, turn)
        for hand, rng in zip(hands, (gesture_rng, second_rng), strict=False)
    )
    moving = [
        first,
        *(
            other.shifted(shift_to_face(first.verts_world, other.verts_world, turn, second_rng))
            for other in others
            if turn is not None
        ),
    ]
    textures = [
        skin_variation(skin, settings.texture_size, rng)
        for skin, rng in zip(skins, (skin_rng, second_skin_rng), strict=False)
    ]
    light = key_light(first.verts_world, hands[0].topology, textures[0], light_rng)
    if settings.kind == "mismatched":
        light = uneven_light(light, mismatch_rng)
    verts_world = np.concatenate([moved.verts_world for moved in moving], axis=1)
    cameras = cameras_around(verts_world, settings.n_cameras, settings.size, camera_rng)
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


def _rngs(seed: int) -> list[np.random.Generator]:
    return [np.random.default_rng(of) for of in np.random.SeedSequence(seed).spawn(8)]

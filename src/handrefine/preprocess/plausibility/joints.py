"""Whether annotated joints are a hand's, and MANO parameters the same hand's; and what would explain it if not."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np
import torch
from jaxtyping import Float

from handrefine.errors import InputError
from handrefine.findings import Finding, some
from handrefine.hand.fit import FitSettings, fit_to_joints
from handrefine.hand.model import HandModel
from handrefine.preprocess.initialization import posed_joints
from handrefine.sequence import BONES, FrameId, HandAnnotation, ManoParameters

#: Mean distance of a fit to the joints, in millimetres, that no usual noise explains, and that no hand has.
POOR_MM, NO_FIT_MM = 12.0, 30.0
#: Above the first it is tried whether another side or order would fit better, above the second whether a side
#: would: a hand that is hardly bent nearly fits the joints of the other one.
SUSPICIOUS_MM, OTHER_SIDE_MM = 5.0, 2.0
#: The same of joints and of posed parameters of one annotation; annotators smooth, so that a centimetre is usual.
APART_MM, OTHER_HAND_MM = 25.0, 50.0
#: What explains a misfit brings it below this share of itself.
EXPLAINS = 0.5
#: Bones that are so much longer or shorter than a hand's are in another unit.
OTHER_UNIT = 5.0

Joints = Float[np.ndarray, "frame 21 3"]
_MIRROR = np.array([-1.0, 1.0, 1.0])
#: Rows of a table of joints in the order of `JOINT_NAMES`.
_ROOT_TO_TIP = list(range(21))
_TIP_TO_ROOT = [20, *(4 * finger + 3 - k for finger in range(5) for k in range(4))]
_MANO_ORDER = [0, 13, 14, 15, 16, 1, 2, 3, 17, 4, 5, 6, 18, 10, 11, 12, 19, 7, 8, 9, 20]
_WRIST_TIP_TO_ROOT = [0, *(1 + 4 * finger + 3 - k for finger in range(5) for k in range(4))]
_LITTLE_FINGER_FIRST = [0, *(1 + 4 * (4 - finger) + k for finger in range(5) for k in range(4))]
ORDERS: Mapping[str, Sequence[int]] = {
    "wrist first, every finger from its root to its tip (OpenPose, DexYCB, FreiHAND)": _ROOT_TO_TIP,
    "every finger from its tip to its root, wrist last (InterHand2.6M)": _TIP_TO_ROOT,
    "MANO's 16 joints, then the tips (HO-3D)": _MANO_ORDER,
    "wrist first, every finger from its tip to its root": _WRIST_TIP_TO_ROOT,
    "wrist first, the little finger before the others": _LITTLE_FINGER_FIRST,
}


def odd_joints(hand: HandModel, annotation: HandAnnotation, residual_mm: float, where: str) -> Iterator[Finding]:
    """A hand that does not fit the joints that it was fitted to."""
    joints_world = _known(annotation)
    if joints_world is None or residual_mm < OTHER_SIDE_MM:
        return
    if residual_mm < SUSPICIOUS_MM:
        yield from _other_side(hand, joints_world, where)
        return
    unit = _unit(hand, joints_world)
    found, explanation = f"mean residual {residual_mm:.1f} mm", None
    if not 1 / OTHER_UNIT < unit < OTHER_UNIT:
        explanation = f"bones are {unit:.3g} times as long as a hand's: are these metres?"
    else:
        explanation, then_mm = _explanation(hand, joints_world, residual_mm)
        if explanation is not None:
            found += f"; {explanation} it falls to {then_mm:.1f} mm"
    if residual_mm < POOR_MM and explanation is None:
        return
    sure = residual_mm > (POOR_MM if explanation else NO_FIT_MM)
    fix = (
        explanation
        or "check unit, order and side of the joints (InterHand2.6M: millimetres, tip to root, wrist last)"
    )
    yield Finding("error" if sure else "warning", "the hand does not fit its joints", where, found, fix)


def odd_parameters(
    hand: HandModel, annotation: HandAnnotation, mano: ManoParameters, frames: Sequence[int], where: str
) -> Iterator[Finding]:
    """MANO parameters that pose another hand than the joints of the same annotation show.

    mano: at `frames`, positions of the annotation.
    """
    joints_world = _known(annotation)
    if joints_world is None:
        return
    target = joints_world[list(frames)]
    apart_mm = _apart_mm(hand, mano, target)
    if not apart_mm > APART_MM:  # NaN: they are nowhere known both
        return
    others = {
        "with trans in millimetres": replace(mano, trans_m=mano.trans_m / 1000),
        "with trans in centimetres": replace(mano, trans_m=mano.trans_m / 100),
        "with angles relative to the other mean pose": replace(mano, flat_hand_mean=not mano.flat_hand_mean),
        "with shape zero": replace(mano, shape=np.zeros_like(mano.shape)),
    }
    then = {name: _apart_mm(hand, other, target) for name, other in others.items()}
    best = min(then, key=lambda name: then[name])
    found = f"their joints are {apart_mm:.0f} mm from the annotated ones"
    fix = "is the hand model the one of the dataset, and of this side? (--hand.model-file)"
    if then[best] < EXPLAINS * apart_mm:
        found += f"; {best} {then[best]:.0f} mm"
        fix = best
    level = "error" if apart_mm > OTHER_HAND_MM else "warning"
    yield Finding(level, "MANO parameters and annotated joints are not of the same hand", where, found, fix)


def left_out(
    annotation: HandAnnotation, used: Sequence[int], frames: Sequence[FrameId], where: str
) -> Iterator[Finding]:
    """Frames with images at which a hand is not refined, though something is annotated there."""
    joints_world = _known(annotation)
    known = np.zeros((len(frames), 21), bool) if joints_world is None else np.isfinite(joints_world).all(axis=2)
    some_joints = known.sum(axis=1) > 0
    unused = [k for k in range(len(frames)) if k not in set(used)]
    told = [frames[k] for k in unused if some_joints[k]]
    if told:
        parameters = annotation.mano is not None or annotation.mano_pca is not None
        what = "frames with joints but without MANO parameters" if parameters else "frames with too few joints"
        fix = "`handrefine fit` makes parameters from joints" if parameters else None
        found = f"{len(told)} of {len(frames)} frames: {some(told)}"
        yield Finding("warning", f"{what} are left out", where, found, fix)
    silent = [frames[k] for k in unused if not some_joints[k]]
    if silent:
        found = f"{len(silent)} of {len(frames)} frames: {some(silent)}"
        yield Finding("note", "frames without an annotation of the hand are left out", where, found)


def _known(annotation: HandAnnotation) -> Joints | None:
    """The joints, NaN where there is none."""
    if annotation.joints_world is None:
        return None
    valid = np.asarray(np.isfinite(annotation.joints_world).all(axis=-1))
    if annotation.joint_valid is not None:
        valid = valid & annotation.joint_valid
    return np.where(valid[..., None], annotation.joints_world, np.nan)


def _apart_mm(hand: HandModel, mano: ManoParameters, target: Joints) -> float:
    distance = np.linalg.norm(posed_joints(hand, mano) - target, axis=-1)
    return float(np.nanmedian(distance)) * 1e3 if np.isfinite(distance).any() else float("nan")


def _bone_ratios(hand: HandModel, joints_world: Joints) -> Float[np.ndarray, "frame 20"]:
    """Lengths of the bones over the model's."""
    rest = hand.joints(*(torch.zeros(1, n) for n in (48, 10, 3))).detach().numpy()
    a, b = np.array(BONES).T
    theirs = np.linalg.norm(joints_world[:, a] - joints_world[:, b], axis=-1)
    return np.maximum(theirs, 1e-9) / np.linalg.norm(rest[:, a] - rest[:, b], axis=-1)


def _other_side(hand: HandModel, joints_world: Joints, where: str) -> Iterator[Finding]:
    """Joints that a hand of the other side fits far better, at the first frame that has all of them."""
    whole = _whole(joints_world)
    if not len(whole):
        return
    own_mm = _fit_mm(hand, whole)
    other_mm = _fit_mm(hand, whole * _MIRROR)
    if own_mm > OTHER_SIDE_MM and other_mm < EXPLAINS * own_mm:
        found = f"residual {own_mm:.1f} mm; as a hand of the other side {other_mm:.1f} mm"
        fix = "are left and right exchanged?"
        yield Finding("warning", "the joints seem to be those of the other hand", where, found, fix)


def _whole(joints_world: Joints) -> Float[np.ndarray, "whole 21 3"]:
    """The first frame at which all joints are known; none where there is no such."""
    return joints_world[np.isfinite(joints_world).sum(axis=(1, 2)) == joints_world[0].size][:1]


def _unit(hand: HandModel, joints_world: Joints) -> float:
    """The median ratio of bones to the model's."""
    ratios = _bone_ratios(hand, joints_world)
    return float(np.nanmedian(ratios)) if np.isfinite(ratios).any() else 1.0


def _explanation(hand: HandModel, joints_world: Joints, residual_mm: float) -> tuple[str | None, float]:
    """Another order of the joints, or another side, that a hand fits; and its residual at one frame."""
    whole = _whole(joints_world)
    if not len(whole):
        return None, residual_mm
    orders = {f"in the order {name}": of for name, of in _orders(hand, whole).items()}
    candidates = orders | {"as a hand of the other side": whole * _MIRROR}
    candidates |= {f"{name}, of the other side": of * _MIRROR for name, of in orders.items()}
    best, best_mm = None, residual_mm * EXPLAINS
    for name, of in candidates.items():
        then_mm = _fit_mm(hand, of)
        if then_mm < best_mm - 0.5:
            best, best_mm = name, then_mm
        if best_mm < SUSPICIOUS_MM:
            break
    return best, best_mm


def _orders(hand: HandModel, joints: Joints) -> dict[str, Joints]:
    """The joints as if their table had been in another order than the one it was read by; the likeliest few."""
    found: dict[str, Joints] = {}
    for read_by in ORDERS.values():
        table = joints[:, np.argsort(read_by)]
        for name, order in ORDERS.items():
            other = table[:, order]
            if name not in found or _misfit(hand, other) < _misfit(hand, found[name]):
                found[name] = other
    now = _misfit(hand, joints)
    likely = [name for name, of in found.items() if _misfit(hand, of) < 0.6 * now]
    return {name: found[name] for name in sorted(likely, key=lambda name: _misfit(hand, found[name]))[:2]}


def _misfit(hand: HandModel, joints: Joints) -> float:
    """How much the bones' lengths differ from the model's, whatever the size of the hand."""
    ratios = np.log(_bone_ratios(hand, joints))
    return float(np.abs(ratios - np.median(ratios)).mean())


def _fit_mm(hand: HandModel, joints: Joints) -> float:
    try:
        fit = fit_to_joints(
            hand, torch.tensor(joints), torch.ones(joints.shape[:2], dtype=torch.bool), FitSettings(iterations=5)
        )
    except InputError:
        return float("inf")
    return float(np.nanmean(fit.residual_mm))

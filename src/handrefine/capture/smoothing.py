"""Joints over time: the smoothest path that the measurements allow, as smooth as held-out frames say.

Of every joint `sum_t (x_t - y_t)^T C_t^-1 (x_t - y_t) + sum_t |x_{t-1} - 2 x_t + x_{t+1}|^2 / a^2` is minimised:
`C` is what triangulation knows about the joint's error, direction by direction, and `a` the acceleration that is
usual for this hand. It is the one that predicts left-out frames best, so that a hand at rest comes to rest and a
fast one keeps its motion. Measurements that do not fit are down-weighted (Huber). Long gaps stay gaps.
"""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from jaxtyping import Bool, Float
from scipy.linalg import solveh_banded

#: Accelerations to choose from, in metres a frame^2.
_ACCELERATIONS_M = np.geomspace(1e-5, 3e-2, 12)
#: Beyond so many standard deviations a measurement pulls no harder; beyond the second it is dropped.
_HUBER, _DROPPED = 2.0, 6.0
_REWEIGHTINGS = 4
#: A joint that is missing at so many frames in a row is interpolated; longer gaps stay open.
LONGEST_GAP = 3
_FOLDS = 4


@dataclass(frozen=True, eq=False)
class Smoothed:
    """Joints at all frames.

    valid: False in gaps that are too long to be interpolated; there `points` is NaN.
    measured: True where a measurement supports the joint at that very frame.
    acceleration_m: what was chosen, in metres a frame^2.
    """

    points: Float[np.ndarray, "frame joint 3"]
    valid: Bool[np.ndarray, "frame joint"]
    measured: Bool[np.ndarray, "frame joint"]
    acceleration_m: float


def smooth(
    points: Float[np.ndarray, "frame joint 3"], covariance: Float[np.ndarray, "frame joint 3 3"]
) -> Smoothed:
    """Smooths every joint by itself, all with the same `a`. NaN points are no measurements; metres."""
    known = np.asarray(np.isfinite(points).all(axis=-1))
    information = np.zeros_like(covariance)
    # A floor of 0.3 mm: what all cameras believe in common (the detector's idea of a joint) no noise tells.
    information[known] = np.linalg.inv(covariance[known] + (3e-4) ** 2 * np.eye(3))
    if not known.any() or len(points) < 3:
        return Smoothed(points, known, known, float("nan"))
    acceleration = _acceleration(points, information, known)
    smoothed, weight = _robust(points, information, acceleration)
    measured = known & (weight > 0)
    valid = _short_gaps_filled(measured)
    return Smoothed(np.where(valid[..., None], smoothed, np.nan), valid, measured, acceleration)


def _acceleration(points: np.ndarray, information: np.ndarray, known: np.ndarray) -> float:
    """The acceleration whose path through the other frames meets left-out ones best (truncated Mahalanobis)."""
    fold = (np.arange(len(points)) * 7919 % len(points)) % _FOLDS
    scores = []
    for acceleration in _ACCELERATIONS_M:
        score = 0.0
        for k in range(_FOLDS):
            out = fold == k
            kept = np.where(out[:, None, None, None], 0.0, information)
            path, _ = _robust(points, kept, acceleration, reweightings=1)
            inside = known & out[:, None] & _bracketed(known & ~out[:, None])
            score += float(np.minimum(_mahalanobis(path, points, information)[inside], _DROPPED).sum())
        scores.append(score)
    return float(_ACCELERATIONS_M[int(np.argmin(scores))])


def _bracketed(known: np.ndarray) -> np.ndarray:
    """Frames with a known one before and after."""
    before = np.maximum.accumulate(known, axis=0)
    after = np.maximum.accumulate(known[::-1], axis=0)[::-1]
    return before & after


def _robust(
    points: np.ndarray, information: np.ndarray, acceleration: float, reweightings: int = _REWEIGHTINGS
) -> tuple[np.ndarray, np.ndarray]:
    weight = (information[..., 0, 0] > 0).astype(np.float64)
    path = _paths(points, information, acceleration)
    for _ in range(reweightings):
        distance = _mahalanobis(path, points, information)
        weight = np.where(distance > _HUBER, _HUBER / np.maximum(distance, _HUBER), 1.0)
        weight = np.where((distance > _DROPPED) | (information[..., 0, 0] == 0), 0.0, weight)
        path = _paths(points, weight[..., None, None] * information, acceleration)
    return path, weight


def _mahalanobis(path: np.ndarray, points: np.ndarray, information: np.ndarray) -> np.ndarray:
    d = np.nan_to_num(path - points)
    return np.sqrt(np.einsum("fji,fjik,fjk->fj", d, information, d).clip(min=0))


def _paths(points: np.ndarray, information: np.ndarray, acceleration: float) -> np.ndarray:
    """Every joint's least-squares path: a banded system, three coordinates a frame."""
    n = len(points)
    D = np.zeros((n - 2, n))
    k = np.arange(n - 2)
    D[k, k], D[k, k + 1], D[k, k + 2] = 1.0, -2.0, 1.0
    second = D.T @ D / acceleration**2 + 1e-6 * np.eye(n)  # a joint that is never seen has some solution, too
    bands = np.zeros((9, 3 * n))
    for axis in range(3):
        for off in range(3):
            bands[8 - 3 * off, 3 * off + axis :: 3] = np.diagonal(second, off)
    paths = np.empty_like(points)
    y = np.nan_to_num(points)
    for joint in range(points.shape[1]):
        own = bands.copy()
        W = information[:, joint]
        for i in range(3):
            for j in range(i, 3):
                own[8 - (j - i), j::3] += W[:, i, j]
        right = np.einsum("fik,fk->fi", W, y[:, joint]).ravel()
        paths[:, joint] = solveh_banded(own, right).reshape(n, 3)
    return paths


def _short_gaps_filled(measured: np.ndarray) -> np.ndarray:
    valid = measured.copy()
    for joint in range(measured.shape[1]):
        places = np.flatnonzero(measured[:, joint])
        for a, b in pairwise(places):
            if b - a - 1 <= LONGEST_GAP:
                valid[a:b, joint] = True
    return valid

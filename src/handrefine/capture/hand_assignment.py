"""Which detected hand is the right one: consistent over cameras and over time, not by the detector's word alone.

A view's two slots stand as they are or exchanged. The arrangement minimises, frame by frame, how badly the hands
of every pair of cameras meet, what the detector says, and how far hands jump in the image since the frame before.
"""

from itertools import combinations, pairwise, product

import numpy as np
from jaxtyping import Bool, Float

from handrefine.capture.detections import Detections
from handrefine.capture.triangulation import Rig

#: Costs are in units of the rays' distance. A pair of hands that does not meet costs at most `_MOST`, as do a jump
#: (normalised coordinates) and a hand where none has been; a sure word of the detector counts `_WORD`, a hand that
#: only one of two cameras has `_ALONE`.
_MOST, _WORD, _ALONE = 0.04, 0.015, 0.008
#: A hand is remembered for so many frames, and goes on where it is nearer than this to where it was.
_MEMORY, _NEAR = 10, 0.025
#: Arrangements of more cameras than this are found camera by camera.
_MOST_ENUMERATED = 8


def assign_hands(
    rig: Rig, detections: Detections, rays: Float[np.ndarray, "camera frame 2 21 2"]
) -> Bool[np.ndarray, "camera frame"]:
    """Where the two slots have to be exchanged, so that slot 0 is the right hand everywhere.

    A hand keeps its name as long as any camera can follow it. What it is called is put to the vote of all words
    that the detector says of it: a wrong word, even a row of them, renames no hand.
    """
    pairs = {(i, j): _pair_costs(rig, rays, i, j) for i, j in combinations(range(len(rig.R)), 2)}
    words = _word_costs(detections)
    states = np.zeros(rays.shape[:2], dtype=np.int64)
    memory = np.full((len(rig.R), 2, 21, 2), np.nan)
    age = np.zeros((len(rig.R), 2), dtype=np.int64)
    begins = np.zeros(rays.shape[1], dtype=bool)
    for f in range(rays.shape[1]):
        memory[age > _MEMORY] = np.nan
        jumps = np.stack([_jumps(memory, rays[:, f]), _jumps(memory, rays[:, f, ::-1])], axis=1)
        costs = words[:, f] + np.minimum(jumps, _MOST).sum(axis=-1)
        states[:, f] = _best(costs, {pair: cost[f] for pair, cost in pairs.items()}, states[:, max(f - 1, 0)])
        kept = np.take_along_axis(jumps, states[:, f, None, None], axis=1)[:, 0]
        arranged = np.where(states[:, f, None, None, None] == 1, rays[:, f, ::-1], rays[:, f])
        seen = np.asarray(np.isfinite(arranged[..., 0]).any(axis=-1))
        begins[f] = not ((kept < _NEAR) & seen).any()
        memory[seen] = arranged[seen]
        age = np.where(seen, 0, age + 1)
    return _voted(states, words, begins).astype(bool)


def _pair_costs(rig: Rig, rays: np.ndarray, i: int, j: int) -> Float[np.ndarray, "frame 2 2"]:
    """Cost of every arrangement (of camera i, of camera j) at every frame: how far the joints' rays miss."""
    missed = np.full((rays.shape[1], 2, 2), np.nan)
    for a, b in product(range(2), range(2)):
        missed[:, a, b] = _median(rig.epipolar(i, j, rays[i, :, a], rays[j, :, b]))
    costs = np.zeros((rays.shape[1], 2, 2))
    has = np.asarray(np.isfinite(rays[[i, j], ..., 0]).any(axis=-1))
    for a, b in product(range(2), range(2)):  # arrangement a puts its slot a first
        first, second = missed[:, a, b], missed[:, 1 - a, 1 - b]
        costs[:, a, b] = np.nan_to_num(np.minimum(first, _MOST)) + np.nan_to_num(np.minimum(second, _MOST))
        for one, other in ((a, b), (1 - a, 1 - b)):
            costs[:, a, b] += _ALONE * (has[0, :, one] ^ has[1, :, other])
    return costs


def _median(misses: Float[np.ndarray, "frame 21"]) -> Float[np.ndarray, " frame"]:
    """Over the joints that both cameras see; NaN where there is none."""
    found = np.asarray(np.isfinite(misses).any(axis=-1))
    return np.where(found, np.nanmedian(np.where(found[:, None], misses, 0.0), axis=-1), np.nan)


def _word_costs(detections: Detections) -> Float[np.ndarray, "camera frame 2"]:
    """Cost of leaving a view's slots, and of exchanging them, by what the detector says."""
    known = np.asarray(np.isfinite(detections.uv_px[..., 0]).any(axis=-1))
    says = np.where(known, 2 * detections.right_score - 1, 0.0)  # 1: a right hand, -1: a left one
    as_is = (1 - says[..., 0]) / 2 * known[..., 0] + (1 + says[..., 1]) / 2 * known[..., 1]
    exchanged = (1 - says[..., 1]) / 2 * known[..., 1] + (1 + says[..., 0]) / 2 * known[..., 0]
    return _WORD * np.stack([as_is, exchanged], axis=-1)


def _jumps(
    before: Float[np.ndarray, "camera 2 21 2"], now: Float[np.ndarray, "camera 2 21 2"]
) -> Float[np.ndarray, "camera 2"]:
    """How far every hand jumps: 0 where none is seen now, `_MOST` where none was remembered."""
    distance = np.linalg.norm(before - now, axis=-1)
    both, seen = np.isfinite(distance).any(axis=-1), np.isfinite(now[..., 0]).any(axis=-1)
    median = np.nanmedian(np.where(both[..., None], distance, 0.0), axis=-1)
    return np.where(both, median, np.where(seen, _MOST, 0.0))


def _best(single: np.ndarray, pairs: dict[tuple[int, int], np.ndarray], start: np.ndarray) -> np.ndarray:
    """The arrangement of least cost: of all where they are few, else by changing one camera after the other."""
    n = len(single)

    def total(states: np.ndarray) -> np.ndarray:
        costs = [single[c, states[..., c]] for c in range(n)]
        return np.sum([*costs, *(pairs[i, j][states[..., i], states[..., j]] for i, j in pairs)], axis=0)

    if n <= _MOST_ENUMERATED:
        every = np.array(list(product(range(2), repeat=n)))
        return every[int(np.argmin(total(every)))]
    best = np.array(start)
    for _ in range(3):
        for c in range(n):
            both = np.repeat(best[None], 2, axis=0)
            both[:, c] = (0, 1)
            best = both[int(np.argmin(total(both)))]
    return best


def _voted(states: np.ndarray, words: np.ndarray, begins: np.ndarray) -> np.ndarray:
    """All exchanged, from one beginning to the next, where the detector's words say so: geometry names no side."""
    states = states.copy()
    edges = np.flatnonzero(np.concatenate([[True], begins[1:], [True]]))
    for start, end in pairwise(edges):
        frames = slice(int(start), int(end))
        cost = np.take_along_axis(words[:, frames], states[:, frames, None], axis=2).sum()
        other = np.take_along_axis(words[:, frames], 1 - states[:, frames, None], axis=2).sum()
        if other < cost:
            states[:, frames] = 1 - states[:, frames]
    return states

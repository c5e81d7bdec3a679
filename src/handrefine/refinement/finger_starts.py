"""Where fingers may begin anew: bent otherwise, in a neighbouring finger's place, or between the frames beside."""

from collections.abc import Iterator, Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from handrefine.hand.anatomy import joint_axes
from handrefine.scene.video_model import VideoHand

#: Angles of all fingers, and of one finger each in MANO's order: index, middle, little, ring finger, thumb.
ALL = tuple(range(45))
FINGERS = tuple(ALL[first : first + 9] for first in range(0, 45, 9))
INDEX, MIDDLE, LITTLE, RING, _ = range(5)
#: Fingers that lie beside one another.
PAIRS = ((INDEX, MIDDLE), (MIDDLE, RING), (RING, LITTLE))
#: Radians by which a finger's joints bend from the flat hand: straight, half, hooked, from the knuckle, a fist.
BENDS = ((0.1, 0.1, 0.1), (0.6, 0.7, 0.4), (0.2, 1.3, 0.8), (1.2, 0.4, 0.2), (1.3, 1.5, 0.9))

#: Correctives of the annotation, and which of the angles begin there.
Start = tuple[Float[Tensor, "frame 45"], tuple[int, ...]]


def bent_otherwise(hand: VideoHand) -> Iterator[Start]:
    """Fingers without spread and twist: pairs that exchange their bends, then each by its own bend and by `BENDS`.

    Two fingers that were led into each other's place mostly are crossed, and bent as the other one. The thumb is
    left out, since how it bends differs from model to model.
    """
    pose, axes = hand.pose, joint_axes(hand.hand)[:, 0]
    mean = 0.0 if pose.flat_hand_mean else hand.hand.hands_mean

    def correctives(bends: Float[Tensor, "frame 5 3"]) -> Float[Tensor, "frame 45"]:
        return (bends.flatten(1)[..., None] * axes).flatten(1) - mean - pose.base_articulation

    from_flat = (pose.articulation_aa() + mean).detach().unflatten(1, (15, 3))
    now = (from_flat * axes).sum(dim=2).unflatten(1, (5, 3))
    for one, other in PAIRS:
        exchanged = now.clone()
        exchanged[:, [one, other]] = now[:, [other, one]]
        yield correctives(exchanged), FINGERS[one] + FINGERS[other]
    for bends in (now, *(now.new_tensor(bend).expand_as(now) for bend in BENDS)):
        yield from ((correctives(bends), finger) for finger in FINGERS[:4])


def between_neighbours(hand: VideoHand, times: Sequence[int]) -> Float[Tensor, "frame 45"]:
    """Correctives of the annotation that bring every frame between its neighbours in time as they are now."""
    base = hand.pose.base_articulation
    time = torch.tensor(times, dtype=base.dtype, device=base.device)
    return predicted_by_neighbours(hand.pose.articulation_aa().detach(), time) - base


def predicted_by_neighbours(
    values: Float[Tensor, "frame value"], time: Float[Tensor, " frame"]
) -> Float[Tensor, "frame value"]:
    """Each frame as its two neighbours predict it, linear in time; at the ends as the one neighbour is."""
    inner = ((time[1:-1] - time[:-2]) / (time[2:] - time[:-2]))[:, None]
    return torch.cat([values[1:2], (1 - inner) * values[:-2] + inner * values[2:], values[-2:-1]])

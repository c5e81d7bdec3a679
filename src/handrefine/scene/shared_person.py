"""What hands of one person have in common, in one video or in several: they hold the same parameters."""

from collections.abc import Iterable, Sequence
from typing import cast

import torch
from torch import nn

from handrefine.errors import InputError
from handrefine.hand.config import HandsConfig
from handrefine.hand.model import mirrors
from handrefine.scene.video_model import VideoHand, VideoModel


def share(hands: Sequence[VideoHand], config: HandsConfig) -> None:
    """Let hands of one side have one shape, which starts at the mean of all, one surface and one texture.

    Those of the other side have the same ones where the configuration says so; textures are the first hand's.

    Raises:
        InputError: left and right hands are to share a shape, and their models are no mirror images.
    """
    for group in _groups(hands, together=config.shared_shape):
        _share_shape(group)
    for first, *others in _groups(hands, together=config.shared_texture):
        for other in others:
            other.texture = first.texture


class SeveralVideos(nn.Module):
    """The unknowns of several videos, of which some are one parameter: what an optimiser moves at once."""

    def __init__(self, videos: Iterable[VideoModel]) -> None:
        super().__init__()
        self._videos = nn.ModuleList(videos)

    @property
    def videos(self) -> tuple[VideoModel, ...]:
        return cast("tuple[VideoModel, ...]", tuple(self._videos))

    @property
    def hands(self) -> tuple[VideoHand, ...]:
        """Those of all videos."""
        return tuple(hand for video in self.videos for hand in video.hands)

    def parameters_of(self, variable: str) -> list[nn.Parameter]:
        """The parameters behind a variable's name, each once."""
        return list(dict.fromkeys(p for video in self.videos for p in video.parameters_of(variable)))


def _groups(hands: Sequence[VideoHand], *, together: bool) -> list[list[VideoHand]]:
    """The hands of either side, or all."""
    sides = dict.fromkeys(None if together else of.hand.side for of in hands)
    return [[of for of in hands if side is None or of.hand.side == side] for side in sides]


def _share_shape(hands: Sequence[VideoHand]) -> None:
    first, *others = hands
    for other in others:
        if other.hand.side != first.hand.side and not mirrors(other.hand, first.hand):
            raise InputError(
                f"the {other.hand.side} hand model is not the mirror image of the {first.hand.side} one, so"
                " that they cannot share a shape",
                where="hands.shared_shape",
                found=f"{other.hand.name} beside {first.hand.name}",
                fix="add --hand.fix-left-shape, or switch hands.shared_shape off",
            )
    if not others:
        return
    with torch.no_grad():
        first.pose.shape.copy_(torch.stack([of.pose.shape for of in hands]).mean(dim=0))
    for other in others:
        other.pose.shape = first.pose.shape
        if first.surface is not None and other.surface is not None:
            other.surface.coefficients = first.surface.coefficients

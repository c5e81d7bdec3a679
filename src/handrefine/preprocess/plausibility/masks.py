"""Masks that say nothing: empty ones, and such that cover whole pictures."""

from collections.abc import Iterator, Sequence

from handrefine.findings import Finding, some
from handrefine.preprocess.plausibility.evidence import SeenView, by_camera, share_inside

#: A mask of less, or of more, of the picture says nothing.
EMPTY, EVERYWHERE = 0.0005, 0.97
#: Share of the hand that must be in the picture for an empty mask to be odd.
IN_PICTURE = 0.5


def odd_masks(views: Sequence[SeenView]) -> Iterator[Finding]:
    """Masks without a pixel although the hand is in the picture, and masks that cover all of it."""
    masked = [view for view in views if view.masked and len(view.points_world)]
    seeing = [view for view in masked if share_inside(view.points_world, view.camera) > IN_PICTURE]
    empty = [view for view in seeing if view.area < EMPTY]
    full = [view for view in masked if view.area > EVERYWHERE]
    for of, what, fix in (
        (empty, "masks are empty although the hand is in the picture", "leave them out: --labels.source segment"),
        (full, "masks cover the whole picture", "is the shape in another channel, or are the values soft?"),
    ):
        if of:
            yield Finding(
                "error" if len(of) == len(masked) > 1 else "warning",
                what,
                f"cameras {some(by_camera(of))}",
                f"{len(of)} of the {len(masked)} that were looked at",
                fix,
            )

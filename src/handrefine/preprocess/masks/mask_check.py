"""A rough mask and a segmentation by colours, each believed where the picture's edges speak for it."""

import cv2
import numpy as np
from jaxtyping import Bool, Float, Int, Int8, UInt8

from handrefine.preprocess.masks.labels import HAND, NOT_HAND, UNKNOWN

#: Share of a contour that must lie on edges of the picture for its side to be believed.
SUPPORTED = 0.6
#: Radius within which that share is told along the contour, as a share of the hand's length.
ALONG = 0.05
#: An edge is steeper than this share of the places on the hand, and than this many 8-bit levels a pixel.
STEEPER_THAN, LEAST_STEEP = 0.8, 4.0
_SQUARE = np.ones((3, 3), np.uint8)

Region = Bool[np.ndarray, "height width"]
Labels = Int8[np.ndarray, "height width"]


def reconciled(
    mask: Region, picture: UInt8[np.ndarray, "height width 3"], segmented: Labels, length_px: float
) -> Labels:
    """What a mask and a segmentation by colours say together; UNKNOWN where neither is to be believed.

    Where they agree, and where the segmentation is unsure, the mask stands. The other pixels fall into
    connected patches, and along each runs a piece of the mask's contour on the one side and of the
    segmentation's on the other. A side's support is the share of its piece that lies within a pixel of an edge of
    the picture (Canny), or of its contour near the pixel itself where that is less. The better supported side is
    believed, the mask where
    both are equal, and neither below three fifths.

    Args:
        mask: True where it says skin.
        picture: 8-bit sRGB.
        segmented: what colours say of skin, `colour_segmentation.segment`.
        length_px: the hand's length in this picture.
    """
    label = np.where(mask, HAND, NOT_HAND).astype(np.int8)
    disagree = np.where(mask, segmented == NOT_HAND, segmented == HAND)
    if not disagree.any():
        return label
    edges = _near_edges(picture, mask & (segmented == HAND))
    radius_px = max(2.0, ALONG * length_px)
    by_mask = _support(disagree, _contour(mask), edges, radius_px)
    by_colours = _support(disagree, _contour(segmented == HAND), edges, radius_px)
    label[disagree & (by_mask < SUPPORTED)] = UNKNOWN
    decided = disagree & (by_colours >= SUPPORTED) & (by_colours > by_mask)
    label[decided] = segmented[decided]
    return label


def edge_counts(
    mask: Region, picture: UInt8[np.ndarray, "height width 3"], segmented: Labels, judged: Region
) -> Int[np.ndarray, "2 2"]:
    """How much of the mask's and of the segmentation's contour (rows) lies on edges of the picture, and how much
    of it there is (columns), in pixels.

    Args:
        judged: pixels whose contours count.
    """
    edges = _near_edges(picture, mask & (segmented == HAND))
    contours = [_contour(of) & judged for of in (mask, segmented == HAND)]
    return np.array([[np.count_nonzero(of & edges), np.count_nonzero(of)] for of in contours])


def _support(
    disagree: Region, contour: Region, edges: Region, radius_px: float
) -> Float[np.ndarray, "height width"]:
    """For every pixel of a patch, the share of a contour that lies on edges: along the patch or near the pixel,
    whichever is less; 0 without a contour."""
    if not contour.any():
        return np.zeros(disagree.shape)
    supported = contour & edges
    along = _share_of_patch(disagree, contour, supported)
    return np.minimum(along, _share_nearby(contour, supported, radius_px))


def _contour(mask: Region) -> Region:
    """Pixels of the mask next to pixels that are not, both within the picture."""
    return mask & (cv2.erode(mask.astype(np.uint8), _SQUARE) == 0)


def _near_edges(picture: UInt8[np.ndarray, "height width 3"], hand: Region) -> Region:
    """Within a pixel of an edge that is steeper than most of the hand; in the channel that changes most."""
    smooth = cv2.GaussianBlur(picture, (0, 0), 1.0)
    dx, dy = cv2.Sobel(smooth, cv2.CV_16S, 1, 0), cv2.Sobel(smooth, cv2.CV_16S, 0, 1)
    channel = np.hypot(dx.astype(np.float32), dy.astype(np.float32)).argmax(axis=2)[..., None]
    dx, dy = (np.ascontiguousarray(np.take_along_axis(d, channel, axis=2)[..., 0]) for d in (dx, dy))
    steepness = np.hypot(dx.astype(np.float32), dy.astype(np.float32))
    usual = float(np.quantile(steepness[hand], STEEPER_THAN)) if hand.any() else 0.0
    # A Sobel filter of three pixels sums up to eight times the slope.
    high = max(usual, 8 * LEAST_STEEP)
    edges = cv2.Canny(dx, dy, high / 2, high, L2gradient=True)
    return cv2.dilate(edges, _SQUARE) > 0


def _share_of_patch(disagree: Region, contour: Region, supported: Region) -> Float[np.ndarray, "height width"]:
    """For every pixel of a patch, which share of the contour along the patch is supported; 0 without a contour."""
    count, patch = cv2.connectedComponents(disagree.astype(np.uint8), connectivity=4)
    # The mask's outermost row lies in the patch, or next to it.
    grown = np.asarray(cv2.dilate(patch.astype(np.float32), _SQUARE)).astype(int)
    pieces = np.bincount(grown[contour], minlength=count)
    share = np.bincount(grown[supported], minlength=count) / np.maximum(pieces, 1)
    return share[np.asarray(patch).astype(int)]


def _share_nearby(contour: Region, supported: Region, radius_px: float) -> Float[np.ndarray, "height width"]:
    """Supported share of the contour around the contour's pixel that is nearest to each pixel."""
    side = 2 * round(radius_px) + 1
    around = cv2.boxFilter(contour.astype(np.float32), -1, (side, side), normalize=False)
    share = cv2.boxFilter(supported.astype(np.float32), -1, (side, side), normalize=False) / np.maximum(
        around, 0.5
    )
    _, nearest = cv2.distanceTransformWithLabels(
        (~contour).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_5, labelType=cv2.DIST_LABEL_PIXEL
    )
    nearest = np.asarray(nearest).astype(int)
    of_label = np.zeros(nearest.max() + 1, np.float32)
    of_label[nearest[contour]] = share[contour]
    return of_label[nearest]

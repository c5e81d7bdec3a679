"""The motion of one camera's renders that brings them onto its labels: shift, roll and, if it must be, scale."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
from jaxtyping import Float
from scipy.optimize import minimize
from scipy.spatial.transform import Rotation

from handrefine.sequence import Camera

#: Rolls that are tried before the best is refined, radians.
ROLLS = np.linspace(-0.12, 0.12, 7)
#: First steps of the refinement: full-image pixels, radians, and log scale.
STEP_PX, STEP_RAD, STEP_SCALE = 3.0, 0.02, 0.02
#: A scale is believed only where it takes away this share of the misfit that shift and roll leave.
WORTH_A_SCALE = 0.3
#: Images are smoothed by this share of their longest side, so that misfits have a slope everywhere.
SMOOTH = 0.01


@dataclass(frozen=True, eq=False)
class SilhouettePair:
    """One hand in one view: what is rendered, what labels say, and where the window lies in the full image.

    coverage, hand_share: of every pixel; known: 1 where labels say something.
    corner_px, scale: the window's upper left corner in the full image, and full pixels a window pixel (x, y).
    hand: which of the hands it is.
    """

    coverage: Float[np.ndarray, "height width"]
    hand_share: Float[np.ndarray, "height width"]
    known: Float[np.ndarray, "height width"]
    corner_px: Float[np.ndarray, "2"]
    scale: Float[np.ndarray, "2"]
    hand: int


@dataclass(frozen=True)
class Motion:
    """A motion of the render in the full image: shifted, and rolled (x towards y) and scaled about `about_px`."""

    shift_px: tuple[float, float]
    roll_rad: float
    scale: float
    about_px: tuple[float, float]

    @property
    def length_px(self) -> float:
        return float(np.hypot(*self.shift_px))

    def matrix(self) -> Float[np.ndarray, "2 3"]:
        """The affine map of full-image pixels."""
        cos, sin = np.cos(self.roll_rad), np.sin(self.roll_rad)
        turn = self.scale * np.array([[cos, -sin], [sin, cos]])
        about = np.array(self.about_px)
        return np.column_stack([turn, about - turn @ about + np.array(self.shift_px)])

    def camera(self, camera: Camera) -> Camera:
        """The camera whose images show the motion: turned about its centre, its focal lengths scaled.

        To first order a rotation vector w of the scene in the camera's frame moves the image point (x, y) near the
        axis by `(w_y - w_z y, -w_x + w_z x)`; a shift of the image is taken for a rotation, since at a hand's
        distance the two cannot be told from a shifted principal point.
        """
        principal = np.array([camera.cx, camera.cy])
        moved = self.matrix() @ np.array([*principal, 1.0]) - principal
        fx, fy = camera.fx * self.scale, camera.fy * self.scale
        turn = Rotation.from_rotvec([-moved[1] / fy, moved[0] / fx, self.roll_rad]).as_matrix()
        return replace(camera.turned(turn), fx=fx, fy=fy)


@dataclass(frozen=True)
class Alignment:
    """The best motion of one camera's renders, and the misfit without and with it: shares of the labelled area."""

    motion: Motion
    misfit_before: float
    misfit_after: float


def align(pairs: Sequence[SilhouettePair]) -> Alignment | None:
    """The motion that brings a camera's renders onto its labels; None where labels show no hand.

    Cross-correlation finds the shift for a few rolls, and a simplex search refines the best of them, with a scale
    where that explains much more. The misfit is `sum |coverage - hand| / sum hand` over the pixels of which labels
    say something.
    """
    if not pairs or sum(float((p.hand_share * p.known).sum()) for p in pairs) < 1.0:
        return None
    about = _centre(pairs)
    smooth = [_smoothed(pair) for pair in pairs]

    def motion(parameters: np.ndarray) -> Motion:
        scale = float(np.exp(parameters[3])) if len(parameters) > 3 else 1.0
        return Motion((float(parameters[0]), float(parameters[1])), float(parameters[2]), scale, about)

    def search(start: np.ndarray, steps: Sequence[float]) -> np.ndarray:
        simplex = start + np.vstack([np.zeros(len(start)), np.diag(steps)])
        options = {"initial_simplex": simplex, "maxiter": 60 * len(start)}
        return minimize(lambda x: _misfit(smooth, motion(x)), start, method="Nelder-Mead", options=options).x

    starts = [np.zeros(3), *(np.array([*_best_shift(smooth, roll, about), roll]) for roll in ROLLS)]
    rigid = search(min(starts, key=lambda x: _misfit(smooth, motion(x))), (STEP_PX, STEP_PX, STEP_RAD))
    scaled = search(np.array([*rigid, 0.0]), (STEP_PX, STEP_PX, STEP_RAD, STEP_SCALE))
    better = _misfit(pairs, motion(scaled)) < (1 - WORTH_A_SCALE) * _misfit(pairs, motion(rigid))
    best = motion(scaled if better else rigid)
    return Alignment(best, _misfit(pairs, motion(np.zeros(3))), _misfit(pairs, best))


def _centre(pairs: Sequence[SilhouettePair]) -> tuple[float, float]:
    """Centre of the rendered hands in the full image."""
    total, weighted = 0.0, np.zeros(2)
    for pair in pairs:
        y, x = np.indices(pair.coverage.shape)
        points = np.stack([x + 0.5, y + 0.5], axis=-1) * pair.scale + pair.corner_px
        weighted += (pair.coverage[..., None] * points).sum(axis=(0, 1))
        total += float(pair.coverage.sum())
    return tuple((weighted / max(total, 1e-9)).tolist())


def _smoothed(pair: SilhouettePair) -> SilhouettePair:
    sigma = max(0.6, SMOOTH * max(pair.coverage.shape))

    def blurred(image: np.ndarray) -> np.ndarray:
        return cv2.GaussianBlur(image.astype(np.float32), (0, 0), sigma)

    return SilhouettePair(
        blurred(pair.coverage), blurred(pair.hand_share), pair.known, pair.corner_px, pair.scale, pair.hand
    )


def _moved(pair: SilhouettePair, motion: Motion) -> np.ndarray:
    """The window's render after the motion."""
    to_full = np.diag([*pair.scale, 1.0])
    # Windows count from a pixel's corner, OpenCV from its centre.
    to_full[:2, 2] = pair.corner_px + 0.5 * pair.scale
    matrix = np.linalg.inv(to_full) @ np.vstack([motion.matrix(), [0, 0, 1]]) @ to_full
    height, width = pair.coverage.shape
    return cv2.warpAffine(pair.coverage.astype(np.float32), matrix[:2], (width, height), flags=cv2.INTER_LINEAR)


def _misfit(pairs: Sequence[SilhouettePair], motion: Motion) -> float:
    wrong = sum(float((np.abs(_moved(p, motion) - p.hand_share) * p.known).sum() * p.scale.prod()) for p in pairs)
    return wrong / max(sum(float((p.hand_share * p.known).sum() * p.scale.prod()) for p in pairs), 1e-9)


def _best_shift(
    pairs: Sequence[SilhouettePair], roll_rad: float, about_px: tuple[float, float]
) -> Float[np.ndarray, "2"]:
    """The shift of the highest correlation of render and labels (hand +1, not hand -1), full-image pixels."""
    votes, shifts = [], []
    for pair in pairs:
        turned = _moved(pair, Motion((0.0, 0.0), roll_rad, 1.0, about_px))
        height, width = turned.shape
        size = (2 * height, 2 * width)
        signed = (2 * pair.hand_share - 1) * pair.known
        spectrum = np.fft.rfft2(signed, size) * np.conj(np.fft.rfft2(turned, size))
        score = np.fft.irfft2(spectrum, size)
        y, x = np.unravel_index(int(score.argmax()), score.shape)
        y, x = (y - size[0] if y >= height else y), (x - size[1] if x >= width else x)
        shifts.append(np.array([x, y]) * pair.scale)
        votes.append(float((pair.hand_share * pair.known).sum() * pair.scale.prod()))
    return shifts[int(np.argmax(votes))]

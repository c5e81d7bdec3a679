"""Paint a plain adult skin. Every texel is a function of its 3D rest position, so no seam shows."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from kinematics import FINGER_ROOT, FINGERS, INDEX, MIDDLE, PINKY, WRIST, unit
from model import HandModel
from PIL import Image, ImageFilter

SIZE = 2048
GUTTER = 24  # texels painted beyond the islands, for filtering and mip levels
BACK_COLOUR = np.array([0.80, 0.585, 0.475])  # sRGB
PALM_COLOUR = np.array([0.885, 0.665, 0.575])
NAIL_COLOUR = np.array([0.90, 0.70, 0.65])
NAIL_EDGE_COLOUR = np.array([0.95, 0.88, 0.82])
PALM_LINE_STRENGTH = 0.5
CREASE_STRENGTH = 0.6


@dataclass(frozen=True)
class Texels:
    """What the painting functions know about the covered texels, one row each."""

    rows: np.ndarray
    columns: np.ndarray
    position: np.ndarray  # (n, 3) rest position, metres
    palm: np.ndarray  # (n,) 1 on the palm side, 0 on the back
    weights: np.ndarray  # (n, 16)
    source_uv: np.ndarray  # (n, 2)

    def noise(self, millimetres: float, seed: int) -> np.ndarray:
        return value_noise(self.position * (1e3 / millimetres), seed)

    def near(self, point: np.ndarray, radius: float) -> np.ndarray:
        return bump(np.linalg.norm(self.position - point, axis=1), radius)


def bump(distance: np.ndarray, radius: float) -> np.ndarray:
    return np.exp(-((distance / radius) ** 2))


def paint_skin(model: HandModel, nail_mask: Image.Image) -> Image.Image:
    texels = _rasterise(model)
    palm = texels.palm[:, None]
    colour = BACK_COLOUR * (1 - palm) + PALM_COLOUR * palm
    grain = sum(a * texels.noise(mm, seed) for seed, (mm, a) in enumerate(GRAIN, start=2))
    colour = colour * (1 + grain)[:, None]
    colour = colour * (1 - _redness(texels, model)[:, None] * np.array([0.02, 0.13, 0.12]))
    colour = colour * (1 - _veins(texels, model)[:, None] * np.array([0.09, 0.06, 0.04]))
    lines = CREASE_STRENGTH * _finger_creases(texels, model) + PALM_LINE_STRENGTH * _palm_lines(texels, model)
    colour = colour * (1 - np.clip(lines, 0, 1)[:, None] * np.array([0.20, 0.33, 0.36]))
    colour = _nails(texels, model, colour, nail_mask)
    return _to_image(texels, colour)


GRAIN = ((9.0, 0.035), (3.0, 0.03), (1.1, 0.02), (0.5, 0.022))  # (millimetres, amplitude)


def _rasterise(model: HandModel) -> Texels:
    """Interpolate the vertex attributes at texel centres, a hair beyond each triangle's edges."""
    attributes = np.concatenate([model.template, _normals(model), model.weights], 1)
    buffer = np.zeros((SIZE, SIZE, attributes.shape[1] + 2), np.float32)
    covered = np.zeros((SIZE, SIZE), bool)
    for face, uv_face in zip(model.faces, model.uv_faces, strict=True):
        corners = model.uv[uv_face] * [SIZE, -SIZE] + [0, SIZE]
        low = np.maximum(np.floor(corners.min(0)).astype(int) - 1, 0)
        high = np.minimum(np.ceil(corners.max(0)).astype(int) + 2, SIZE)
        x, y = np.meshgrid(np.arange(low[0], high[0]), np.arange(low[1], high[1]))
        points = np.stack([x + 0.5, y + 0.5, np.ones(x.shape)], -1)
        share = points @ np.linalg.inv(np.concatenate([corners, np.ones((3, 1))], 1))
        inside = (share >= -0.04).all(-1)
        values = np.concatenate([attributes[face], model.source_uv[uv_face]], 1)
        buffer[y[inside], x[inside]] = share[inside] @ values
        covered[y[inside], x[inside]] = True
    rows, columns = np.nonzero(covered)
    values = buffer[covered].astype(np.float64)
    position, normal = values[:, :3], values[:, 3:6]
    ragged = 0.4 * value_noise(position * (1e3 / 12), 1)
    palm = 1 / (1 + np.exp(7 * normal[:, 1] + ragged))
    return Texels(rows, columns, position, palm, values[:, 6:-2], values[:, -2:])


def _normals(model: HandModel) -> np.ndarray:
    corner = model.template[model.faces]
    face_normals = np.cross(corner[:, 1] - corner[:, 0], corner[:, 2] - corner[:, 0])
    normals = np.zeros_like(model.template)
    for column in range(3):
        np.add.at(normals, model.faces[:, column], face_normals)
    return unit(normals)


def value_noise(points: np.ndarray, seed: int) -> np.ndarray:
    """Smooth noise in [-1, 1] from hashed lattice values."""
    cell = np.floor(points).astype(np.int64)
    inside = points - cell
    inside = inside * inside * (3 - 2 * inside)
    total = np.zeros(len(points))
    for corner in np.ndindex(2, 2, 2):
        share = np.where(corner, inside, 1 - inside).prod(1)
        total += share * _hash(cell + corner, seed)
    return total * 2 - 1


def _hash(cell: np.ndarray, seed: int) -> np.ndarray:
    mixed = cell[:, 0] * 73856093 ^ cell[:, 1] * 19349663 ^ cell[:, 2] * 83492791 ^ seed * 2654435761
    mixed = (mixed ^ (mixed >> 13)) * 1274126177
    return ((mixed ^ (mixed >> 16)) & 0xFFFF) / 65535.0


def _redness(texels: Texels, model: HandModel) -> np.ndarray:
    red = 0.35 * texels.palm * (0.5 + 0.5 * texels.noise(14, 5))
    for joint in model.joints[1:]:
        red += 0.5 * (1 - texels.palm) * texels.near(joint, 0.011)
    for tip in model.template[model.tips]:
        red += 0.8 * texels.near(tip, 0.011) * (0.4 + 0.6 * texels.palm)
    return np.clip(red, 0, 1)


def _veins(texels: Texels, model: HandModel) -> np.ndarray:
    # Stretched along the fingers (x), as veins run.
    ridges = np.maximum(0, 1 - 6 * np.abs(value_noise(texels.position * [22.0, 40.0, 75.0], 80)))
    back_centre = (model.joints[WRIST] + model.joints[MIDDLE]) / 2
    return (1 - texels.palm) * ridges * texels.near(back_centre, 0.04)


def _finger_creases(texels: Texels, model: HandModel) -> np.ndarray:
    """Palm-side flexion creases of every finger joint and fine wrinkles over its back."""
    lines = np.zeros(len(texels.position))
    for finger, tip in zip(FINGERS, model.tips, strict=True):
        root = FINGER_ROOT[finger]
        chain = [*model.joints[root : root + 3], model.template[tip]]
        on_finger = texels.weights[:, root : root + 3].sum(1).clip(0, 1)
        for place in range(3):
            if finger == "thumb" and place == 0:
                continue
            ahead = unit(chain[place + 1] - chain[max(place - 1, 0)])
            # The crease at a finger's root lies on the first bone, well beyond the knuckle.
            centre = chain[0] + 0.45 * (chain[1] - chain[0]) if place == 0 else chain[place]
            wobble = 0.0008 * texels.noise(3, 10 + root + place)
            along = (texels.position - centre) @ ahead + wobble
            here = texels.near(centre, 0.016) * on_finger
            for shift, strength in ((0.0, 1.0), (0.0016, 0.5), (-0.0022, 0.3)):
                lines += strength * texels.palm * here * bump(along - shift, 0.0005)
            if place > 0:
                lines += _back_wrinkles(texels, centre, along, 30 + root + place) * on_finger
    return lines


def _back_wrinkles(texels: Texels, centre: np.ndarray, along: np.ndarray, seed: int) -> np.ndarray:
    wobble = 0.0004 * texels.noise(2, seed)
    rings = sum(bump(along - shift - wobble, 0.0004) for shift in np.linspace(-0.0045, 0.0045, 6))
    return 0.35 * (1 - texels.palm) * rings * bump(along, 0.005) * texels.near(centre, 0.013)


def _palm_lines(texels: Texels, model: HandModel) -> np.ndarray:
    """Life, head and heart line as curves in the palm plane, and a net of faint minor lines."""
    index, pinky, wrist = model.joints[[INDEX, PINKY, WRIST]][:, [0, 2]]
    # (strength, width, offsets in metres of the three control points from the joints named)
    curves = (
        (1.0, 0.0008, (index, 0.010, 0.010), (index, 0.050, -0.024), (wrist, -0.020, 0.006)),
        (0.85, 0.0007, (index, 0.011, 0.009), (index, 0.020, -0.018), (pinky, 0.034, -0.003)),
        (0.9, 0.0007, (index, -0.008, -0.016), (index, 0.014, -0.030), (pinky, 0.010, -0.009)),
    )
    plane = texels.position[:, [0, 2]]
    lines = 0.15 * np.maximum(0, 1 - 9 * np.abs(texels.noise(4, 70))) * (0.5 + 0.5 * texels.noise(10, 71))
    for seed, (strength, width, *points) in zip((60, 62, 64), curves, strict=True):
        wobble = 0.0008 * np.stack([texels.noise(5, seed), texels.noise(5, seed + 1)], 1)
        distance = _curve_distance(plane + wobble, np.array([np.add(joint, (x, z)) for joint, x, z in points]))
        # A real line fades in and out along its way.
        fade = 0.75 + 0.25 * texels.noise(9, seed + 10)
        lines = lines + strength * fade * np.maximum(bump(distance, width), 0.35 * bump(distance, 3 * width))
    return texels.palm * lines


def _curve_distance(points: np.ndarray, control: np.ndarray) -> np.ndarray:
    """Distance to a quadratic Bezier curve, taken as 40 straight pieces."""
    t = np.linspace(0, 1, 41)[:, None]
    curve = (1 - t) ** 2 * control[0] + 2 * t * (1 - t) * control[1] + t**2 * control[2]
    best = np.full(len(points), np.inf)
    for start, end in pairwise(curve):
        step = end - start
        share = np.clip((points - start) @ step / (step @ step), 0, 1)
        best = np.minimum(best, np.linalg.norm(points - start - share[:, None] * step, axis=1))
    return best


def _nails(texels: Texels, model: HandModel, colour: np.ndarray, nail_mask: Image.Image) -> np.ndarray:
    mask = np.asarray(nail_mask.convert("L").filter(ImageFilter.GaussianBlur(1.2)), float) / 255
    nail = np.clip((_bilinear(mask, texels.source_uv) - 0.35) / 0.3, 0, 1)[:, None]
    free_edge = sum(texels.near(tip, 0.0042) for tip in model.template[model.tips])[:, None].clip(0, 1)
    nail_colour = NAIL_COLOUR * (1 - free_edge) + NAIL_EDGE_COLOUR * free_edge
    nail_colour = nail_colour * (1 + 0.02 * texels.noise(0.7, 90))[:, None]
    rim = 1 - nail * (1 - nail)
    return colour * rim * (1 - nail) + nail_colour * nail


def _bilinear(image: np.ndarray, uv: np.ndarray) -> np.ndarray:
    height, width = image.shape
    x = np.clip(uv[:, 0] * width - 0.5, 0, width - 1.001)
    y = np.clip((1 - uv[:, 1]) * height - 0.5, 0, height - 1.001)
    column, row = x.astype(int), y.astype(int)
    right, down = x - column, y - row
    upper = image[row, column] * (1 - right) + image[row, column + 1] * right
    lower = image[row + 1, column] * (1 - right) + image[row + 1, column + 1] * right
    return upper * (1 - down) + lower * down


def _to_image(texels: Texels, colour: np.ndarray) -> Image.Image:
    """Write the texels and let each island bleed into the space around it."""
    image = np.zeros((SIZE, SIZE, 3), np.float32)
    filled = np.zeros((SIZE, SIZE), bool)
    image[texels.rows, texels.columns] = colour
    filled[texels.rows, texels.columns] = True
    for _ in range(GUTTER):
        for step in ((0, 1), (1, 0), (0, -1), (-1, 0)):
            fresh = np.roll(filled, step, (0, 1)) & ~filled
            image[fresh] = np.roll(image, step, (0, 1))[fresh]
            filled |= fresh
    image[~filled] = colour.mean(0)
    return Image.fromarray((np.clip(image, 0, 1) * 255 + 0.5).astype(np.uint8))

"""Slopes of losses on images of posed hands: by the renderer's gradient, and by differences of its own images."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from render_scenes import look_at_camera
from torch import Tensor

from handrefine.hand.model import HandModel
from handrefine.render.base import HandSurface, Renderer, Rendering
from handrefine.spherical import latlong_directions, sh_basis
from handrefine.synthetic.gesture import _key_pose
from handrefine.views import View, ViewSet

POSES = ("open", "relaxed", "fist")
#: What is varied, and the step to either side: metres, radians, shape coefficient, reflectance, radiance.
STEPS = {
    "translation x": 1e-3,
    "translation y": 1e-3,
    "translation z": 1e-3,
    "rotation": 1e-2,
    "index root": 2e-2,
    "thumb root": 2e-2,
    "beta": 0.3,
    "texture": 0.05,
    "light": 0.05,
}
#: These belong to all frames together.
SHARED = ("texture", "light")
#: Of MANO's axis-angle pose.
FINGERS = {"index root": slice(3, 6), "thumb root": slice(39, 42)}


@dataclass(frozen=True, eq=False)
class Scene:
    """Hands in some poses, one a frame; what is varied is the first hand. The second one stands close by.

    The background is as bright as the hand: against black silhouettes would dominate every slope.
    """

    hands: tuple[HandModel, ...]
    order: int
    poses: tuple[str, ...] = POSES

    def varied(self, name: str = "", by: float = 0.0) -> tuple[Tensor, Tensor, Tensor]:
        """Vertices of the first hand, texture and light, one of them changed by so much."""
        texture, coefficients = self._texture(), self._coefficients()
        if name == "texture":
            size = texture.shape[1]
            texture[:, size // 2 :, : size // 2] += by
        if name == "light":
            coefficients[2] += by
        basis = sh_basis(latlong_directions(32, 64), self.order)
        return self._verts(self.hands[0], name, by), texture, (basis @ coefficients).clamp(min=0)

    def surfaces(self, verts: Tensor, texture: Tensor) -> list[HandSurface]:
        aside = torch.tensor([0.01, -0.035, 0.05])
        others = [HandSurface(self._verts(hand) + aside, texture) for hand in self.hands[1:]]
        return [HandSurface(verts, texture), *others]

    def views(self, size: int) -> ViewSet:
        """Two cameras a frame; the second one looks into the wrist."""
        eyes = ((0.05, -0.55, 0.15), (0.4, 0.3, 0.2))
        cameras = [look_at_camera(eye, (size, size), (2.2 * size, 2.3 * size)) for eye in eyes]
        return ViewSet(tuple(View(frame, c) for frame in range(len(self.poses)) for c in cameras))

    def losses(self, image: Rendering, views: ViewSet, background: float) -> Tensor:
        """(frame, kind): smooth weights of two kinds over the composited images."""
        rgb = image.rgb + (1 - image.coverage.sum(-1, keepdim=True)) * background
        found = []
        for picture in views.split(rgb):
            y, x = (torch.linspace(0, 1, n) for n in picture.shape[:2])
            y, x, c = y[:, None, None], x[None, :, None], torch.arange(3.0)
            waves = torch.sin(3 * x + y + c), torch.cos(4 * y - 2 * x + 0.7 * c) + 0.5 * x
            found.append(torch.stack([(picture * wave).sum() for wave in waves]))
        return torch.stack(found).reshape(len(self.poses), -1, 2).sum(1)

    def _verts(self, hand: HandModel, name: str = "", by: float = 0.0) -> Tensor:
        n, rng = len(self.poses), np.random.default_rng(0)
        rest = hand(torch.zeros(1, 48), torch.zeros(1, 10), torch.zeros(1, 3), flat_hand_mean=True)
        joints = rest.joints_world[0].numpy()
        fingers = np.stack([_key_pose(pose, joints, hand.side, rng) for pose in self.poses]).reshape(n, 45)
        pose = torch.cat([torch.tensor([0.3, -0.2, 0.4]).expand(n, 3), torch.as_tensor(fingers).float()], dim=1)
        shape, trans = torch.zeros(n, 10), torch.zeros(n, 3)
        if name.startswith("translation"):
            trans[:, "xyz".index(name[-1])] += by
        elif name == "rotation":
            pose[:, :3] += by * torch.tensor([0.5, 1.0, -0.4])
        elif name in FINGERS:
            pose[:, FINGERS[name]] += by * torch.tensor([0.3, -0.2, 1.0])
        elif name == "beta":
            shape[:, 0] += by
        return hand(pose, shape, trans, flat_hand_mean=True).verts_world - rest.verts_world.mean(1)

    def _texture(self) -> Tensor:
        """Smooth over the atlas, so that it jumps at its seams."""
        y, x = torch.meshgrid(torch.linspace(0, 2, 16), torch.linspace(0, 2, 16), indexing="ij")
        return torch.stack([0.5 + 0.15 * torch.sin(3 * x + y + k) for k in range(3)], dim=-1)[None]

    def _coefficients(self) -> Tensor:
        coefficients = torch.zeros((self.order + 1) ** 2, 3)
        coefficients[0] = 3.0
        coefficients[1:4] = torch.tensor([[-0.9], [0.7], [0.6]]) * torch.tensor([1.0, 0.9, 0.8])
        if self.order > 1:
            coefficients[4:] = torch.tensor([0.5, -0.4, 0.6, 0.3, -0.5])[:, None]
        return coefficients


@dataclass(frozen=True, eq=False)
class Slopes:
    """By gradient and by difference, over seeds: (seed, frame, kind)."""

    gradient: Tensor
    difference: Tensor

    @property
    def ratio(self) -> tuple[float, float]:
        """Slope of gradient on difference over frames and kinds, and its standard error."""
        g, f, eg, ef = self._means_and_variances()
        scale = f.square().sum() - ef.sum()
        ratio = (g * f).sum() / scale
        return float(ratio), float((f.square() * (eg + ratio.square() * ef)).sum().sqrt() / scale)

    @property
    def misfit(self) -> tuple[float, float]:
        """|gradient - difference| / |difference|, and what noise alone makes of it."""
        g, f, eg, ef = self._means_and_variances()
        return float((g - f).norm() / f.norm()), float((eg + ef).sum().sqrt() / f.norm())

    @property
    def misfit_beyond_noise(self) -> float:
        misfit, noise = self.misfit
        return max(0.0, misfit**2 - noise**2) ** 0.5

    def __str__(self) -> str:
        return "ratio {:.3f} +- {:.3f}, misfit {:.3f}, of noise {:.3f}".format(*self.ratio, *self.misfit)

    def _means_and_variances(self) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        g, f = self.gradient, self.difference
        return g.mean(0), f.mean(0), g.var(0) / len(g), f.var(0) / len(f)


def by_difference(
    scene: Scene, renderer: Renderer, background: float, names: Sequence[str], seeds: Sequence[int]
) -> dict[str, Tensor]:
    """(seed, frame, kind) of every name; both ends share random numbers."""

    def losses(name: str, by: float, seed: int) -> Tensor:
        verts, texture, light = scene.varied(name, by)
        image = renderer.render(scene.surfaces(verts, texture), light, seed=seed)
        return _shared(scene.losses(image, renderer.views, background), name)

    with torch.no_grad():
        return {
            name: torch.stack([losses(name, step, s) - losses(name, -step, s) for s in seeds]) / (2 * step)
            for name, step in STEPS.items()
            if name in names
        }


def by_gradient(
    scene: Scene, renderer: Renderer, background: float, names: Sequence[str], seeds: Sequence[int]
) -> dict[str, Tensor]:
    """(seed, frame, kind) of every name: all of them from one gradient a seed and kind."""
    found: dict[str, list[Tensor]] = {name: [] for name in names}
    moves = {name: _move(scene, name) for name in names}
    for seed in seeds:
        kinds: dict[str, list[Tensor]] = {name: [] for name in names}
        for kind in (0, 1):
            leaves = [x.requires_grad_() for x in scene.varied()]
            image = renderer.render(scene.surfaces(leaves[0], leaves[1]), leaves[2], seed=2 * seed + kind)
            loss = scene.losses(image, renderer.views, background)[:, kind].sum()
            gradients = torch.autograd.grad(loss, leaves)
            for name, (which, move) in moves.items():
                slope = gradients[which] * move
                kinds[name].append(slope.sum().reshape(1) if name in SHARED else slope.sum((1, 2)))
        for name in names:
            found[name].append(torch.stack(kinds[name], dim=-1))
    return {name: torch.stack(values) for name, values in found.items()}


def level(scene: Scene, renderer: Renderer) -> float:
    """Mean radiance of the hands."""
    verts, texture, light = scene.varied()
    with torch.no_grad():
        image = renderer.render(scene.surfaces(verts, texture), light, seed=0)
    return float(image.rgb[image.coverage.sum(-1) > 0.99].mean())


def _move(scene: Scene, name: str) -> tuple[int, Tensor]:
    """Which of vertices, texture and light a name changes, and by how much a unit."""
    ends = [scene.varied(name, side * STEPS[name]) for side in (1, -1)]
    which = 1 + SHARED.index(name) if name in SHARED else 0
    return which, (ends[0][which] - ends[1][which]) / (2 * STEPS[name])


def _shared(losses: Tensor, name: str) -> Tensor:
    return losses.sum(0, keepdim=True) if name in SHARED else losses

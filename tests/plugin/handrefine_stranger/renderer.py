"""A renderer in PyTorch alone: every vertex is a soft dot in its hand's mean colour, unlit, hiding nothing."""

import torch

from handrefine.render.base import Rendering

RADIUS_PX = 1.0


class DotRenderer:
    def __init__(self, topologies, views, config, *, beside=None):
        self.topologies, self.views = tuple(topologies), views

    def render(self, hands, environment, *, seed):
        coverage = torch.stack([self._coverage(hand.verts_world) for hand in hands], dim=1)
        colours = torch.stack([hand.texture.mean(dim=(0, 1, 2)) for hand in hands])
        return Rendering(rgb=coverage @ colours, coverage=coverage)

    def _coverage(self, verts_world):
        """`1 - exp(-sum over vertices of exp(-d^2 / 2 r^2))` of every pixel; differentiable in the vertices."""
        images = []
        for view in self.views.views:
            u_px, v_px = view.camera.project(verts_world[view.frame]).unbind(dim=1)
            dots = [
                torch.exp(-(torch.arange(n).to(at_px)[:, None] + 0.5 - at_px).square() / (2 * RADIUS_PX**2))
                for n, at_px in ((view.camera.height, v_px), (view.camera.width, u_px))
            ]
            images.append(1 - torch.exp(-(dots[0] @ dots[1].T)))
        return self.views.flatten(images)

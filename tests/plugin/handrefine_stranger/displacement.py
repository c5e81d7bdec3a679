"""The person's own surface: one displacement of every vertex along its normal, and a ridge that holds it small."""

from dataclasses import dataclass, replace

import torch

from handrefine.losses.base import Residuals
from handrefine.losses.norms import Squared
from handrefine.mesh import vertex_normals
from handrefine.scene.scene_module import SceneModule


class Displacement(SceneModule):
    variable = "displacement"  # what stages call it
    learning_rate = 1e-4  # Adam's, metres

    def __init__(self, topology):
        super().__init__()
        self.topology = topology
        self.along_normal_m = torch.nn.Parameter(torch.zeros(topology.n_vertices))

    def deform(self, geometries):
        return tuple(replace(hand, verts_world=self._displaced(hand.verts_world)) for hand in geometries)

    def _displaced(self, verts_world):
        return verts_world + self.along_normal_m[:, None] * vertex_normals(verts_world, self.topology)


@dataclass(frozen=True)
class DisplacementRidge:
    """`weight * mean over vertices of (displacement / 1 mm)^2`: the settings, and the term itself."""

    displacement: Displacement
    weight: float = 1e-3
    reads = ("displacement",)
    judges_frames = False

    def build(self, setup):
        return self

    def residuals(self, iterate):
        along_mm = 1e3 * self.displacement.along_normal_m[:, None]
        return [Residuals(along_mm, Squared(), count=float(len(along_mm)))]

"""Which material point every pixel shows, and how the picture of that point moves with it."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn.functional import normalize, pad

from handrefine.hand.model import HandGeometry
from handrefine.losses.view_stack import ViewStack
from handrefine.mesh import vertex_normals
from handrefine.render.base import FirstHits
from handrefine.scene.video_model import VideoHand
from handrefine.views import ViewSet

#: Of two surfaces in neighbouring pixels the nearer owns the contour between them, if it is nearer by so much.
DEPTH_GAP_M = 0.006


@dataclass(frozen=True, eq=False)
class SurfacePoints:
    """Material points, one a row, of the pixels that show a hand or lie beside its contour.

    Attributes:
        pixel: in the views' flat order, ascending.
        own: the pixel's own middle shows the point; otherwise the nearest contour does.
        hand: whose skin it is.
        corners: the triangle's vertices, counted through all hands and their own frames (`VertexNumbers`).
        barycentric: their weights.
        uv: texture coordinates. normal: smooth unit normal. world: position, metres.
        projection: derivative of the pixel position by that position, px / m.
        view: index in the view set.
    """

    pixel: Int[Tensor, " point"]
    own: Bool[Tensor, " point"]
    hand: Int[Tensor, " point"]
    corners: Int[Tensor, "point 3"]
    barycentric: Float[Tensor, "point 3"]
    uv: Float[Tensor, "point 2"]
    normal: Float[Tensor, "point 3"]
    world: Float[Tensor, "point 3"]
    projection: Float[Tensor, "point 2 3"]
    view: Int[Tensor, " point"]

    def select(self, rows: Tensor) -> "SurfacePoints":
        """Some of the points, by index or by mask."""
        return SurfacePoints(**{name: getattr(self, name)[rows] for name in self.__dataclass_fields__})


class PointFinder:
    """Finds the surface points of a view set; holds what does not change while the hands move.

    Args:
        hands: of the video, in the renderer's order.
        n_frames: of the video.
    """

    def __init__(self, hands: Sequence[VideoHand], views: ViewSet, device: torch.device) -> None:
        self._hands, self._views = hands, views
        cameras = [view.camera for view in views.views]
        self.stack = ViewStack([(c.height, c.width) for c in cameras], device)
        self.view_of_pixel = views.view_of_pixel(device)

        def tensor(values: Sequence[np.ndarray] | Sequence[list[float]] | np.ndarray) -> Tensor:
            return torch.tensor(np.array(values), dtype=torch.float32, device=device)

        self._rotation, self._translation = (
            tensor([c.R_cam_world for c in cameras]),
            tensor([c.t_cam_world for c in cameras]),
        )
        self._lenses = [camera.lens for camera in cameras]
        self._focal = tensor([[c.fx, c.fy] for c in cameras])
        self.center_world = tensor([c.center_world for c in cameras])
        self._frame = torch.tensor([view.frame for view in views.views], device=device)
        topologies = [hand.hand.topology for hand in hands]
        sizes = [len(topology.faces) for topology in topologies]
        self._hand_of_face = torch.repeat_interleave(torch.arange(len(hands)), torch.tensor(sizes)).to(device)
        self._faces = torch.as_tensor(
            np.concatenate([np.ascontiguousarray(t.faces) for t in topologies]), device=device
        ).long()
        self._corner_uv = tensor(np.concatenate([t.uv[t.uv_faces] for t in topologies]))

    @cached_property
    def first_vertex(self) -> Int[Tensor, " hand_and_end"]:
        """Number of the first vertex of every hand's first own frame, and how many there are."""
        sizes = [len(hand.pose.translation) * hand.hand.n_vertices for hand in self._hands]
        return torch.tensor([0, *np.cumsum(sizes)], device=self._faces.device)

    def find(
        self,
        hits: FirstHits,
        geometries: Sequence[HandGeometry],
        *,
        beside_px: int,
        source: Int[Tensor, " pixel"] | None = None,
    ) -> SurfacePoints:
        """The points as the hands stand now.

        Args:
            geometries: of every hand at its own frames, detached.
            beside_px: how far beside a contour pixels still belong to it.
            source: for every pixel the one whose ray it shows, where pictures were resampled; -1 for none.
        """
        face, barycentric = hits.face, hits.barycentric
        if source is not None:
            face = torch.where(source >= 0, face[source.clamp(min=0)], -1)
            barycentric = barycentric[source.clamp(min=0)]
        hit = (face >= 0).nonzero()[:, 0]
        face, barycentric, view = face[hit], barycentric[hit], self.view_of_pixel[hit]
        hand = self._hand_of_face[face]
        rows = torch.stack([of.rows for of in self._hands])[hand, self._frame[view]]
        if not bool((rows >= 0).all()):  # the grain that stands for a missing hand
            keep = rows >= 0
            hit, face, barycentric, view, hand, rows = (
                x[keep] for x in (hit, face, barycentric, view, hand, rows)
            )
        per_frame = torch.tensor([of.hand.n_vertices for of in self._hands], device=hand.device)[hand]
        corners = self._faces[face] + (self.first_vertex[hand] + rows * per_frame)[:, None]
        verts = torch.cat([of.verts_world.reshape(-1, 3) for of in geometries])
        normals = torch.cat(
            [
                vertex_normals(of.verts_world, hand.hand.topology).reshape(-1, 3)
                for of, hand in zip(geometries, self._hands, strict=True)
            ]
        )

        def between(values: Tensor) -> Tensor:
            return (barycentric[..., None] * values).sum(dim=1)

        world = between(verts[corners])
        cam = torch.einsum("pij,pj->pi", self._rotation[view], world) + self._translation[view]
        points = SurfacePoints(
            pixel=hit,
            own=torch.ones_like(hit, dtype=torch.bool),
            hand=hand,
            corners=corners,
            barycentric=barycentric,
            uv=between(self._corner_uv[face]),
            normal=normalize(between(normals[corners]), dim=1),
            world=world,
            projection=self._projection(cam, view),
            view=view,
        )
        pixel, owner = self._spread(hit, cam[:, 2], beside_px)
        spread = points.select(owner)
        return SurfacePoints(
            **{
                **{name: getattr(spread, name) for name in SurfacePoints.__dataclass_fields__},
                "pixel": pixel,
                "own": hit[owner] == pixel,
                "view": self.view_of_pixel[pixel],
            }
        )

    def _projection(self, cam: Float[Tensor, "point 3"], view: Int[Tensor, " point"]) -> Tensor:
        x, y, z = cam.unbind(dim=1)
        fx, fy = self._focal[view].unbind(dim=1)
        zero = torch.zeros_like(z)
        rows = [torch.stack([fx / z, zero, -fx * x / z**2], 1), torch.stack([zero, fy / z, -fy * y / z**2], 1)]
        projection = torch.stack(rows, dim=1) @ self._rotation[view]
        if any(self._lenses):
            projection = self._bend(cam, view) @ projection
        return projection

    def _bend(self, cam: Float[Tensor, "point 3"], view: Int[Tensor, " point"]) -> Float[Tensor, "point 2 2"]:
        """What the lenses make of a small step in the pinholes' pixels."""
        on_plane = cam[:, :2] / cam[:, 2:]
        bend = torch.eye(2).to(cam).repeat(len(cam), 1, 1)
        for lens in {lens for lens in self._lenses if lens is not None}:
            rows = torch.tensor([one == lens for one in self._lenses], device=view.device)[view].nonzero()[:, 0]
            bend[rows] = lens.jacobian(on_plane[rows])
        # From the plane z = 1 to pixels: pixels need not be square.
        focal = self._focal[view]
        return bend * focal[:, :, None] / focal[:, None, :]

    def _spread(
        self, pixel: Int[Tensor, " point"], depth_m: Float[Tensor, " point"], beside_px: int
    ) -> tuple[Int[Tensor, " wider"], Int[Tensor, " wider"]]:
        """Pixels that show a point or lie beside its contour, and which point: the nearest surface's."""
        n, height, width = self.stack.shape
        place = self.stack.place[pixel]
        depth = depth_m.new_full((n * height * width,), torch.inf)
        depth[place] = depth_m
        owner = torch.full_like(depth, -1, dtype=torch.long)
        owner[place] = torch.arange(len(pixel), device=pixel.device)
        depth, owner = depth.reshape(n, height, width), owner.reshape(n, height, width)
        for ring in range(beside_px):
            best_depth, best_owner = depth, owner
            wide_depth, wide_owner = pad(depth, (1, 1, 1, 1), value=torch.inf), pad(owner, (1, 1, 1, 1), value=-1)
            empty = torch.isinf(depth)
            for dy in range(3):
                for dx in range(3):
                    there = wide_depth[:, dy : dy + height, dx : dx + width]
                    nearer = there < best_depth - DEPTH_GAP_M if ring == 0 else (there < best_depth) & empty
                    best_depth = torch.where(nearer, there, best_depth)
                    best_owner = torch.where(nearer, wide_owner[:, dy : dy + height, dx : dx + width], best_owner)
            depth, owner = best_depth, best_owner
        of_pixel = owner.reshape(-1)[self.stack.place]
        wider = (of_pixel >= 0).nonzero()[:, 0]
        return wider, of_pixel[wider]

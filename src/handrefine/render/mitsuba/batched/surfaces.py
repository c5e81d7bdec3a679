"""The hands of all frames as one triangle mesh, and what a ray sees where it hits them."""

# Mitsuba's type stubs mix up its own and Dr.Jit's array types.
# pyright: reportArgumentType=false, reportOperatorIssue=false, reportReturnType=false

from collections.abc import Sequence
from dataclasses import dataclass

import drjit as dr
import mitsuba as mi
import numpy as np

from handrefine.mesh import MeshTopology
from handrefine.render.mitsuba.batched.attached import Attached


@dataclass
class Surface:
    """Where rays hit: lanes of Dr.Jit arrays. Attached to vertices and textures if these carry gradients."""

    p: "mi.Point3f"
    n: "mi.Vector3f"
    geometric_n: "mi.Vector3f"  # of the triangle, turned to where the ray comes from; detached
    lift: "mi.Vector3f"  # from the triangle to the smooth surface that it stands for
    albedo: "mi.Color3f"
    cell: "mi.Point3f"  # centre of the frame's cell


@dataclass
class Atlas:
    """All textures in one flat array: hand after hand, frame after frame (or one for all), row after row."""

    texels: Attached
    sizes: tuple[tuple[int, int, int], ...]  # (frames, height, width) a hand


class HandTriangles:
    """Triangles of F frames of one or more hands: primitive = frame * faces + face.

    Only the ray tracing is Mitsuba's: positions, normals and texture coordinates are read here from flat arrays,
    so that normals stay those of the unsplit mesh and gradients reach plain arrays in few kernels.

    n_things: how many of the last topologies are no hands.
    """

    def __init__(self, topologies: Sequence[MeshTopology], n_frames: int, *, n_things: int = 0) -> None:
        self.topologies = tuple(topologies)
        self.first_vertex = np.cumsum([0] + [t.n_vertices for t in topologies])
        self.first_face = np.cumsum([0] + [len(t.faces) for t in topologies])
        self.n_frames, self.n_vertices, self.n_faces = (
            n_frames,
            int(self.first_vertex[-1]),
            int(self.first_face[-1]),
        )
        self.n_hand_faces = int(self.first_face[len(topologies) - n_things])
        faces = np.concatenate([t.faces + v for t, v in zip(topologies, self.first_vertex[:-1], strict=True)])
        corner_uv = np.concatenate([t.uv[t.uv_faces] for t in topologies])  # (face, 3, 2)
        self.faces = mi.UInt32(np.ascontiguousarray(faces.astype(np.uint32).ravel()))
        self.corner_uv = mi.Float(np.ascontiguousarray(corner_uv.astype(np.float32).ravel()))
        self._mesh = mi.Mesh("hands", self.n_vertices * n_frames, self.n_faces * n_frames)
        parameters = mi.traverse(self._mesh)
        frames = np.arange(n_frames)[:, None, None] * self.n_vertices
        # All in one point until the first `move`: the cheapest acceleration structure there is.
        parameters["vertex_positions"] = dr.zeros(mi.Float, self.n_vertices * n_frames * 3)
        parameters["faces"] = mi.UInt32((faces[None] + frames).astype(np.uint32).ravel())
        parameters.update()
        # By way of an instance: of a scene's own meshes Mitsuba lets Embree build its best tree, of groups its
        # usual one. That is built five times as fast, and rays are no slower.
        group = {"type": "shapegroup", "hands": self._mesh}
        instance = {"type": "instance", "group": {"type": "ref", "id": "group"}}
        self.scene = mi.load_dict({"type": "scene", "group": group, "instance": instance})
        self._parameters = mi.traverse(self.scene)
        self._positions_key = next(k for k in self._parameters.keys() if k.endswith("vertex_positions"))  # noqa: SIM118
        self.vertices = self.normals = Attached(mi.Float(0))
        self.cells = mi.Float(0)
        self.atlas = Atlas(Attached(mi.Float(0)), ())

    def move(self, vertices: "mi.Float") -> None:
        """Rebuild the acceleration structure, if the vertices are new: light and texture often change alone."""
        vertices = dr.detach(vertices)
        if dr.all(vertices == self._parameters[self._positions_key]):
            return
        self._parameters[self._positions_key] = vertices
        self._parameters.update()

    def first_hit(self, ray: "mi.Ray3f", active: "mi.Bool") -> "mi.PreliminaryIntersection3f":
        return self.scene.ray_intersect_preliminary(ray, coherent=False, active=active)

    def seen_first(self, ray: "mi.Ray3f", active: "mi.Bool") -> "mi.PreliminaryIntersection3f":
        """What a camera sees: the first hand, since things stand in no camera's way (`ThingSurfaces`)."""
        pi = self.first_hit(ray, active)
        if self.n_hand_faces == self.n_faces:
            return pi

        def is_thing(ray: "mi.Ray3f", pi: "mi.PreliminaryIntersection3f") -> "mi.Bool":
            return pi.is_valid() & (pi.prim_index % self.n_faces >= self.n_hand_faces)

        def passed(ray: "mi.Ray3f", pi: "mi.PreliminaryIntersection3f") -> tuple:
            t = pi.t + (1 + dr.max(dr.abs(ray.o + ray.d * pi.t))) * mi.math.RayEpsilon
            rest = mi.Ray3f(ray.o + ray.d * t, ray.d)
            rest.maxt = ray.maxt - t
            return rest, self.first_hit(rest, rest.maxt > 0)

        end: tuple = dr.while_loop((mi.Ray3f(ray), pi), is_thing, passed, label="things in the way")
        return end[1]

    def hides(self, ray: "mi.Ray3f", active: "mi.Bool") -> "mi.Bool":
        """Whether a hand is in the way of a ray towards a camera."""
        if self.n_hand_faces == self.n_faces:
            return self.scene.ray_test(ray, coherent=False, active=active)
        return self.seen_first(ray, active).is_valid()

    def hand_of(self, pi: "mi.PreliminaryIntersection3f") -> "mi.UInt32":
        face = pi.prim_index % self.n_faces
        hand = mi.UInt32(0)
        for first in self.first_face[1:-1]:
            hand += dr.select(face >= int(first), mi.UInt32(1), mi.UInt32(0))
        return hand

    def surface(self, pi: "mi.PreliminaryIntersection3f", ray: "mi.Ray3f", active: "mi.Bool") -> Surface:
        """Position, normal and reflectance where a ray hits, for a fixed direction of the ray.

        The barycentric coordinates follow the moving triangle and the moving origin of the ray
        (Moeller and Trumbore 1997), and so do texture coordinates and normal. Normals are turned to the side of
        the triangle that the ray comes from.
        """
        frame, face, corners = self._corners(pi, active)
        v0, v1, v2 = (self.vertices.gather(c, active) for c in corners)
        b1, b2, t = _intersect(ray, v0, v1, v2)
        b1, b2 = dr.replace_grad(pi.prim_uv.x, b1), dr.replace_grad(pi.prim_uv.y, b2)
        b0 = 1 - b1 - b2
        normals = [self.normals.gather(c, active) for c in corners]
        flat_n = dr.normalize(dr.cross(dr.detach(v1 - v0), dr.detach(v2 - v0)))
        side = dr.select(dr.dot(flat_n, dr.detach(ray.d)) > 0, -1.0, 1.0)
        n0, n1, n2 = (n * side for n in normals)
        n = dr.normalize(n0 * b0 + n1 * b1 + n2 * b2)
        on_triangle = v0 * b0 + v1 * b1 + v2 * b2
        p = dr.replace_grad(on_triangle, mi.Vector3f(ray.o + ray.d * t))
        lift = _lift(p, (b0, b1, b2), (v0, v1, v2), (n0, n1, n2))
        t0, t1, t2 = (dr.gather(mi.Point2f, self.corner_uv, face * 3 + k, active) for k in range(3))
        uv = t0 * b0 + t1 * b1 + t2 * b2
        albedo = self._reflectance(uv, frame, self.hand_of(pi), active)
        cell = dr.gather(mi.Point3f, self.cells, frame, active)
        return Surface(mi.Point3f(p), n, flat_n * side, lift, albedo, cell)

    def moving_point(self, pi: "mi.PreliminaryIntersection3f", vertices: Attached) -> "mi.Vector3f":
        """The point of the triangle that a ray has hit, fixed to the moving triangle; differentiable."""
        _, _, corners = self._corners(pi, mi.Bool(True))
        v0, v1, v2 = (vertices.gather(c) for c in corners)
        return v0 + (v1 - v0) * pi.prim_uv.x + (v2 - v0) * pi.prim_uv.y

    def _corners(
        self, pi: "mi.PreliminaryIntersection3f", active: "mi.Bool"
    ) -> tuple["mi.UInt32", "mi.UInt32", list["mi.UInt32"]]:
        """Frame, face, and the vertices of the triangle that a ray has hit."""
        frame = pi.prim_index // self.n_faces
        face = pi.prim_index - frame * self.n_faces
        first = frame * self.n_vertices
        return frame, face, [dr.gather(mi.UInt32, self.faces, face * 3 + k, active) + first for k in range(3)]

    def _reflectance(
        self, uv: "mi.Point2f", frame: "mi.UInt32", hand: "mi.UInt32", active: "mi.Bool"
    ) -> "mi.Color3f":
        """Bilinear between texel centres, clamped at the border; v = 1 is the first row."""
        first, (frames, height, width) = 0, self.atlas.sizes[0]
        base = mi.UInt32(0) if frames == 1 else frame * (height * width)
        rows, columns = mi.UInt32(height), mi.UInt32(width)
        for k, (frames, next_height, next_width) in enumerate(self.atlas.sizes[1:], start=1):
            first += int(np.prod(self.atlas.sizes[k - 1]))
            own = first + (mi.UInt32(0) if frames == 1 else frame * (next_height * next_width))
            base = dr.select(hand == k, own, base)
            rows = dr.select(hand == k, next_height, rows)
            columns = dr.select(hand == k, next_width, columns)
        x = uv.x * mi.Float(columns) - 0.5
        y = (1 - uv.y) * mi.Float(rows) - 0.5
        x0, y0 = dr.floor(dr.detach(x)), dr.floor(dr.detach(y))
        wx, wy = x - x0, y - y0
        clamp = lambda i, size: mi.UInt32(dr.clip(mi.Int32(i), 0, mi.Int32(size) - 1))  # noqa: E731
        left, right = clamp(x0, columns), clamp(x0 + 1, columns)
        top, bottom = base + clamp(y0, rows) * columns, base + clamp(y0 + 1, rows) * columns
        fetch = lambda texel: mi.Color3f(self.atlas.texels.gather(texel, active))  # noqa: E731
        upper = fetch(top + left) * (1 - wx) + fetch(top + right) * wx
        lower = fetch(bottom + left) * (1 - wx) + fetch(bottom + right) * wx
        return upper * (1 - wy) + lower * wy


def _lift(p: "mi.Vector3f", weights: tuple, vertices: tuple, normals: tuple) -> "mi.Vector3f":
    """From a point p of a triangle to the smooth surface through its corners v_i with normals m_i and weights b_i:

    `sum of b_i m_i max(0, -(p - v_i) . m_i)` (Hanika 2021, "Hacking the shadow terminator", Ray Tracing Gems II).
    """
    lift = mi.Vector3f(0)
    for b, v, m in zip(weights, vertices, normals, strict=True):
        lift += m * (b * dr.maximum(dr.dot(v - p, m), 0))
    return lift


def _intersect(
    ray: "mi.Ray3f", v0: "mi.Vector3f", v1: "mi.Vector3f", v2: "mi.Vector3f"
) -> tuple["mi.Float", "mi.Float", "mi.Float"]:
    e1, e2, s = v1 - v0, v2 - v0, mi.Vector3f(ray.o) - v0
    h = dr.cross(ray.d, e2)
    inverse = dr.rcp(dr.dot(e1, h))
    q = dr.cross(s, e1)
    return dr.dot(s, h) * inverse, dr.dot(ray.d, q) * inverse, dr.dot(e2, q) * inverse

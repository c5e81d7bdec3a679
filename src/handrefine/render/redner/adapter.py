"""The Redner backend: our tensors to the worker and its gradients back."""

import itertools
import weakref
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from handrefine.errors import InputError
from handrefine.mesh import MeshTopology, vertex_normals
from handrefine.render.base import HandSurface, RenderConfig, Renderer, Rendering, check_hands, refuse_lenses
from handrefine.render.redner.client import Answer, WorkerClient
from handrefine.render.redner.environment import worker_python
from handrefine.sequence import Camera
from handrefine.views import ViewSet

WORKER = Path(__file__).with_name("worker.py")
INPUTS = ("verts", "normals", "texture", "environment")


def worker_command() -> list[str | Path]:
    """Raises InputError where there is no environment."""
    return [worker_python(), "-s", "-E", "-u", WORKER]


class _Worker:
    """The process that one or several renderers draw with; it ends with the last of them."""

    def __init__(self, command: Sequence[str | Path]) -> None:
        self.client = WorkerClient(command)
        self.jobs, self.images = itertools.count(), itertools.count()
        self.forgotten: list[int] = []


class RednerRenderer:
    """Renders one hand of fixed topology into a fixed set of views; see `handrefine.render.base.Renderer`.

    `config.redner`: "stock" is the published wheel as it is; its light sampling has a density that is wrong for
    half of the directions, which darkens uneven light by up to a quarter. "fixed" samples the surface alone, which
    is right, and without secondary edges, whose gradients then explode.

    Differentiable: vertices with visible silhouettes, texture, environment. The motion of shadow edges
    is in `stock` only. The image of a seed is reproducible, its gradient only to 1 or 2 %: Redner's own threads.
    A seam of the atlas is no edge: positions are welded and texture coordinates have faces of
    their own.

    beside: a renderer whose worker process draws for this one too, if it is Redner's.

    Raises:
        InputError: not exactly one hand; a camera with a lens; there is no environment for the worker, or it does
            not start.
    """

    def __init__(
        self,
        topologies: Sequence[MeshTopology],
        views: ViewSet,
        config: RenderConfig,
        *,
        command: Sequence[str | Path] | None = None,
        beside: Renderer | None = None,
    ) -> None:
        if len(topologies) != 1:
            raise InputError("the Redner renderer takes one hand", where="render.backend", found=len(topologies))
        refuse_lenses((view.camera for view in views.views), "the Redner renderer")
        self.topologies = tuple(topologies)
        self.views = views
        self.config = config
        self.costs: list[Mapping[str, Any]] = []
        shared = beside._worker if isinstance(beside, RednerRenderer) else None
        self._worker = shared or _Worker(command or worker_command())
        self._job = next(self._worker.jobs)
        fields = {
            "redner": config.redner,
            "shading": config.shading,
            "spp": config.spp,
            "bounces": config.depth - 1,
        }
        self._ask("setup", fields, _constants(self.topologies[0], views))
        self.costs.clear()

    def close(self) -> None:
        """End the worker, for all that draw with it; it also ends with the last of these objects."""
        self._worker.client.close()

    def render(
        self,
        hands: Sequence[HandSurface],
        environment: Float[Tensor, "height width 3"],
        *,
        seed: int,
    ) -> Rendering:
        """See `handrefine.render.base.Renderer.render`.

        Raises:
            ValueError: the hand does not fit the topology and views of this renderer.
            InputError: the worker died.
        """
        check_hands(hands, self.topologies, self.views)
        verts = hands[0].verts_world
        normals = vertex_normals(verts, self.topologies[0])
        pixels: Tensor = _Render.apply(self, seed, verts, normals, hands[0].texture, square_map(environment))  # pyright: ignore[reportAssignmentType]
        rgb, coverage = pixels[:, :3], pixels[:, 3:]
        return Rendering(rgb=rgb, coverage=coverage)

    def _ask(self, kind: str, fields: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> Answer:
        forget, self._worker.forgotten[:] = list(self._worker.forgotten), []
        answer = self._worker.client.ask(kind, {**fields, "job": self._job, "forget": forget}, arrays)
        self.costs.append({"kind": kind, **answer.fields})
        return answer

    def _seeds(self, seed: int) -> np.ndarray:
        """Independent seeds of every view's image and its gradient."""
        seeds = np.random.SeedSequence(seed).generate_state(2 * len(self.views))
        return (seeds.reshape(-1, 2) >> 1).astype(np.int64)


class _Image:
    """An image that the worker keeps for its gradient, as long as autograd keeps this."""

    def __init__(self, renderer: RednerRenderer) -> None:
        self.number = next(renderer._worker.images)
        weakref.finalize(self, renderer._worker.forgotten.append, self.number).atexit = False


class _Render(torch.autograd.Function):
    """Pixels of all views with 4 channels (colour, coverage), and their gradient; both are the worker's."""

    @staticmethod
    def forward(ctx, renderer: RednerRenderer, seed: int, *inputs: Tensor) -> Tensor:
        ctx.renderer, ctx.image, ctx.devices = renderer, _Image(renderer), [x.device for x in inputs]
        wanted = [name for name, needed in zip(INPUTS, ctx.needs_input_grad[2:], strict=True) if needed]
        arrays = {name: _array(x) for name, x in zip(INPUTS, inputs, strict=True)}
        answer = renderer._ask(
            "render",
            {"image": ctx.image.number, "differentiate": wanted},
            {**arrays, "seeds": renderer._seeds(seed)},
        )
        return torch.from_numpy(answer.arrays["pixels"]).to(inputs[0].device)

    @staticmethod
    def backward(ctx, grad_pixels: Tensor):  # pyright: ignore[reportIncompatibleMethodOverride]
        found = ctx.renderer._ask("gradient", {"image": ctx.image.number}, {"pixels": _array(grad_pixels)}).arrays
        gradients = (
            torch.from_numpy(found[name]).to(device) if name in found else None
            for name, device in zip(INPUTS, ctx.devices, strict=True)
        )
        return (None, None, *gradients)


def square_map(environment: Float[Tensor, "height width 3"]) -> Float[Tensor, "side side 3"]:
    """Redner takes square maps only: the same layout with as many rows as columns, linearly resampled."""
    height, width = environment.shape[:2]
    side = max(height, width)
    if height == width:
        return environment
    image = environment.permute(2, 0, 1)[None]
    resized = torch.nn.functional.interpolate(image, size=(side, side), mode="bilinear", align_corners=False)
    return resized[0].permute(1, 2, 0)


def intrinsic_matrix(camera: Camera) -> Float[np.ndarray, "3 3"]:
    """Pixels to Redner's screen: x runs from -1 to 1, y upwards, and both are measured in half *widths*."""
    w, h = camera.width, camera.height
    return np.array(
        [
            [2 * camera.fx / w, 0, 2 * camera.cx / w - 1],
            [0, 2 * camera.fy / w, (h - 2 * camera.cy) / w],
            [0, 0, 1],
        ]
    )


def world_from_redner_camera(camera: Camera) -> Float[np.ndarray, "4 4"]:
    """Redner's camera looks along z with y up; ours has y down."""
    cam_from_world = np.eye(4)
    cam_from_world[:3, :3], cam_from_world[:3, 3] = camera.R_cam_world, camera.t_cam_world
    return np.linalg.inv(np.diag([1.0, -1.0, 1.0, 1.0]) @ cam_from_world)


def _constants(topology: MeshTopology, views: ViewSet) -> dict[str, np.ndarray]:
    cameras = [view.camera for view in views.views]
    uv = topology.uv * [1, -1] + [0, 1]  # Redner's v = 0 is the first row
    return {
        "faces": topology.faces.astype(np.int32),
        "uv": uv.astype(np.float32),
        "uv_faces": topology.uv_faces.astype(np.int32),
        "intrinsics": np.stack([intrinsic_matrix(c) for c in cameras]).astype(np.float32),
        "cam_to_world": np.stack([world_from_redner_camera(c) for c in cameras]).astype(np.float32),
        "sizes": np.array([(c.height, c.width) for c in cameras], dtype=np.int32),
        "frames": np.array([view.frame for view in views.views], dtype=np.int32),
    }


def _array(tensor: Tensor) -> np.ndarray:
    return tensor.detach().cpu().float().contiguous().numpy()

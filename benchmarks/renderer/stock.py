"""The stock way: a loop over views, each one `mi.render` with `prb_projective`, bridged by `dr.wrap`."""

import drjit as dr
import mitsuba as mi
import numpy as np
import torch
from torch import Tensor

from benchmarks.renderer.workload import Iteration, Workload
from handrefine.mesh import MeshTopology
from handrefine.render.mitsuba.envmap import envmap_from_latlong
from handrefine.render.mitsuba.sensor import world_from_mitsuba_camera
from handrefine.sequence import Camera


def stock_iteration(work: Workload) -> Iteration:
    """One forward and backward pass of every view in turn; returns the three gradients."""
    scene = mi.load_dict(_scene(work.hand.topology, work.environment))
    params = mi.traverse(scene)
    sensors = [mi.load_dict(_sensor(view.camera)) for view in work.views.views]
    spp = work.config.spp
    integrator = mi.load_dict(
        {
            "type": "prb_projective",
            "max_depth": work.config.depth,
            "hide_emitters": True,
            "sppi": 0,
            "sppp": spp,
        },
        optimize=False,
    )
    corners = torch.as_tensor(work.hand.topology.split_to_vertex)

    @dr.wrap(source="torch", target="drjit")
    def render(positions, texture, environment, sensor, seed):
        params["hand.vertex_positions"] = dr.ravel(mi.TensorXf(positions).array)
        params["hand.bsdf.brdf_0.reflectance.data"] = mi.TensorXf(texture)
        params["light.data"] = mi.TensorXf(environment)
        params.update()
        return mi.render(
            scene, params, sensor=sensor, integrator=integrator, spp=spp, seed=seed, seed_grad=seed + 1
        )

    weights = work.views.split(work.weights)

    def iterate(seed: int) -> tuple[Tensor, Tensor, Tensor]:
        verts, texture, environment = work.leaves()
        for k, (view, sensor) in enumerate(zip(work.views.views, sensors, strict=True)):
            positions = verts[view.frame][corners].reshape(-1)
            image = render(
                positions, texture[0], envmap_from_latlong(environment), sensor, 2 * (seed * len(sensors) + k)
            )
            ((image * weights[k]).sum() / work.views.n_pixels).backward()
        found = [torch.zeros_like(x) if x.grad is None else x.grad for x in (verts, texture, environment)]
        return found[0], found[1], found[2]

    return iterate


def _scene(topology: MeshTopology, environment: Tensor) -> dict:
    bsdf = {
        "type": "twosided",
        "brdf_0": {
            "type": "diffuse",
            "reflectance": {
                "type": "bitmap",
                "data": mi.TensorXf(np.full((8, 8, 3), 0.5, np.float32)),
                "raw": True,
                "format": "variant",
            },
        },
    }
    props = mi.Properties()
    props["bsdf"] = mi.load_dict(bsdf)
    corners, faces = len(topology.split_to_vertex), topology.split_faces
    mesh = mi.Mesh("hand", corners, len(faces), has_vertex_normals=True, has_vertex_texcoords=True, props=props)
    parameters = mi.traverse(mesh)
    start = np.random.default_rng(0).uniform(-0.1, 0.1, corners * 3)
    parameters["vertex_positions"] = mi.Float(start.astype(np.float32))
    parameters["faces"] = mi.UInt32(faces.astype(np.uint32).ravel())
    flipped = topology.split_uv * [1, -1] + [0, 1]
    parameters["vertex_texcoords"] = mi.Float(flipped.astype(np.float32).ravel())
    parameters.update()
    map_data = envmap_from_latlong(environment).detach().cpu().numpy()
    light = {"type": "envmap", "bitmap": mi.Bitmap(np.ascontiguousarray(map_data[:, 1:-1]))}
    return {"type": "scene", "hand": mesh, "light": light}


def _sensor(camera: Camera) -> dict:
    """Square pixels, principal point in the middle: the cost is what counts here."""
    return {
        "type": "perspective",
        "fov": float(2 * np.degrees(np.arctan(camera.width / (2 * camera.fx)))),
        "fov_axis": "x",
        "to_world": mi.ScalarTransform4f(world_from_mitsuba_camera(camera)),
        "near_clip": 0.01,
        "film": {
            "type": "hdrfilm",
            "width": camera.width,
            "height": camera.height,
            "rfilter": {"type": "box"},
            "pixel_format": "rgb",
            "component_format": "float32",
        },
        "sampler": {"type": "independent"},
    }

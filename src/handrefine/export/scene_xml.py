"""A Mitsuba scene on disk that the stock `mitsuba` command renders to the image that handrefine renders.

Mitsuba 3.9 has no `mi.xml` any more, so the few elements of the scene are written here.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from xml.etree import ElementTree as ET

import numpy as np
import torch
from jaxtyping import Float

from handrefine.export.meshes import TexturedMesh, write_ply
from handrefine.io.exr import write_exr
from handrefine.runs.reader import HandRun, Which
from handrefine.sequence import Camera, FrameId, FrameIndex

SCENE_FILE, MESH_FILE, TEXTURE_FILE, LIGHT_FILE = "scene.xml", "hand.ply", "texture.png", "environment.exr"
#: The scene's values of `mitsuba -D name=value`.
DEFAULTS = {"spp": "256", "seed": "0"}

COMMENT = """
Written by handrefine. Render it with
    mitsuba -m scalar_rgb scene.xml                 (or with -D spp=1024, for less noise)
or with `handrefine render-scene`.

frame {frame}, camera {camera}, {which} the refinement. {shown} over black, without the camera's colour
transform (colour.json of the run folder): image = M @ render + coverage * b.
{pixels}"""
RADIANCE, ALBEDO = "Linear radiance", "Bare reflectance (channels albedo.R, albedo.G, albedo.B of the EXR)"
SQUARE = """
Mitsuba's cameras have square pixels, this one has not (fx {0.fx:.6g}, fy {0.fy:.6g} px). The image has square
pixels of the finer pitch: the dataset's point (u, v) lies at ({su:.8g} u, {sv:.8g} v), both counted from the
upper left corner of the image.
"""
LENS = """
The camera's images are distorted by its lens ({0.model}, {0.coefficients}); the scene shows them undistorted.
"""


@dataclass(frozen=True, eq=False)
class SceneContent:
    """What a scene shows, and how.

    texture_png: encoded 8-bit sRGB reflectance, row 0 at the top.
    environment: radiance in the layout of Mitsuba's `envmap` data *without* its repeated columns.
    world_from_camera: of a Mitsuba camera, x to the left and y up.
    depth: the longest path; None shows the bare reflectance, without light.
    """

    mesh: TexturedMesh
    frame_index: int
    texture_png: bytes
    environment: Float[np.ndarray, "row column 3"]
    camera: Camera
    world_from_camera: Float[np.ndarray, "4 4"]
    depth: int | None
    frame: FrameId
    which: Which


def scene_content(run: HandRun, index: FrameIndex, camera: Camera, which: Which) -> SceneContent:
    """One frame of a run, as one of its cameras sees it; start Mitsuba first.

    Raises:
        InputError: the run lacks its light, texture or configuration.
    """
    from handrefine.render.mitsuba.envmap import envmap_from_latlong
    from handrefine.render.mitsuba.sensor import world_from_mitsuba_camera

    rows = envmap_from_latlong(torch.from_numpy(run.environment))
    render = run.config.render
    return SceneContent(
        mesh=TexturedMesh.of(run.state(which).verts_world, run.annotation.topology),
        frame_index=index,
        texture_png=run.texture_file.read_bytes(),
        environment=rows[:, 1:-1].numpy(),  # Mitsuba repeats the outer columns itself when it reads a file
        camera=camera,
        world_from_camera=world_from_mitsuba_camera(camera),
        depth=None if render.shading == "albedo" else render.depth,
        frame=run.annotation.frames[index],
        which=which,
    )


def square_pixels(camera: Camera) -> Camera:
    """The camera with fx = fy that sees the same, up to half a pixel at its right and lower borders."""
    focal = max(camera.fx, camera.fy)
    sx, sy = focal / camera.fx, focal / camera.fy
    width, height = max(1, round(camera.width * sx)), max(1, round(camera.height * sy))
    return replace(camera, width=width, height=height, fx=focal, fy=focal, cx=camera.cx * sx, cy=camera.cy * sy)


def write_scene(folder: Path, content: SceneContent) -> Path:
    """Write scene.xml and the files that it names, all relative to it; needs Mitsuba started, for the EXR."""
    write_ply(folder / MESH_FILE, content.mesh, content.frame_index)
    (folder / TEXTURE_FILE).write_bytes(content.texture_png)
    write_exr(folder / LIGHT_FILE, content.environment)
    root = scene_element(content)
    ET.indent(root, space="    ")
    path = folder / SCENE_FILE
    path.write_text(ET.tostring(root, encoding="unicode") + "\n", encoding="utf-8")
    return path


def scene_element(content: SceneContent) -> ET.Element:
    """The scene as XML."""
    root = ET.Element("scene", version="3.0.0")
    root.append(ET.Comment(_comment(content)))
    for name, value in DEFAULTS.items():
        ET.SubElement(root, "default", name=name, value=value)
    root.append(_integrator(content.depth))
    root.append(_sensor(square_pixels(content.camera), content.world_from_camera))
    root.append(_hand())
    root.append(_plugin("emitter", "envmap", {"filename": LIGHT_FILE}))
    return root


def _comment(content: SceneContent) -> str:
    camera, square = content.camera, square_pixels(content.camera)
    su, sv = square.fx / camera.fx, square.fy / camera.fy
    pixels = "" if su == sv else SQUARE.format(camera, su=su, sv=sv)
    pixels += "" if camera.lens is None else LENS.format(camera.lens)
    name = camera.name.replace("--", "- -")  # XML comments must not hold two dashes in a row
    shown = ALBEDO if content.depth is None else RADIANCE
    return COMMENT.format(frame=content.frame, camera=name, which=content.which, shown=shown, pixels=pixels)


def _integrator(depth: int | None) -> ET.Element:
    if depth is None:
        return _plugin("integrator", "aov", {"aovs": "albedo:albedo"})
    # No Russian roulette: the paths are too short for it to pay.
    return _plugin("integrator", "path", {"max_depth": depth, "rr_depth": depth + 1, "hide_emitters": True})


def _sensor(camera: Camera, world_from_camera: Float[np.ndarray, "4 4"]) -> ET.Element:
    """A pinhole camera with square pixels."""
    properties = {
        "fov_axis": "x",
        "fov": float(np.degrees(2 * np.arctan(camera.width / (2 * camera.fx)))),
        # Shares of the image's size; Mitsuba moves the image by them, not the principal point.
        "principal_point_offset_x": 0.5 - camera.cx / camera.width,
        "principal_point_offset_y": 0.5 - camera.cy / camera.height,
        "near_clip": 1e-3,
        "far_clip": 1e3,
    }
    sensor = _plugin("sensor", "perspective", properties)
    transform = ET.SubElement(sensor, "transform", name="to_world")
    ET.SubElement(transform, "matrix", value=" ".join(repr(float(x)) for x in world_from_camera.ravel()))
    film = _plugin(
        "film",
        "hdrfilm",
        {
            "width": camera.width,
            "height": camera.height,
            "pixel_format": "rgb",
            "component_format": "float32",
        },
    )
    film.append(_plugin("rfilter", "box", {}))
    sensor.append(film)
    sampler = _plugin("sampler", "multijitter", {})  # a third of the noise of independent samples
    ET.SubElement(sampler, "integer", name="sample_count", value="$spp")
    ET.SubElement(sampler, "integer", name="seed", value="$seed")
    sensor.append(sampler)
    return sensor


def _hand() -> ET.Element:
    """Two-sided diffuse skin; its smooth normals come from the file."""
    shape = _plugin("shape", "ply", {"filename": MESH_FILE, "face_normals": False, "flip_tex_coords": True})
    texture = _plugin("texture", "bitmap", {"filename": TEXTURE_FILE, "wrap_mode": "clamp", "format": "variant"})
    texture.set("name", "reflectance")
    diffuse, material = _plugin("bsdf", "diffuse", {}), _plugin("bsdf", "twosided", {})
    diffuse.append(texture)
    material.append(diffuse)
    shape.append(material)
    return shape


def _plugin(kind: str, plugin: str, properties: Mapping[str, bool | int | float | str]) -> ET.Element:
    element = ET.Element(kind, type=plugin)
    for name, value in properties.items():
        tag = {bool: "boolean", int: "integer", float: "float", str: "string"}[type(value)]
        text = str(value).lower() if isinstance(value, bool) else str(value)
        ET.SubElement(element, tag, name=name, value=text)
    return element

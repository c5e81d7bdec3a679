"""The worker: renders with Redner what arrives on the standard input. Runs under CPython 3.6 to 3.8.

Started by `client.py` in an environment that knows nothing of us, so it imports only `protocol.py` beside it.

Requests: `setup` (topology, cameras, options), `render`, `gradient` (of an earlier image). An image's graph
is kept until the client, whose autograd decides, says `forget`.
"""

# ruff: noqa: B905
# pyright: reportMissingImports=false, reportImplicitRelativeImport=false, reportAttributeAccessIssue=false

import os
import sys
import time
import traceback

# The answers' pipe is taken away from whatever prints: file descriptor 1 becomes the standard error.
_ANSWERS = os.fdopen(os.dup(1), "wb")
os.dup2(2, 1)

import protocol  # noqa: E402
import pyredner  # noqa: E402
import redner  # noqa: E402
import torch  # noqa: E402

#: Redner divides by this number; 0 aborts, and this small it leaves sampling to the surface alone.
NO_LIGHT_SAMPLING = 1e-12
CLIP_NEAR_M = 1e-2


class Job:
    """What stays the same between the images of one renderer: how and from where they are drawn."""

    def __init__(self, fields, arrays):
        self.fixed = fields["redner"] == "fixed"
        self.radiance = fields["shading"] == "radiance"
        self.samples = fields["spp"]
        self.bounces = fields["bounces"] if self.radiance else 0
        self.topology = {name: torch.from_numpy(arrays[name]) for name in ("faces", "uv", "uv_faces")}
        self.frames = arrays["frames"].tolist()
        self.sizes = arrays["sizes"].tolist()
        self.cameras = [
            pyredner.Camera(
                cam_to_world=torch.from_numpy(pose).contiguous(),
                intrinsic_mat=torch.from_numpy(intrinsics).contiguous(),
                clip_near=CLIP_NEAR_M,
                resolution=(height, width),
            )
            for pose, intrinsics, (height, width) in zip(arrays["cam_to_world"], arrays["intrinsics"], self.sizes)
        ]

    def render(self, fields, arrays):
        """(pixels, leaves): the former differentiable in some of the latter."""
        needed = fields["differentiate"]
        leaves = {name: torch.from_numpy(array) for name, array in arrays.items() if name != "seeds"}
        for name, leaf in leaves.items():
            leaf.requires_grad_(name in needed)
        with torch.set_grad_enabled(bool(needed)):
            pixels = self._pixels(leaves, arrays["seeds"].tolist())
        return pixels, leaves

    def _pixels(self, leaves, seeds):
        materials, objects, images = {}, {}, []
        envmap = self._envmap(leaves["environment"]) if self.radiance else None
        for view, (frame, camera) in enumerate(zip(self.frames, self.cameras)):
            texture = min(frame, len(leaves["texture"]) - 1)
            if texture not in materials:
                reflectance = pyredner.Texture(leaves["texture"][texture].contiguous())
                materials[texture] = pyredner.Material(diffuse_reflectance=reflectance, two_sided=True)
            if frame not in objects:
                objects[frame] = pyredner.Object(
                    vertices=leaves["verts"][frame].contiguous(),
                    indices=self.topology["faces"],
                    material=materials[texture],
                    uvs=self.topology["uv"],
                    uv_indices=self.topology["uv_faces"],
                    normals=leaves["normals"][frame].contiguous(),
                )
            scene = pyredner.Scene(camera, objects=[objects[frame]], envmap=envmap)
            images.append(self._image(scene, seeds[view]))
            send("alive", {}, {})
        return torch.cat(images)

    def _envmap(self, values):
        envmap = pyredner.EnvironmentMap(values.contiguous(), directly_visible=False)
        if self.fixed:
            envmap.pdf_norm = NO_LIGHT_SAMPLING
        return envmap

    def _image(self, scene, seeds):
        colour = redner.channels.radiance if self.radiance else redner.channels.diffuse_reflectance
        serialized = pyredner.RenderFunction.serialize_scene(
            scene,
            num_samples=(self.samples, self.samples),
            max_bounces=self.bounces,
            channels=[colour, redner.channels.alpha],
            use_primary_edge_sampling=True,
            use_secondary_edge_sampling=self.radiance and not self.fixed,
        )
        image = pyredner.RenderFunction.apply(tuple(seeds), *serialized)
        return image.reshape(-1, 4)


class Worker:
    """Answers requests: jobs by number, and the graphs of images that may still be differentiated."""

    def __init__(self):
        self.jobs, self.graphs = {}, {}

    def answer(self, kind, fields, arrays):
        for image in fields["forget"]:
            self.graphs.pop(image, None)
        if kind not in ("setup", "render", "gradient"):
            raise ValueError(f"unknown request {kind!r}")
        return getattr(self, kind)(fields, arrays)

    def setup(self, fields, arrays):
        self.jobs[fields["job"]] = Job(fields, arrays)
        return {}

    def render(self, fields, arrays):
        pixels, leaves = self.jobs[fields["job"]].render(fields, arrays)
        if fields["differentiate"]:
            self.graphs[fields["image"]] = (pixels, leaves)
        return {"pixels": pixels.detach().numpy()}

    def gradient(self, fields, arrays):
        pixels, leaves = self.graphs[fields["image"]]
        wanted = {name: leaf for name, leaf in leaves.items() if leaf.requires_grad}
        if not pixels.requires_grad:  # e.g. albedo, of which only the light is asked for
            return {name: torch.zeros_like(leaf).numpy() for name, leaf in wanted.items()}
        found = torch.autograd.grad(
            pixels,
            list(wanted.values()),
            torch.from_numpy(arrays["pixels"]),
            retain_graph=True,
            allow_unused=True,
        )
        return {
            name: (torch.zeros_like(leaf) if gradient is None else gradient).numpy()
            for (name, leaf), gradient in zip(wanted.items(), found)
        }


def read_exactly(count):
    data = sys.stdin.buffer.read(count)
    if len(data) < count:
        raise EOFError
    return data


def send(kind, fields, arrays):
    for block in protocol.encode(kind, fields, arrays):
        _ANSWERS.write(block)
    _ANSWERS.flush()


def peak_mib():
    """Largest resident memory; 0 where the system does not tell. `getrusage` would count our parent's, too."""
    try:
        with open("/proc/self/status") as lines:
            return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM"))
    except (OSError, StopIteration):
        return 0.0


def main():
    torch.set_num_threads(1)
    pyredner.set_use_gpu(False)
    pyredner.set_print_timing(False)
    send("ready", {"python": sys.version.split()[0], "torch": torch.__version__}, {})
    worker = Worker()
    while True:
        try:
            kind, fields, arrays = protocol.decode(read_exactly)
        except EOFError:
            return
        wall, cpu = time.perf_counter(), time.process_time()
        try:
            found = worker.answer(kind, fields, arrays)
        except Exception:
            send("error", {"traceback": traceback.format_exc()}, {})
            continue
        used = {
            "seconds": time.perf_counter() - wall,
            "cpu_seconds": time.process_time() - cpu,
            "peak_mib": peak_mib(),
        }
        send("done", used, found)


if __name__ == "__main__":
    main()

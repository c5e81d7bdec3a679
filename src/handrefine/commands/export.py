"""`handrefine export`: a finished run in the formats of other programs."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Literal

import numpy as np
import torch
import yaml
from rich.console import Console

from handrefine.config import Config
from handrefine.config_files import config_from_mapping
from handrefine.data.interhand26m_video_writer import write_interhand26m_sequence
from handrefine.errors import InputError
from handrefine.output.export.finished_run import FinishedRun, Which
from handrefine.output.export.glb import glb_bytes
from handrefine.output.export.meshes import TexturedMesh, write_material, write_obj, write_ply
from handrefine.output.export.new_folder import new_folder, refuse_existing
from handrefine.output.export.scene_xml import SceneContent, write_scene
from handrefine.output.files import whole_file
from handrefine.render.mitsuba.runtime import start_mitsuba
from handrefine.sequence import HandAnnotation

Format = Literal["xml", "glb", "obj", "ply", "npz", "interhand26m"]


def export(
    folder: Path,
    kind: Format,
    out: Path,
    *,
    frame: int | None = None,
    camera: str | None = None,
    which: Which = "after",
    console: Console,
) -> None:
    """Write `out`: a file for glb and npz, a folder for the rest.

    Raises:
        InputError: the run, frame or camera does not exist, or `out` does.
    """
    run = FinishedRun.open(folder)
    instants = run.instants(frame)
    refuse_existing(out)
    if camera is not None and kind != "xml":
        raise InputError(
            f"{kind} holds no single camera's picture", found=f"--camera {camera}", fix="leave it out"
        )
    if kind == "xml":
        _export_scene(run, instants[0], camera, which, out)
    elif kind == "interhand26m":
        _export_interhand26m(run, instants, which, out)
    elif kind == "npz":
        _export_npz(run, instants, which, out)
    elif kind == "glb":
        mesh = TexturedMesh.of(run.state(which).verts_world[list(instants)], run.annotation.topology)
        with _new_file(out) as path:
            path.write_bytes(glb_bytes(mesh, run.texture_file.read_bytes(), f"{run.annotation.side} hand"))
    else:
        _export_meshes(run, instants, which, out, kind)
    console.print(f"written: {out}", markup=False, highlight=False)


@contextmanager
def _new_file(out: Path) -> Iterator[Path]:
    """A temporary name that becomes `out`."""
    if out.is_dir():
        raise InputError("the output is a folder, a file is to be written", where=out, fix="choose another name")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        with whole_file(out) as path:
            yield path
    except OSError as error:
        raise InputError("the output cannot be written", where=out, found=error, fix="choose another") from error


def _export_scene(run: FinishedRun, instant: int, camera: str | None, which: Which, out: Path) -> None:
    chosen, config = run.camera(camera), run_config(run.folder)
    start_mitsuba(config.render.variant)
    from handrefine.render.mitsuba.sensor import world_from_mitsuba_camera

    content = SceneContent(
        mesh=TexturedMesh.of(run.state(which).verts_world, run.annotation.topology),
        instant=instant,
        texture_png=run.texture_file.read_bytes(),
        environment=light_of(run),
        camera=chosen,
        world_from_camera=world_from_mitsuba_camera(chosen),
        depth=None if config.render.shading == "albedo" else config.render.depth,
        frame=run.annotation.frames[instant],
        which=which,
    )
    with new_folder(out) as folder:
        write_scene(folder, content)


def light_of(run: FinishedRun) -> np.ndarray:
    """The run's light as the rows and columns of a file for Mitsuba's `envmap`; start Mitsuba first."""
    import mitsuba as mi

    from handrefine.render.mitsuba.envmap import envmap_from_latlong

    try:
        bitmap = mi.Bitmap(str(run.environment_file))
    except RuntimeError as error:
        raise InputError("the run's light cannot be read", where=run.environment_file, found=error) from error
    rows = envmap_from_latlong(torch.from_numpy(np.array(bitmap, dtype=np.float32)))
    return rows[:, 1:-1].numpy()  # Mitsuba repeats the outer columns itself when it reads a file


def run_config(folder: Path) -> Config:
    """The settings of a run, from its `config.yaml`.

    Raises:
        InputError: it is missing or broken.
    """
    path = folder / "config.yaml"
    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
        settings = document["config"]
    except (OSError, yaml.YAMLError, TypeError, KeyError) as error:
        raise InputError("the run's configuration cannot be read", where=path, found=error) from error
    return config_from_mapping(settings, where=path)


def _export_meshes(run: FinishedRun, instants: tuple[int, ...], which: Which, out: Path, kind: str) -> None:
    """One file an instant, and the texture beside them."""
    verts, topology = run.state(which).verts_world, run.annotation.topology
    mesh = TexturedMesh.of(verts, topology)
    with new_folder(out) as folder:
        shutil.copyfile(run.texture_file, folder / "texture.png")
        if kind == "obj":
            write_material(folder / "hand.mtl")
        for instant in instants:
            path = folder / f"frame{run.annotation.frames[instant]}.{kind}"
            if kind == "obj":
                write_obj(path, verts[instant], topology, "hand.mtl")
            else:
                write_ply(path, mesh, instant)


def _export_npz(run: FinishedRun, instants: tuple[int, ...], which: Which, out: Path) -> None:
    """One state alone, under plain names; `annotation.npz` of the run folder holds both and the cameras."""
    state, topology, rows = run.state(which), run.annotation.topology, list(instants)
    with _new_file(out) as path, path.open("wb") as file:
        np.savez_compressed(
            file,
            side=np.str_(run.annotation.side),
            hand_model=np.str_(run.annotation.hand_model),
            frames=np.array(run.annotation.frames)[rows],
            pose_aa=state.mano.pose_aa[rows],
            shape=state.mano.shape[rows],
            trans_m=state.mano.trans_m[rows],
            flat_hand_mean=np.bool_(state.mano.flat_hand_mean),
            verts_world=state.verts_world[rows],
            joints_world=state.joints_world[rows],
            faces=topology.faces,
            uv=topology.uv,
            uv_faces=topology.uv_faces,
        )


def _export_interhand26m(run: FinishedRun, instants: tuple[int, ...], which: Which, out: Path) -> None:
    """The annotation and the cameras in InterHand2.6M's files, without pictures."""
    state, rows, side = run.state(which), list(instants), run.annotation.side
    mano = state.mano
    chosen = replace(mano, pose_aa=mano.pose_aa[rows], shape=mano.shape[rows], trans_m=mano.trans_m[rows])
    annotation = HandAnnotation(
        side,
        mano=chosen,
        mano_valid=np.ones(len(rows), dtype=bool),
        joints_world=state.joints_world[rows].astype(np.float64),
    )
    cameras = {camera.name: camera for camera in run.annotation.cameras}
    frames = [run.annotation.frames[k] for k in rows]
    write_interhand26m_sequence(out, cameras, frames, {}, {side: annotation})

"""The formats that a run can be exported to: one function each."""

import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from jaxtyping import Float

from handrefine.datasets.interhand26m_video_writer import NewVideo, write_interhand26m_sequence
from handrefine.errors import InputError
from handrefine.export import Format
from handrefine.export.glb import GlbHand, glb_of_hands
from handrefine.export.meshes import TexturedMesh, write_material, write_obj, write_ply
from handrefine.export.new_output import new_file, new_folder, refuse_existing
from handrefine.export.scene_xml import scene_content, write_scene
from handrefine.hand.model import OPEN_HAND_NAME, load_hand_model
from handrefine.person import read_person, write_person
from handrefine.render.mitsuba.runtime import start_mitsuba
from handrefine.runs.reader import HandRun, Run, Which
from handrefine.runs.result import HandState
from handrefine.sequence import FrameId, FrameIndex, HandAnnotation, Side

TEXTURE_FILE, MATERIAL_FILE = "texture.png", "hand.mtl"


@dataclass(frozen=True, eq=False)
class Selection:
    """What of a run is exported.

    frames: positions of the frames. camera: its name, for formats that show what one camera sees.
    """

    run: HandRun
    frames: tuple[FrameIndex, ...]
    which: Which
    camera: str | None

    @property
    def state(self) -> HandState:
        """The hand before or after, at all frames of the run."""
        return self.run.state(self.which)

    @property
    def rows(self) -> list[FrameIndex]:
        return list(self.frames)

    def mesh(self) -> TexturedMesh:
        """At the selected frames."""
        return TexturedMesh.of(self.state.verts_world[self.rows], self.run.annotation.topology)


def export(
    run: Run,
    format: Format,
    out: Path,
    *,
    frame: int | None = None,
    camera: str | None = None,
    which: Which = "after",
) -> None:
    """Write `out`: a file for glb and npz, a folder for the rest.

    Args:
        run: of one hand or several; glb and interhand26m hold several, the other formats one.
        frame: the dataset's number of the one frame to export; all when missing (xml: the first).
        camera: name of the camera (xml only); the first when missing.

    Raises:
        InputError: the run lacks something, the frame or camera does not exist, `out` does, or the format holds
            one hand and there are several.
    """
    hands = run.hands if format in OF_SEVERAL_HANDS else (run.only_hand(),)
    selections = [Selection(hand, hand.frame_indices(frame), which, camera) for hand in hands]
    refuse_existing(out)
    if camera is not None and format != "xml":
        raise InputError(
            f"{format} holds no single camera's image", found=f"--camera {camera}", fix="leave it out"
        )
    if format in OF_SEVERAL_HANDS:
        OF_SEVERAL_HANDS[format](selections, out)
    else:
        OF_ONE_HAND[format](selections[0], out)


def export_scene(selection: Selection, out: Path) -> None:
    """A folder that the stock `mitsuba` command renders."""
    run = selection.run
    camera = run.camera(selection.camera).at(run.annotation.frames[selection.frames[0]])
    start_mitsuba(run.config.render.variant)
    content = scene_content(run, selection.frames[0], camera, selection.which)
    with new_folder(out) as folder:
        write_scene(folder, content)


def export_glb(selections: Sequence[Selection], out: Path) -> None:
    """A textured mesh a hand; the gesture is an animation of morph targets."""
    frames = [[selection.run.annotation.frames[k] for k in selection.frames] for selection in selections]
    step = {frame: k for k, frame in enumerate(sorted(set().union(*frames)))}
    hands = [
        GlbHand(
            of.mesh(), of.run.texture_file.read_bytes(), f"{of.run.side} hand", tuple(step[frame] for frame in at)
        )
        for of, at in zip(selections, frames, strict=True)
    ]
    with new_file(out) as path:
        path.write_bytes(glb_of_hands(hands))


def export_obj(selection: Selection, out: Path) -> None:
    """A mesh a frame in the hand model's own vertex order, with texture and material."""
    topology = selection.run.annotation.topology
    with new_folder(out) as folder:
        shutil.copyfile(selection.run.texture_file, folder / TEXTURE_FILE)
        write_material(folder / MATERIAL_FILE)
        for k in selection.frames:
            path = folder / f"frame{selection.run.annotation.frames[k]}.obj"
            write_obj(path, selection.state.verts_world[k], topology, MATERIAL_FILE)


def export_ply(selection: Selection, out: Path) -> None:
    """A mesh a frame, cut along the texture's seams, with normals."""
    mesh = selection.mesh()
    with new_folder(out) as folder:
        shutil.copyfile(selection.run.texture_file, folder / TEXTURE_FILE)
        for row, k in enumerate(selection.frames):
            write_ply(folder / f"frame{selection.run.annotation.frames[k]}.ply", mesh, row)


def export_npz(selection: Selection, out: Path) -> None:
    """One state alone, under plain names; `annotation.npz` of the run folder holds both and the cameras."""
    annotation, state, rows = selection.run.annotation, selection.state, selection.rows
    with new_file(out) as path, path.open("wb") as file:
        np.savez_compressed(
            file,
            side=np.str_(annotation.side),
            hand_model=np.str_(annotation.hand_model),
            frames=np.array(annotation.frames)[rows],
            pose_aa=state.mano.pose_aa[rows],
            shape=state.mano.shape[rows],
            trans_m=state.mano.trans_m[rows],
            flat_hand_mean=np.bool_(state.mano.flat_hand_mean),
            verts_world=state.verts_world[rows],
            joints_world=state.joints_world[rows],
            faces=annotation.topology.faces,
            uv=annotation.topology.uv,
            uv_faces=annotation.topology.uv_faces,
        )


def export_interhand26m(selections: Sequence[Selection], out: Path) -> None:
    """The annotation and the cameras in InterHand2.6M's files, without images; poses relative to the mean pose.

    A hand that was not refined at a frame is marked invalid there.
    """
    first = selections[0].run.annotation
    frames = sorted({of.run.annotation.frames[k] for of in selections for k in of.frames})
    annotations: dict[Side, HandAnnotation] = {of.run.side: _at_frames(of, frames) for of in selections}
    cameras = {camera.name: camera for camera in first.cameras}
    write_interhand26m_sequence(out, cameras, frames, {}, annotations, video=NewVideo(list_every_view=True))


def _at_frames(selection: Selection, frames: Sequence[FrameId]) -> HandAnnotation:
    """One hand's annotation at these frames of the dataset, of which it may lack some."""
    run, state = selection.run.annotation, selection.state
    place = {run.frames[k]: k for k in selection.frames}
    valid = np.array([frame in place for frame in frames])
    rows = [place.get(frame, selection.frames[0]) for frame in frames]
    mano = replace(state.mano.at(rows), open_hand=run.hand_model == OPEN_HAND_NAME)
    if mano.flat_hand_mean:
        mano = mano.relative_to(_mean_pose(selection.run))
    return HandAnnotation(
        run.side,
        mano=mano,
        mano_valid=valid,
        joints_world=state.joints_world[rows].astype(np.float64),
        joint_valid=np.repeat(valid[:, None], state.joints_world.shape[1], axis=1),
    )


def _mean_pose(run: HandRun) -> Float[np.ndarray, "45"]:
    """Of the hand model that the run's parameters belong to.

    Raises:
        InputError: its file is not where the run found it, or is another.
    """
    settings = run.config.hand
    name = run.annotation.hand_model
    try:
        hand = load_hand_model(run.side, None if name == OPEN_HAND_NAME else settings.model_file)
    except InputError as error:
        raise InputError(
            "InterHand2.6M stores poses relative to the hand model's mean pose, and the model is not there",
            where=error.where,
            expected=name,
            found=error.what,
            fix=f"put the model's file there again, or correct hand.model_file in {run.layout.config}",
        ) from error
    if hand.name != name:
        raise InputError(
            "the run's parameters belong to another hand model",
            where=run.layout.config,
            expected=name,
            found=hand.name,
            fix="correct hand.model_file there",
        )
    return hand.hands_mean.numpy().astype(np.float64)


def export_person(selection: Selection, out: Path) -> None:
    """What is the person's in every video: `person.npz`, for `refine --person`."""
    source = selection.run.layout.person
    if not source.is_file():
        raise InputError(
            "the run found no person",
            where=source,
            found="an older run, or one whose every frame has a shape of its own (frame_coupling: independent)",
        )
    with new_file(out) as temporary:
        write_person(temporary, read_person(source))


OF_ONE_HAND: Mapping[Format, Callable[[Selection, Path], None]] = {
    "xml": export_scene,
    "obj": export_obj,
    "ply": export_ply,
    "npz": export_npz,
    "person": export_person,
}
OF_SEVERAL_HANDS: Mapping[Format, Callable[[Sequence[Selection], Path], None]] = {
    "glb": export_glb,
    "interhand26m": export_interhand26m,
}

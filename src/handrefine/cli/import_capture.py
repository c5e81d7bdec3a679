"""`handrefine import`: from videos or image folders, a calibration and 2D hands to a dataset."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from rich.console import Console
from rich.table import Table
from tyro.conf import arg

from handrefine.capture.import_settings import ImportSettings
from handrefine.cli.common import Common
from handrefine.errors import InputError

if TYPE_CHECKING:
    from handrefine.capture.import_check import ImportCheck


@dataclass(frozen=True, kw_only=True)
class Import(Common):
    """Make a dataset of a raw capture: images, cameras in metres, 3D joints triangulated from 2D."""

    calibration: Path
    """File or folder of the cameras' calibration, as the calibrating program wrote it."""
    out: Path
    """Folder to create; receives the dataset in InterHand2.6M's layout, import.json and import.jpg."""
    video: tuple[str, ...] = ()
    """Videos of the cameras, as NAME=FILE: --video cam0=a.mp4 cam1=b.mp4"""
    images: tuple[str, ...] = ()
    """Folders of images of the cameras, as NAME=DIR; the last number in a file's name is the frame's."""
    masks: tuple[str, ...] = ()
    """Folders of masks of the cameras, as NAME=DIR; those beside the images are found."""
    invert_masks: bool = False
    """Masks are white where the hand is not."""
    joints: Path | None = None
    """2D keypoints of another detector: a folder with NAME/*_keypoints.json (OpenPose) or NAME.json, or an npz."""
    detect: bool = False
    """Find the hands by MediaPipe; needs the extra handrefine[detect]."""
    calibration_format: str = "auto"
    """Format of the calibration; auto finds out."""
    choices: Annotated[ImportSettings, arg(name="")] = field(default_factory=ImportSettings)

    def __call__(self, console: Console) -> None:
        """Import, and print the check.

        Raises:
            InputError: something of the input is missing or contradicts the rest; nothing is written then.
        """
        from handrefine.capture.calibration.registry import read_calibration
        from handrefine.capture.detecting import detect_hands
        from handrefine.capture.import_capture import RawCapture, import_capture
        from handrefine.capture.keypoints.registry import read_keypoints
        from handrefine.capture.masks import find_masks
        from handrefine.capture.matching import match_cameras
        from handrefine.capture.sources import read_sources
        from handrefine.export.new_output import refuse_existing

        refuse_existing(self.out)
        if self.detect == (self.joints is not None):
            raise InputError("either --detect or --joints FILE says where the hands are", found="both or neither")
        sources = read_sources(self.video, self.images)
        calibrated = read_calibration(self.calibration, self.calibration_format)
        cameras, notes = match_cameras(sources, calibrated)
        if self.joints is not None:
            detections = read_keypoints(self.joints, sources)
        else:
            detections = detect_hands(sources, lambda line: console.print(line, markup=False, highlight=False))
        masks = find_masks(sources, self.masks, inverted=self.invert_masks)
        capture = RawCapture(sources, cameras, detections, masks, tuple(notes))
        check = import_capture(capture, self.out, self.choices)
        _tell(check, self.out, console)
        if self.choices.link:
            line = "images that stay as they are were linked, not copied: refine with --follow-links"
            console.print(line, markup=False, highlight=False, soft_wrap=True)


def _tell(check: "ImportCheck", out: Path, console: Console) -> None:
    table = Table(title="cameras", title_justify="left")
    table.add_column("camera")
    for column in ("residual px", "outliers", "frames with a hand"):
        table.add_column(column, justify="right")
    for camera in check.cameras:
        table.add_row(
            camera.name, f"{camera.residual_px:.1f}", f"{100 * camera.outliers:.0f} %", str(camera.views)
        )
    console.print(table)

    def say(line: str) -> None:
        console.print(line, markup=False, highlight=False, soft_wrap=True)

    for one, other, distance_m, angle in check.baselines:
        say(f"baseline {one} to {other}: {distance_m * 1e3:.0f} mm, {angle:.0f} degrees at the hand")
    say(f"wrist to middle knuckle: {check.palm_mm:.0f} mm; a unit of the calibration: {check.unit_m * 1e3:.4g} mm")
    say(f"a joint's coordinate is uncertain by {check.spread_mm:.1f} mm before smoothing")
    say(f"hands: {', '.join(check.hands)}; frames kept: {len(check.frames)}")
    for reason, frames in check.dropped.items():
        shown = ", ".join(map(str, frames[:12])) + (" ..." if len(frames) > 12 else "")
        say(f"dropped, {reason}: {len(frames)} frames ({shown})")
    for note in check.notes:
        say(f"note: {note}")
    say(f"dataset folder: {out}; look at {out / 'import.jpg'}")

"""The commands and their options, as typed dataclasses whose docstrings are the help.

Calling a parsed command runs it; what it needs is imported only then, so that `--help` answers at once.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from rich.console import Console
from tyro.conf import Positional, arg

from handrefine.config import Config
from handrefine.sequence import Hands, sides_of

if TYPE_CHECKING:
    from handrefine.synthetic.truth import SyntheticSettings

Settings = Annotated[Config, arg(name="")]
FAILURE = 1


@dataclass(frozen=True, kw_only=True)
class _Common:
    debug: bool = False
    """Show the traceback of an error, and every message of the log."""


@dataclass(frozen=True, kw_only=True)
class _Configured(_Common):
    config: Path | None = None
    """YAML file of differences from the defaults; options on the command line override it."""
    settings: Settings = field(default_factory=Config)


@dataclass(frozen=True, kw_only=True)
class _Video(_Configured):
    n_cameras: int = 6
    """Number of cameras on the half-sphere around the hand."""
    n_frames: int = 4
    """Number of frames of the gesture."""
    size: int = 128
    """Width and height of the images in pixels."""
    error_mm: float = 10.0
    """Mean vertex error of the dataset's annotation in mm, exact."""
    hand: Hands = "right"
    """Which hand, or both: palm to palm, each hiding and shadowing parts of the other."""
    truth_kind: Literal["matched", "mismatched"] = "matched"
    """mismatched: glossy skin with a relief, a lamp, clutter, noise, colour casts, JPEG, an abrupt move."""


@dataclass(frozen=True, kw_only=True)
class Demo(_Video):
    """Make a synthetic video, perturb its annotation, refine it, and show what was gained."""

    out: Path = Path("runs/demo")
    """Folder to create."""
    overwrite: bool = False
    """Replace what an earlier run wrote there, once the new one is complete; other files in the folder stay."""

    def __call__(self, console: Console) -> None:
        from handrefine.cli.demo_command import demo

        demo(
            self.out,
            self.hand,
            _synthetic(self),
            self.error_mm,
            self.settings,
            overwrite=self.overwrite,
            console=console,
        )


@dataclass(frozen=True, kw_only=True)
class Synthesize(_Video):
    """Make a synthetic multi-view video in InterHand2.6M's layout, its annotation perturbed, and truth.npz."""

    out: Path
    """Folder to create."""

    def __call__(self, console: Console) -> None:
        from handrefine.cli.synthesize_command import synthesize

        synthesize(self.out, self.hand, _synthetic(self), self.error_mm, self.settings, console=console)
        console.print(f"dataset folder: {self.out}")


@dataclass(frozen=True, kw_only=True)
class Refine(_Configured):
    """Refine the annotation of one hand or of both in a dataset's folder."""

    data: Path
    """The dataset's folder, in the layout of InterHand2.6M, DexYCB, HanCo or HO-3D."""
    out: Path
    """Run folder to create."""
    format: str = "auto"
    """Layout of the dataset: interhand26m, dexycb, hanco, ho3d, or an installed reader's; auto finds out."""
    sequence: str | None = None
    """Name of the sequence, or the end of it, e.g. 20200709_141754; needed where the folder holds several."""
    hand: Hands = "right"
    """Which hand, or both in one optimisation."""
    cameras: str | None = None
    """Comma-separated names of cameras, or auto:N for the N that see most of the hand; all when missing."""
    holdout: str | None = None
    """Comma-separated names of cameras that are kept from the fit, and on which its result is judged."""
    overwrite: bool = False
    """Replace what an earlier run wrote there, once the new one is complete; other files in the folder stay."""

    def __call__(self, console: Console) -> None:
        from handrefine.cli.refine_command import refine_folder

        refine_folder(
            self.data,
            self.out,
            self.hand,
            self.settings,
            format=self.format,
            name=self.sequence,
            cameras=self.cameras,
            holdout=self.holdout,
            overwrite=self.overwrite,
            console=console,
        )


@dataclass(frozen=True, kw_only=True)
class Evaluate(_Common):
    """Measure a finished run against the truth of a synthetic video, and complete its metrics.json."""

    run: Annotated[Path, Positional]
    """Run folder."""
    truth: Path
    """The dataset's truth.npz."""

    def __call__(self, console: Console) -> None:
        from handrefine.cli.evaluate_command import evaluate_run

        evaluate_run(self.run, self.truth, console=console)


@dataclass(frozen=True, kw_only=True)
class Fit(_Configured):
    """Fit MANO parameters to a dataset's 3D joints, and write them in the dataset's format."""

    data: Path
    """The dataset's folder."""
    out: Path
    """Folder to create; receives the annotation."""
    format: str = "auto"
    """Layout of the dataset: interhand26m, dexycb, hanco, ho3d, or an installed reader's; auto finds out."""
    sequence: str | None = None
    """Name of the sequence, or the end of it, e.g. 20200709_141754; needed where the folder holds several."""
    hand: Hands = "right"
    """Which hand, or both."""

    def __call__(self, console: Console) -> None:
        from handrefine.cli.fit_command import fit_folder

        fit_folder(
            self.data,
            self.out,
            sides_of(self.hand),
            self.settings.hand,
            format=self.format,
            name=self.sequence,
            console=console,
        )


@dataclass(frozen=True, kw_only=True)
class Export(_Common):
    """Write a run in the formats of other programs: a Mitsuba scene, meshes, arrays, InterHand2.6M's files."""

    run: Annotated[Path, Positional]
    """Run folder."""
    format: Literal["xml", "glb", "obj", "ply", "npz", "interhand26m"]
    """xml: a scene for the mitsuba command. glb: the gesture as an animation. obj, ply: a mesh per frame."""
    out: Path
    """What to create: a file for glb and npz, a folder for the rest."""
    frame: int | None = None
    """Frame number of the one frame to export; all when missing (xml: the first)."""
    camera: str | None = None
    """Name of the camera (xml only); the first when missing."""
    which: Literal["before", "after"] = "after"
    """The hand as it was annotated, or as it was refined."""

    def __call__(self, console: Console) -> None:
        from handrefine.cli.export_command import export

        export(
            self.run,
            self.format,
            self.out,
            frame=self.frame,
            camera=self.camera,
            which=self.which,
            console=console,
        )


@dataclass(frozen=True, kw_only=True)
class Turntable(_Common):
    """Render the refined hand on a turntable, its gesture passing meanwhile: PNG pictures and an animation."""

    run: Annotated[Path, Positional]
    """Run folder."""
    out: Path
    """Folder to create."""
    scene: str = "turntable"
    """turntable, studio, or an XML file with the same parameters."""
    frame: int | None = None
    """Frame number of the one frame to show; all when missing."""
    which: Literal["before", "after"] = "after"
    """The hand as it was annotated, or as it was refined."""
    pictures: int = 36
    """Number of pictures of one turn."""
    size: int = 320
    """Width and height of a picture in pixels."""
    spp: int = 64
    """Samples per pixel."""
    animation: Literal["webp", "gif"] = "webp"
    """Format of the animation."""

    def __call__(self, console: Console) -> None:
        from handrefine.cli.turntable_command import turntable

        turntable(
            self.run,
            self.out,
            scene=self.scene,
            frame=self.frame,
            which=self.which,
            pictures=self.pictures,
            size=self.size,
            spp=self.spp,
            animation=self.animation,
            console=console,
        )


@dataclass(frozen=True, kw_only=True)
class Report(_Common):
    """Show a finished run as one HTML page: figures, curves, every view before and after, texture and light."""

    run: Annotated[Path, Positional]
    """Run folder."""
    out: Path | None = None
    """File to write; report.html in the run folder when missing."""

    def __call__(self, console: Console) -> None:
        from handrefine.cli.report_command import report

        report(self.run, self.out, console=console)


@dataclass(frozen=True, kw_only=True)
class View(_Common):
    """Show a run in a browser, in 3D: the hand over time before and after, cameras, images, joints, errors."""

    run: Annotated[Path, Positional]
    """Run folder."""
    truth: Path | None = None
    """The dataset's truth.npz, for colours that show every vertex's error."""
    host: str = "127.0.0.1"
    """Address to listen at; 0.0.0.0 lets other machines look, too."""
    port: int = 8080
    """Port to listen at; the next free one if it is taken."""
    browser: bool = True
    """Open a browser window."""

    def __call__(self, console: Console) -> None:
        from handrefine.cli.view_command import view

        view(
            self.run,
            truth=self.truth,
            host=self.host,
            port=self.port,
            browser=self.browser,
            console=console,
        )


@dataclass(frozen=True, kw_only=True)
class Doctor(_Configured):
    """Say which Mitsuba variant, LLVM, CUDA device and hand model are found, and what to do about the rest."""

    redner: bool = False
    """Set up Redner's environment, too (a download of 2 GB, once), and start its worker."""
    redner_python: Path | None = None
    """Python 3.8 for Redner; found by itself where there is one with pyenv, with conda or on the PATH."""

    def __call__(self, console: Console) -> None:
        from handrefine.cli.doctor_command import doctor

        if not doctor(self.settings, redner=self.redner, redner_python=self.redner_python, console=console):
            raise SystemExit(FAILURE)


#: A parsed command line, ready to run.
Command = Callable[[Console], None]

COMMANDS: dict[str, type] = {
    "demo": Demo,
    "synthesize": Synthesize,
    "refine": Refine,
    "evaluate": Evaluate,
    "fit": Fit,
    "export": Export,
    "turntable": Turntable,
    "view": View,
    "report": Report,
    "doctor": Doctor,
}


def _synthetic(video: _Video) -> "SyntheticSettings":
    from handrefine.synthetic.truth import SyntheticSettings

    return SyntheticSettings(
        n_cameras=video.n_cameras,
        n_frames=video.n_frames,
        size=video.size,
        seed=video.settings.seed,
        kind=video.truth_kind,
    )

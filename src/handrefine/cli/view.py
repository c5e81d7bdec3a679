"""`handrefine view`: a finished run in a browser, in 3D."""

import webbrowser
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from handrefine.cli.common import Common, RunArgument


@dataclass(frozen=True, kw_only=True)
class View(Common):
    """Show a run in a browser, in 3D: hands over time before and after, cameras, images, joints, errors.

    A run that is still under way is followed instead: its loss so far, and some views every few seconds.
    """

    run: RunArgument
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
        """Serve until interrupted."""
        from handrefine.report.live import live_server, running

        if running(self.run) is not None:
            server = live_server(self.run, host=self.host, port=self.port)
            self._tell(f"http://{self.host}:{server.server_port}", console)
            server.serve_forever()
            return
        from handrefine.evaluation.against_truth import geometry_of_truth
        from handrefine.runs.reader import open_run
        from handrefine.synthetic.truth_file import load_truth
        from handrefine.viewer.content import viewer_content
        from handrefine.viewer.server import Viewer

        hands, true = open_run(self.run).hands, {}
        if self.truth is not None:
            for hand in hands:
                truth = load_truth(self.truth, hand.side)
                geometry = geometry_of_truth(truth, hand.annotation, self.truth)
                true[hand.side] = geometry.verts_world.numpy()
        viewer = Viewer(viewer_content(hands, true), host=self.host, port=self.port)
        self._tell(viewer.url, console)
        viewer.serve()

    def _tell(self, url: str, console: Console) -> None:
        console.print(f"{url}   (Ctrl+C ends it)", markup=False, highlight=False)
        if self.browser:
            webbrowser.open(url)

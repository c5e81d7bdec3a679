"""Whether this checkout refines to the same digits as another commit: a move must not change a result.

    python tools/same_digits.py --against d0a641f [--only quick]

Makes the demo's video (seed 0), a small one of one hand and one of both with the other commit's code, refines the
first as `handrefine demo` does and the small ones with every preset by both codes, and compares `log.jsonl` term
by term, iteration by iteration. Exits with 1 where digits differ by more than rounding, for no known reason.
"""

import argparse
import json
import math
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
#: Starts either code's command line.
START = (
    "import importlib.util as u, sys\n"
    "package = u.find_spec('handrefine.cli').submodule_search_locations is not None\n"
    "name = 'handrefine.cli.main' if package else 'handrefine.cli'\n"
    "sys.exit(__import__(name, fromlist=['main']).main(sys.argv[1:]))"
)
#: Terms of the objective that had other names up to d0a641f.
RENAMED = {
    "prior": "temporal",
    "limits": "joint_limits",
    "pose": "usual_pose",
    "shape": "usual_shape",
    "tie": "occluded",
    "ridge": "colour_ridge",
}
#: Since c661faf the point that a ray hits is interpolated between its triangle's corners instead of measured along
#: the ray. Values are the same but for float32's rounding, which decides whether a grazing ray is blocked: no term
#: may differ by more than this share where the first one does.
ROUNDING = 1e-5
#: Where digits are known to differ by more, and why.
KNOWN = {
    "paper": "data and edge terms compare the same colours there; each now takes the norm itself, so that their"
    " gradients are added before the norm's derivative instead of after it",
    "both": "a term's mean over two hands divides by two before the weight is applied instead of after it; labels"
    " ask for exact distances, where OpenCV's own are off by a bit or not, as memory happens to be aligned",
}


@dataclass(frozen=True)
class Case:
    """A refinement: its name, the options of the video, and those of the refinement."""

    name: str
    video: str
    options: tuple[str, ...]

    @property
    def without(self) -> tuple[str, ...]:
        """Today's options that switch off what was added since; the paper's preset has no coarse stage."""
        coarse = (
            () if self.name == "paper" else ("--stages.coarse.no-mend-cameras", "--stages.coarse.no-renew-labels")
        )
        return (*WITHOUT_ADDITIONS, *coarse)


#: Beside a preset, for the small videos.
SMALL = ("--texture.size", "64")
CASES = (
    Case("demo", "demo", ()),
    *(
        Case(name, "one", ("--config", f"configs/{name}.yaml", *SMALL))
        for name in ("quick", "paper", "smvr", "real")
    ),
    Case("both", "two", ("--config", "configs/quick.yaml", "--hand", "both", *SMALL)),
)
#: What has been added since and can be switched off; the other commit does not know it.
WITHOUT_ADDITIONS = (
    "--losses.no-protect-texture",
    "--hands.no-end-at-wrist",
    *("--surface.modes", "0"),
    *("--texture.seldom-seen", "0"),
    *("--labels.clipped", "nothing"),
    "--losses.usual-shape.no-per-view",
)
VIDEOS = {
    "demo": (),
    "one": ("--cameras", "4", "--instants", "3", "--size", "64"),
    "two": ("--cameras", "3", "--instants", "2", "--size", "64", "--hand", "both"),
}


def run(checkout: Path, *arguments: str) -> None:
    """One command of a checkout's own code, from its own folder."""
    environment = os.environ | {"PYTHONPATH": str(checkout / "src"), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-c", START, *arguments]
    subprocess.run(command, cwd=checkout, env=environment, check=True, stdout=subprocess.DEVNULL)


def _git(*arguments: str) -> None:
    subprocess.run(["git", *arguments], cwd=ROOT, check=True)


def log_of(run_folder: Path) -> list[dict]:
    records = [json.loads(line) for line in (run_folder / "log.jsonl").read_text().splitlines()]
    for record in records:
        record["terms"] = {RENAMED.get(name, name): value for name, value in record["terms"].items()}
    return records


def difference(old: list[dict], new: list[dict]) -> tuple[str, float]:
    """What differs first, in words, and by which share at most; empty and 0 where nothing does."""
    if len(old) != len(new):
        return f"{len(old)} iterations became {len(new)}", math.inf
    for before, after in zip(old, new, strict=True):
        names = [
            name
            for name in before["terms"] | after["terms"]
            if before["terms"].get(name) != after["terms"].get(name)
        ]
        if names:
            values = ", ".join(f"{n} {before['terms'].get(n)!r} -> {after['terms'].get(n)!r}" for n in names)
            last = f"the last loss {old[-1]['loss']:.6g} -> {new[-1]['loss']:.6g}"
            shares = [
                abs(after["terms"][n] - before["terms"][n]) / max(abs(before["terms"][n]), 1e-12)
                if n in before["terms"] and n in after["terms"]
                else math.inf
                for n in names
            ]
            return f"from iteration {before['iteration']} ({before['stage']}): {values}; {last}", max(shares)
    return "", 0.0


def compare(against: str, only: str | None) -> bool:
    """Print a line a case; True where nothing differs for no known reason."""
    fine = True
    with tempfile.TemporaryDirectory() as folder:
        old, videos = Path(folder) / "code", Path(folder) / "videos"
        _git("worktree", "add", "--detach", "--quiet", str(old), against)
        try:
            cases = [case for case in CASES if only in (None, case.name)]
            for name in {case.video for case in cases}:
                run(old, "synthesize", "--out", str(videos / name), *VIDEOS[name])
                mark = videos / name / "annotations" / "test" / "handrefine.json"
                mark.write_text('{"hand_model": "open"}')  # earlier versions did not say whose the parameters are
            for case in cases:
                logs = []
                for label, checkout, without in (("old", old, ()), ("new", ROOT, case.without)):
                    out = Path(folder) / label / case.name
                    data = str(videos / case.video)
                    run(checkout, "refine", "--data", data, "--out", str(out), *case.options, *without)
                    logs.append(log_of(out))
                found, share = difference(*logs)
                fine &= share <= ROUNDING or case.name in KNOWN
                known = "rounding" if share <= ROUNDING else KNOWN.get(case.name)
                known = f"\n    known: {known}" if found and known else ""
                print(
                    f"{case.name}: {found or f'same digits in all {len(logs[0])} iterations'}{known}", flush=True
                )
        finally:
            _git("worktree", "remove", "--force", str(old))
    return fine


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--against", default="d0a641f", help="the other commit")
    parser.add_argument("--only", help="one case: " + ", ".join(case.name for case in CASES))
    chosen = parser.parse_args()
    sys.exit(0 if compare(chosen.against, chosen.only) else 1)

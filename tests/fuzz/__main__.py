"""`make fuzz`: a long run; prints its seeds, and every fault with the seed that repeats it."""

import argparse
import logging
import sys
import tempfile
import time
from pathlib import Path

import torch

from fuzz.campaign import run
from fuzz.targets import TARGETS


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m fuzz")
    parser.add_argument("--inputs", type=int, default=2000, help="inputs of every target")
    parser.add_argument(
        "--seed", type=int, default=int(time.time()), help="of the first input; the next ones follow"
    )
    parser.add_argument("--targets", nargs="*", default=list(TARGETS), choices=list(TARGETS))
    options = parser.parse_args()
    torch.set_num_threads(1)
    logging.disable()  # what readers warn of is no fault
    print(
        f"seeds {options.seed} to {options.seed + options.inputs - 1} of {', '.join(options.targets)}", flush=True
    )
    faults = 0
    with tempfile.TemporaryDirectory() as folder:
        for name in options.targets:
            started = time.monotonic()
            report = run([name], options.inputs, options.seed, Path(folder))
            seconds = time.monotonic() - started
            print(
                f"{name}: {report.read} read, {report.refused} refused, {len(report.faults)} faulty,"
                f" {seconds:.0f} s"
            )
            for fault in report.faults:
                print(f"  {fault}", flush=True)
            faults += len(report.faults)
    print(f"{options.inputs * len(options.targets)} inputs, {faults} faulty")
    sys.exit(1 if faults else 0)


if __name__ == "__main__":
    main()

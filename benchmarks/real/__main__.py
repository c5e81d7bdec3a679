"""`python -m benchmarks.real CAPTURE [--hand both] [--quick] [--gate]`."""

import logging

import tyro
from rich.console import Console

from benchmarks.harness import exit_status
from benchmarks.real.experiment import Options, perform


def main() -> int:
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    return exit_status(lambda: perform(tyro.cli(Options, prog="python -m benchmarks.real"), Console()))


if __name__ == "__main__":
    raise SystemExit(main())

"""`python -m benchmarks.paper fig4|table1|texture [--quick] [--gate]`."""

import logging

import tyro
from rich.console import Console

from benchmarks.harness import exit_status
from benchmarks.paper.experiment import perform
from benchmarks.paper.options import Options


def main() -> int:
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    return exit_status(lambda: perform(tyro.cli(Options, prog="python -m benchmarks.paper"), Console()))


if __name__ == "__main__":
    raise SystemExit(main())

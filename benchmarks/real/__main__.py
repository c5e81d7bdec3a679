"""`python -m benchmarks.real CAPTURE [--hand both] [--quick] [--gate]`."""

import logging
import sys

import tyro
from rich.console import Console

from benchmarks.real.experiment import Options, perform
from handrefine.errors import InputError


def main() -> int:
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    try:
        return perform(tyro.cli(Options, prog="python -m benchmarks.real"), Console())
    except InputError as error:
        print(error, file=sys.stderr)
        return 2


if __name__ == "__main__":
    raise SystemExit(main())

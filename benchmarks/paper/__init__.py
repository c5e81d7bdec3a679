"""The paper's experiments on synthetic videos whose truth is known: `python -m benchmarks.paper --help`."""

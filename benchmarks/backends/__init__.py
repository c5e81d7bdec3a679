"""`python -m benchmarks.backends`: Redner, stock and fixed, beside our renderers on the same work in one run."""

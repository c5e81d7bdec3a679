"""`python -m benchmarks.renderer`: the wavefront renderer against a stock loop over views and bare ray casting."""

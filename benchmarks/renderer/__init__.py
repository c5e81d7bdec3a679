"""`python -m benchmarks.renderer`: the batched renderer against a stock loop over views and bare ray casting."""

"""From a dataset to what the refinement compares with."""

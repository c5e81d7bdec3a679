"""The optimisation of one sequence."""

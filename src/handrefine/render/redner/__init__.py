"""Redner, the original method's renderer, as a second backend in a process and an environment of its own."""

"""Whole datasets: many tasks of one dataset, done by many processes, watched, and merged into one."""

"""Synthetic videos of known truth."""

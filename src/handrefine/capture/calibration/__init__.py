"""Readers of calibration files, one file a format."""

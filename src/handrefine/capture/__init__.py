"""From a raw capture to a dataset: calibrations, 2D detections, triangulation, time offsets, and the import."""

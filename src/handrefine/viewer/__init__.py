"""A run in a browser, in 3D."""

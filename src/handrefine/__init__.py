"""Refine the 3D annotations of multi-view hand videos by differentiable ray tracing."""

from importlib.metadata import version

__version__ = version("handrefine")

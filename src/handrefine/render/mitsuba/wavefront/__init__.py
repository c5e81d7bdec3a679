"""The fast renderer: all pixels of all views of all instants in one wavefront. Import after `start_mitsuba()`."""

from handrefine.render.mitsuba.wavefront.renderer import WavefrontRenderer

__all__ = ["WavefrontRenderer"]

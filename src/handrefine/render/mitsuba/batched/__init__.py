"""The fast renderer: all pixels of all views of all frames in one kernel. Import after `start_mitsuba()`."""

from handrefine.render.mitsuba.batched.renderer import BatchedRenderer

__all__ = ["BatchedRenderer"]

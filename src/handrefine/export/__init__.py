"""A run in the formats of other programs."""

from typing import Literal

#: A Mitsuba scene, one animated mesh, a mesh a frame (obj, ply), arrays, or annotation files.
Format = Literal["xml", "glb", "obj", "ply", "npz", "person", "interhand26m"]

"""Environment maps in the layout of Mitsuba's `envmap` emitter."""

import torch
from jaxtyping import Float
from torch import Tensor


def envmap_from_latlong(environment: Float[Tensor, "h w 3"]) -> Float[Tensor, "rows columns 3"]:
    """A map in the layout of `handrefine.spherical` as the data of Mitsuba's `envmap`; differentiable, exact.

    Columns agree, but Mitsuba puts the first and the last *row* on the poles: row r of n lies at
    theta = pi r / (n - 1). With n = 2 h + 1 rows every odd row falls on one of ours and every even row midway
    between two, so that bilinear interpolation gives the same function. One column is repeated on either side.
    """
    middle = (environment[1:] + environment[:-1]) / 2
    even = torch.cat([environment[:1], middle, environment[-1:]])
    rows = torch.stack([even[:-1], environment], dim=1).flatten(0, 1)
    rows = torch.cat([rows, even[-1:]])
    return torch.cat([rows[:, -1:], rows, rows[:, :1]], dim=1)

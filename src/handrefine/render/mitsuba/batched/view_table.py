"""Where every view's camera stands and looks, as rows of numbers that kernels read."""

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from handrefine.render.mitsuba.batched.cells import Cells
from handrefine.views import ViewSet

#: Columns of a row: the matrices from a pixel to a ray's direction and back (3 x 3 each), the camera's centre seen
#: from the middle of its frame's cell, and where that middle stands in the shared scene.
DIRECTION, PROJECTION, CENTER, CELL, COLUMNS = 0, 9, 18, 21, 24


class ViewTable:
    """The calibration of a view set; not differentiable."""

    def __init__(self, views: ViewSet) -> None:
        cameras = [v.camera for v in views.views]
        K = np.array([[[c.fx, 0, c.cx], [0, c.fy, c.cy], [0, 0, 1]] for c in cameras], dtype=np.float64)
        R = np.stack([c.R_cam_world for c in cameras]).astype(np.float64)
        matrices = np.concatenate(
            [(R.transpose(0, 2, 1) @ np.linalg.inv(K)).reshape(-1, 9), (K @ R).reshape(-1, 9)], axis=1
        )
        self._matrices = torch.as_tensor(matrices, dtype=torch.float32)
        self._centers_world = torch.as_tensor(np.stack([c.center_world for c in cameras]), dtype=torch.float64)
        self._frames = torch.as_tensor([v.frame for v in views.views])

    def rows(self, cells: Cells) -> Float[Tensor, "view column"]:
        """With the frames in their cells."""
        device = cells.centers_world.device
        matrices, centers_world, frames = (
            x.to(device) for x in (self._matrices, self._centers_world, self._frames)
        )
        relative = (centers_world - cells.centers_world[frames].double()).float()
        return torch.cat([matrices, relative, cells.centers_scene[frames]], dim=1)

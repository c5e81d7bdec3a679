"""How far colours are apart, camera by camera, with and without a colour transform that suits the camera best."""

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from handrefine.state import State


class ColourMoments:
    """Second moments of (rendered rgb, 1, image rgb) of every camera, summed over any number of pictures.

    They hold all that a least-squares fit of an affine transform needs, in 49 numbers a camera.
    """

    def __init__(self, n_cameras: int) -> None:
        self._sums = torch.zeros(n_cameras, 7, 7, dtype=torch.float64)

    @torch.no_grad()
    def add(
        self,
        rendered: Float[Tensor, "pixel 3"],
        image: Float[Tensor, "pixel 3"],
        counted: Bool[Tensor, " pixel"],
        camera_of_pixel: Int[Tensor, " pixel"],
    ) -> None:
        """Count the pixels that are marked."""
        camera = camera_of_pixel[counted]
        one = torch.ones(len(camera), 1, dtype=rendered.dtype, device=rendered.device)
        z = torch.cat([rendered[counted], one, image[counted]], dim=1)
        for k in range(len(self._sums)):
            of_camera = z[camera == k].double()
            self._sums[k] += (of_camera.T @ of_camera).cpu()

    def state(self) -> State:
        return {"sums": self._sums}

    def load_state(self, state: State) -> None:
        self._sums = state["sums"]

    def pixels(self) -> Float[Tensor, " camera"]:
        """How many pixels each camera has shown."""
        return self._sums[:, 3, 3]

    def misfit(self) -> tuple[Float[Tensor, " camera"], Float[Tensor, " camera"]]:
        """Root mean square of `rendered - image`, and the least that any `M rendered + b - image` can reach.

        Both are shares of the image's root mean square; NaN for a camera without pixels.
        """
        xx, xy, yy = self._sums[:, :4, :4], self._sums[:, :4, 4:], self._sums[:, 4:, 4:]
        brightness = yy.diagonal(dim1=1, dim2=2).sum(dim=1)
        as_is = torch.eye(4, 3, dtype=torch.float64).expand_as(xy)
        best = torch.linalg.pinv(xx, rtol=1e-9, hermitian=True) @ xy

        def share(transform: Tensor) -> Tensor:
            squared = transform.mT @ xx @ transform - 2 * transform.mT @ xy + yy
            error = squared.diagonal(dim1=1, dim2=2).sum(dim=1).clamp(min=0)
            return torch.where(self.pixels() > 0, (error / brightness.clamp(min=1e-12)).sqrt(), torch.nan)

        return share(as_is), share(best)

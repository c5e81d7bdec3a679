"""What the optimiser may move: correctives on top of the annotation, and the one shape."""

import numpy as np
import roma
import torch
from jaxtyping import Float
from torch import Tensor, nn

from handrefine.sequence import ManoParameters


class PoseVariables(nn.Module):
    """Per-frame pose and articulation correctives and the hand's shape (section 3.2 of the paper).

    The global rotation corrective is a rotation vector in the world frame that is applied after the annotation's
    (composing instead of adding keeps its unit the radian wherever the annotation's rotation is); translation
    and the 45 joint angles are added to the annotation's. The one shape starts at the mean of the annotation's.

    Args:
        shape_per_frame: every frame has a shape of its own, which starts at its annotation's.

    Attributes:
        rotation: (frame, 3) radians; translation: (frame, 3) metres; articulation: (frame, 45) radians;
        shape: the betas themselves, (10,) or (frame, 10). All start at zero except `shape`.
    """

    base_rotation: Tensor
    base_articulation: Tensor
    base_trans_m: Tensor

    def __init__(self, start: ManoParameters, *, shape_per_frame: bool = False) -> None:
        super().__init__()
        pose = torch.as_tensor(start.pose_aa, dtype=torch.float32)
        frames = len(pose)
        self.flat_hand_mean = start.flat_hand_mean
        self.register_buffer("base_rotation", pose[:, :3])
        self.register_buffer("base_articulation", pose[:, 3:])
        self.register_buffer("base_trans_m", torch.as_tensor(start.trans_m, dtype=torch.float32))
        self.rotation = nn.Parameter(torch.zeros(frames, 3))
        self.translation = nn.Parameter(torch.zeros(frames, 3))
        self.articulation = nn.Parameter(torch.zeros(frames, 45))
        shape = torch.as_tensor(start.shape, dtype=torch.float32)
        self.shape = nn.Parameter(shape.clone() if shape_per_frame else shape.mean(dim=0))

    def pose_aa(self) -> Float[Tensor, "frame 48"]:
        """The corrected MANO pose."""
        correction = roma.rotvec_to_rotmat(self.rotation)
        rotation = roma.rotmat_to_rotvec(correction @ roma.rotvec_to_rotmat(self.base_rotation))
        return torch.cat([rotation, self.articulation_aa()], dim=1)

    def articulation_aa(self) -> Float[Tensor, "frame 45"]:
        return self.base_articulation + self.articulation

    def trans_m(self) -> Float[Tensor, "frame 3"]:
        return self.base_trans_m + self.translation

    def shapes(self) -> Float[Tensor, "frame 10"]:
        """The shape at every frame."""
        return self.shape.expand(len(self.base_trans_m), 10)

    @torch.no_grad()
    def parameters_now(self) -> ManoParameters:
        """The corrected annotation."""

        def numpy(values: Tensor) -> np.ndarray:
            return values.detach().cpu().numpy().astype(np.float64)

        return ManoParameters(
            pose_aa=numpy(self.pose_aa()),
            shape=numpy(self.shapes()),
            trans_m=numpy(self.trans_m()),
            flat_hand_mean=self.flat_hand_mean,
        )

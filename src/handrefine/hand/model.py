"""The hand model: `smplx.MANO` on a user's MANO file or on the open hand, giving vertices and 21 joints."""

import contextlib
import io
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, cast

import imageio.v3 as iio
import numpy as np
import smplx
import torch
from jaxtyping import Float
from smplx.lbs import lbs
from smplx.utils import Struct
from torch import Tensor

from handrefine.colour import srgb8_to_linear
from handrefine.errors import InputError
from handrefine.hand.model_file import ModelArrays, load_model_arrays, mirrored
from handrefine.hand.wrist import up_to_wrist
from handrefine.mesh import MeshTopology
from handrefine.sequence import Side

OPEN_HAND = Path(__file__).parent / "open_hand"
OPEN_HAND_NAME = "open hand"
#: MANO's 16 joints (root, index, middle, pinky, ring, thumb), then our 5 tips, in the order of JOINT_NAMES.
_MANO_ROOT = {"thumb": 13, "index": 1, "middle": 4, "ring": 10, "pinky": 7}
JOINT_ORDER: tuple[int, ...] = (
    0,
    *(k for tip, root in enumerate(_MANO_ROOT.values()) for k in (root, root + 1, root + 2, 16 + tip)),
)

#: Arrays of ours that smplx does not know.
NOT_SMPLX = ("vt", "ft", "tips", "joint_limits", "component_std")


@dataclass(frozen=True, eq=False)
class HandGeometry:
    """Vertices and joints of one hand at F frames, metres; joints in the order of `JOINT_NAMES`."""

    verts_world: Float[Tensor, "frame vertex 3"]
    joints_world: Float[Tensor, "frame 21 3"]


class HandModel(torch.nn.Module):
    """A parametric hand of one side; moves between devices and precisions like any torch module.

    Attributes:
        side: right or left.
        name: `OPEN_HAND_NAME`, or the file's name.
        open_hand: whether it is the embedded openly licensed hand.
        topology: triangles and texture atlas.
        tips: vertices that stand for the tips of thumb, index, middle, ring and pinky.
        hands_mean: the mean pose of the 15 joints, axis-angle, added where `flat_hand_mean` is False.
        pca_components: 45 x 45; each row is one principal component of the joint angles.
        joint_limits: smallest and largest axis-angle values relative to the flat hand; None where unknown.
        pose_space: principal components of the pose relative to the mean, one a row, and their standard
            deviations; None where none was learned.
        influence: skinning weights of the 16 joints on every vertex.
        parents: of the 16 joints; the root's means nothing.
    """

    hands_mean: Float[Tensor, "45"]

    def __init__(self, arrays: ModelArrays, side: Side, name: str, *, open_hand: bool) -> None:
        super().__init__()
        self.side: Side = side
        self.name = name
        self.open_hand = open_hand
        self.topology = MeshTopology(len(arrays.v_template), arrays.f, arrays.vt, arrays.ft)
        self.tips: tuple[int, ...] = tuple(int(v) for v in arrays.tips)
        self.joint_limits = arrays.joint_limits
        std = arrays.component_std
        self.pose_space = None if std is None else (arrays.hands_components, std)
        self.influence: Float[np.ndarray, "vertex 16"] = arrays.weights
        self.parents: tuple[int, ...] = tuple(int(k) for k in arrays.kintree_table[0])
        self._mano = _smplx_mano(arrays)
        self.pca_components = arrays.hands_components
        self.register_buffer("hands_mean", torch.tensor(arrays.hands_mean, dtype=torch.float32))

    @property
    def n_vertices(self) -> int:
        return self.topology.n_vertices

    def forward(
        self,
        pose_aa: Float[Tensor, "frame 48"],
        shape: Float[Tensor, "frame 10"],
        trans_m: Float[Tensor, "frame 3"],
        *,
        flat_hand_mean: bool = False,
    ) -> HandGeometry:
        """Poses the hand: linear blend skinning as in Romero et al., "Embodied Hands" (2017), Eq. 2-4.

        The first three pose numbers rotate the hand about its root joint J(shape), so `x = R (x0 - J) + J + t`.
        Differentiable in all inputs, in their precision (the model's must agree: `model.to(torch.float64)`).
        """
        out = self._mano(
            betas=shape,
            global_orient=pose_aa[:, :3],
            hand_pose=pose_aa[:, 3:] if flat_hand_mean else pose_aa[:, 3:] + self.hands_mean,
            transl=trans_m,
        )
        joints = torch.cat([out.joints, out.vertices[:, list(self.tips)]], dim=1)
        return HandGeometry(out.vertices, joints[:, list(JOINT_ORDER)])

    def joints(
        self,
        pose_aa: Float[Tensor, "frame 48"],
        shape: Float[Tensor, "frame 10"],
        trans_m: Float[Tensor, "frame 3"],
    ) -> Float[Tensor, "frame 21 3"]:
        """The joints alone, as `forward` gives them with `flat_hand_mean=False`, at a fraction of the cost.

        Runs smplx's skinning on a "mesh" of 21 points, the 16 rest joints and the 5 tips, so that it is the same
        function. Safe under `torch.func` transforms.
        """
        m, tips, skinning = self._mano, list(self.tips), cast(Any, lbs)
        regressed = torch.einsum("jv,vck->jck", m.J_regressor, m.shapedirs)
        blend = m.posedirs.reshape(len(m.posedirs), -1, 3)[:, tips].flatten(1)
        pose = torch.cat([pose_aa[:, :3], pose_aa[:, 3:] + self.hands_mean], dim=1)
        vertices, joints = skinning(
            shape,
            pose,
            torch.cat([m.J_regressor @ m.v_template, m.v_template[tips]]),
            torch.cat([regressed, m.shapedirs[tips]]),
            torch.cat([blend.new_zeros(len(blend), 48), blend], dim=1),
            torch.eye(16, 21, dtype=pose.dtype, device=pose.device),
            m.parents,
            torch.cat([torch.eye(16, dtype=pose.dtype, device=pose.device), m.lbs_weights[tips]]),
        )
        return (torch.cat([joints, vertices[:, 16:]], dim=1) + trans_m[:, None])[:, list(JOINT_ORDER)]

    def flat(self) -> HandGeometry:
        """The mean person's flat hand, in one frame."""
        zeros = [self.hands_mean.new_zeros(1, n) for n in (48, 10, 3)]
        with torch.no_grad():
            return self(*zeros, flat_hand_mean=True)

    def drawn_topology(self, *, end_at_wrist: bool) -> MeshTopology:
        """What is rendered of the hand: the whole mesh, or the mesh up to the wrist."""
        if not end_at_wrist:
            return self.topology
        flat = self.flat()
        return up_to_wrist(self.topology, flat.verts_world[0].cpu().numpy(), flat.joints_world[0].cpu().numpy())

    def default_skin(self) -> Float[np.ndarray, "height width 3"]:
        """A texture to start from: linear RGB in [0, 1], float32, row 0 at the top (v = 1).

        The open hand's own skin; a grey of 0.6 for other models, whose atlas has no skin made for it.
        """
        if not self.open_hand:
            return np.full((64, 64, 3), 0.6, dtype=np.float32)
        return srgb8_to_linear(iio.imread(next(iter(sorted(OPEN_HAND.glob("skin.*")))))[..., :3])


def load_hand_model(side: Side, model_file: Path | None = None, *, fix_left_shape: bool = False) -> HandModel:
    """Loads the open hand, or MANO from the user's file.

    Args:
        side: the hand wanted. The open left hand is the reflected right one.
        model_file: `MANO_RIGHT.pkl`, `MANO_LEFT.pkl`, an `.npz` with the same keys, or the folder that holds
            `MANO_RIGHT.pkl` and `MANO_LEFT.pkl`. None takes the open hand.
        fix_left_shape: the official left file's shape directions have the wrong sign in x. InterHand2.6M was
            annotated with the sign turned, DexYCB with the file as it is. Where the right file lies beside the
            left one and shows that the sign has been turned already, nothing is changed.

    Raises:
        InputError: the file is missing, damaged, unsafe, or holds the other hand.
    """
    if model_file is None:
        arrays = load_model_arrays(OPEN_HAND / "model.npz")
        arrays = arrays if side == "right" else mirrored(arrays)
        return HandModel(arrays, side, OPEN_HAND_NAME, open_hand=True)
    path = model_file / f"MANO_{side.upper()}.pkl" if model_file.is_dir() else model_file
    arrays = load_model_arrays(path)
    if _side_of(arrays) != side:
        raise InputError(
            "a hand model file holds the other hand",
            where=path,
            expected=f"a {side} hand",
            fix="give the folder that holds both MANO_RIGHT.pkl and MANO_LEFT.pkl",
        )
    if fix_left_shape and side == "left" and not _left_shape_is_fixed(arrays, path):
        arrays.shapedirs[:, 0] *= -1
    return HandModel(arrays, side, path.name, open_hand=False)


def mirrors(left: HandModel, right: HandModel) -> bool:
    """Whether equal betas give mirrored hands: the shape directions mirror each other in x, to a hundredth.

    True for the open hands. Of the official MANO files it holds only once the left one's first directions have
    been turned (`fix_left_shape`); the templates of MANO mirror each other to a fraction of a millimetre.
    """
    of_left, of_right = left._mano.shapedirs, right._mano.shapedirs
    if of_left.shape != of_right.shape:
        return False
    mirrored = of_left * of_left.new_tensor([-1.0, 1.0, 1.0])[:, None]
    return bool((mirrored - of_right).norm() <= 0.01 * of_right.norm())


def _side_of(arrays: ModelArrays) -> Side:
    """MANO's right hand reaches towards -x from its wrist, its left hand towards +x."""
    joints = arrays.J_regressor @ arrays.v_template
    return "right" if joints[4, 0] < joints[0, 0] else "left"


def _left_shape_is_fixed(left: ModelArrays, path: Path) -> bool:
    """True where the neighbouring right file proves it; unfixed, the x components of the two are equal."""
    right_file = path.with_name(path.name.replace("LEFT", "RIGHT").replace("left", "right"))
    if right_file == path or not right_file.is_file():
        return False
    right = load_model_arrays(right_file)
    if right.shapedirs.shape != left.shapedirs.shape:
        return False
    return not np.allclose(left.shapedirs[:, 0], right.shapedirs[:, 0], atol=1e-6)


def _smplx_mano(arrays: ModelArrays) -> Any:
    """smplx's module on our arrays, all parameters given at the call; the mean pose is added by the caller.

    `is_rhand` only chooses a file name in smplx: the arrays decide which hand it is.
    """
    names = [field.name for field in fields(arrays) if field.name not in NOT_SMPLX]
    with contextlib.redirect_stdout(io.StringIO()):  # smplx prints that MANO has ten shape coefficients
        return smplx.MANO(
            "",
            data_struct=Struct(**{name: getattr(arrays, name) for name in names}),
            is_rhand=True,
            use_pca=False,
            flat_hand_mean=True,
            create_betas=False,
            create_global_orient=False,
            create_body_pose=False,
            create_hand_pose=False,
            create_transl=False,
        )

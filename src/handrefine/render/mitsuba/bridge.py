"""The one place where PyTorch meets Dr.Jit. Import after `start_mitsuba()`.

    PyTorch -> drjit.wrap -> custom operation -> a renderer's passes on Dr.Jit arrays -> Mitsuba

and back. `drjit.wrap` turns tensors into Dr.Jit tensors over the same memory, in both directions and for gradients
too. The custom operation is like the one behind `mitsuba.render`: an opaque node between inputs and image, whose
gradient is another rendering with other seeds. What happens inside is the renderer's matter, see `RenderPass`.
"""

# Mitsuba's type stubs mix up its own and Dr.Jit's array types.
# pyright: reportArgumentType=false, reportCallIssue=false

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Protocol, cast, no_type_check, runtime_checkable

import drjit as dr
import mitsuba as mi
from torch import Tensor

#: Dr.Jit tensors by name, without gradients.
Arrays = Mapping[str, "mi.TensorXf"]


@runtime_checkable
class RenderPass(Protocol):
    """One image and its gradient, on Dr.Jit arrays. Not a dataclass: Dr.Jit would look for arrays inside it."""

    def render(self, inputs: Arrays, seeds: Sequence[int]) -> "Sequence[mi.TensorXf]":
        """The image, in parts of any shape."""
        ...

    def render_backward(
        self,
        inputs: Arrays,
        wanted: Collection[str],
        image_gradient: "Sequence[mi.TensorXf]",
        seeds: Sequence[int],
    ) -> Arrays:
        """The gradient in each of the `wanted` inputs, from that in the parts of the image."""
        ...


def render(
    render_pass: RenderPass, inputs: Mapping[str, Tensor], *, seeds: Sequence[int], seeds_grad: Sequence[int]
) -> list[Tensor]:
    """The parts of an image as tensors, differentiable in every input that requires a gradient.

    Args:
        inputs: float32, on the device of Mitsuba's variant.
        seeds, seeds_grad: of the image and of its gradient, as many as the pass takes. Were they equal, an L2 loss
            would multiply the image's noise with the same noise in its gradient, and be biased.

    Raises:
        RuntimeError: in the backward pass, if the image was differentiated before or an input was changed in place
            since. Dr.Jit drops a graph as it traverses it and shares the inputs' memory; unchecked, it would hand
            out wrong gradients.
    """

    @dr.wrap(source="torch", target="drjit")
    def draw(arrays):
        wanted = tuple(name for name, array in arrays.items() if dr.grad_enabled(array))
        return dr.custom(_RenderOp, render_pass, arrays, wanted, (list(seeds), list(seeds_grad)))

    # Views, since `drjit.wrap` passes over tensors of a type of their own, such as parameters.
    tensors = {name: tensor.view_as(tensor) for name, tensor in inputs.items()}
    parts = cast(list[Tensor], draw(tensors))
    if parts[0].requires_grad:
        parts[0].register_hook(_valid_once(list(tensors.values())))
    return parts


def compute(function: Callable[[Arrays], "Sequence[mi.TensorXf]"], inputs: Mapping[str, Tensor]) -> list[Tensor]:
    """What a function of Dr.Jit arrays gives, as tensors without gradients.

    Args:
        inputs: as for `render`.
    """
    wrapped = dr.wrap(source="torch", target="drjit")(function)
    return cast(list[Tensor], wrapped({name: tensor.detach() for name, tensor in inputs.items()}))


class _RenderOp(dr.CustomOp):
    """Renders with the first seeds, and propagates gradients by rendering with the second."""

    @no_type_check  # `set_grad_in` goes by the names of the arguments, which a run-time checker's wrapper hides
    def eval(self, render_pass, inputs, wanted, seeds):
        self._pass, self._inputs, self._wanted, self._seeds_grad = render_pass, inputs, wanted, seeds[1]
        with dr.suspend_grad():
            return render_pass.render(inputs, seeds[0])

    def backward(self) -> None:
        found = self._pass.render_backward(self._inputs, self._wanted, self.grad_out(), self._seeds_grad)
        self.set_grad_in("inputs", {name: found.get(name, 0) for name in self._inputs})

    def name(self) -> str:
        return "handrefine: render"


def _valid_once(inputs: Sequence[Tensor]) -> Callable[[Tensor | None], None]:
    versions, differentiated = [tensor._version for tensor in inputs], []

    def check(_gradient: Tensor | None) -> None:  # none where only other parts were used
        if differentiated:
            raise RuntimeError("an image can be differentiated once: render it again with the same seed")
        if [tensor._version for tensor in inputs] != versions:
            raise RuntimeError("what an image was rendered from has been changed in place before its gradient")
        differentiated.append(True)

    return check

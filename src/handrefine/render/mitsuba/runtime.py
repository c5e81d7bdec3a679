"""Starting Mitsuba: the one place that chooses its variant, LLVM library and threads."""

import logging
import os
from dataclasses import dataclass

import torch

from handrefine.errors import InputError
from handrefine.render.base import Variant
from handrefine.render.mitsuba.llvm import LlvmLibrary, find_llvm, use_llvm

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Runtime:
    """The Mitsuba that this process runs: `device` is where tensors for it have to live."""

    variant: str
    device: torch.device
    llvm: LlvmLibrary | None


def start_mitsuba(variant: Variant = "auto") -> Runtime:
    """Import Mitsuba and set its variant. Call it before anything else that imports Mitsuba; repeating it is free.

    On the CPU, PyTorch is limited to one thread unless OMP_NUM_THREADS says otherwise: its pool and Dr.Jit's
    otherwise wait for one another, which makes an iteration several times slower.

    Raises:
        InputError: no usable LLVM, or the CUDA variant was asked for and there is no CUDA device.
    """
    cuda = torch.cuda.is_available()
    chosen = ("cuda_ad_rgb" if cuda else "llvm_ad_rgb") if variant == "auto" else variant
    if chosen == "cuda_ad_rgb" and not cuda:
        raise InputError(
            "the CUDA variant was asked for, but PyTorch sees no CUDA device",
            where="render.variant",
            fix="use --render.variant auto, or install a CUDA build of PyTorch and an NVIDIA driver",
        )
    llvm = None
    if chosen == "llvm_ad_rgb":
        llvm = find_llvm()
        use_llvm(llvm)
        if "OMP_NUM_THREADS" not in os.environ:
            torch.set_num_threads(1)
    import mitsuba as mi

    if mi.variant() != chosen:
        mi.set_variant(chosen)
        log.info("Mitsuba %s, variant %s, LLVM %s", mi.__version__, chosen, llvm)
    return Runtime(chosen, torch.device("cuda" if chosen == "cuda_ad_rgb" else "cpu"), llvm)

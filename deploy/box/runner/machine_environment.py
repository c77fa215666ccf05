"""What a job may see of the environment that its Python lives in: the machine's, or that of a container's image."""
from __future__ import annotations

import os
from typing import Dict

NAMES = (
    "CC", "CPLUS_INCLUDE_PATH", "CUDAHOSTCXX", "CUDA_HOME", "CUDA_PATH", "CUTLASS_PATH", "CXX", "C_INCLUDE_PATH",
    "ENABLE_TILE", "GPU_ARCH_LIST", "HIP_PATH", "HSA_OVERRIDE_GFX_VERSION", "LD_LIBRARY_PATH", "LIBRARY_PATH",
    "MATHDX_HOME", "NVIDIA_DRIVER_CAPABILITIES", "NVIDIA_VISIBLE_DEVICES", "PYTORCH_ROCM_ARCH", "ROCM_HOME",
    "ROCM_PATH", "TORCH_CUDA_ARCH_LIST",
)  # fmt: skip


def of_this_machine() -> Dict[str, str]:
    return {name: os.environ[name] for name in NAMES if os.environ.get(name)}

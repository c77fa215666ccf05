"""Which profiler this machine has for its GPUs, and how an evaluation runs under it.

On NVIDIA's that is Nsight Compute (ncu), on AMD's rocprofv3. Where there is none the evaluation program profiles by its
own means: most use PyTorch's profiler. The public ones mark what is to be recorded with the range `custom_kernel`.
"""
from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import Callable, Dict, List, Optional

from gpus import Gpu


@dataclass(frozen=True)
class Profiler:
    name: str
    path: str
    #: What the public evaluation programs are told by.
    env: Dict[str, str] = field(default_factory=dict)

    def command(self, folder: str, argv: List[str]) -> List[str]:
        if self.name == "ncu":
            options = ["--set", "full", "--target-processes", "all", "--nvtx", "--nvtx-include", "custom_kernel/"]
            options += ["--import-source", "1", "-c", "10", "-o", self.recording(folder)]
        else:
            options = ["--hip-trace", "--kernel-trace", "--rccl-trace", "--marker-trace", "--memory-copy-trace"]
            options += ["--scratch-memory-trace", "--output-format", "pftrace", "csv"]
            options += ["-d", self.recording(folder), "-o", "profile"]
        return [self.path, *options, "--", *argv]

    def recording(self, folder: str) -> str:
        """The file or folder that is there when something was recorded."""
        return os.path.join(folder, "profile.ncu-rep" if self.name == "ncu" else self.name)

    def export(self, folder: str) -> Optional[List[str]]:
        """The command that prints the recording as text."""
        if self.name != "ncu":
            return None
        return [self.path, "--import", self.recording(folder), "--page", "details"]


def find_profiler(gpus: List[Gpu], find_tool: Callable[[str], Optional[str]]) -> Optional[Profiler]:
    """`find_tool`: where jobs find a program by its name."""
    if not gpus:
        return None
    name, env = ("rocprofv3", {"GPU_DUMP_CODE_OBJECT": "1"}) if gpus[0].vendor == "amd" else ("ncu", {"POPCORN_NCU": "1"})
    path = find_tool(name)
    return Profiler(name, path, env) if path is not None else None

"""Finding and running the machine's own tools: drivers' tools, compilers, profilers."""
from __future__ import annotations

import glob
import os
import shutil
import subprocess
from typing import Optional

_TOOL_S = 4.0


def find_tool(name: str) -> Optional[str]:
    extra = ["/usr/bin", "/usr/local/bin", "/usr/local/cuda/bin", "/opt/rocm/bin"]
    extra += sorted(glob.glob("/opt/nvidia/nsight-compute/*"), reverse=True)
    return shutil.which(name, path=os.pathsep.join([os.environ.get("PATH", ""), *extra]))


def run_tool(name: str, *arguments: str) -> Optional[str]:
    """What it prints; None when it is missing, fails, or takes too long."""
    path = find_tool(name)
    if path is None:
        return None
    try:
        ended = subprocess.run(
            [path, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=_TOOL_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return ended.stdout.decode("utf-8", "replace") if ended.returncode == 0 else None

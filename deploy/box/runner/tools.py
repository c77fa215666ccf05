"""Finding and running the machine's own tools: drivers' tools, compilers, profilers."""
from __future__ import annotations

import glob
import os
import pwd
import shutil
import subprocess
from typing import List, Optional

_TOOL_S = 4.0
#: Roots that every room shows (bubblewrap_room.py).
_SHOWN = ("usr", "bin", "sbin", "lib", "lib32", "lib64", "libx32", "opt", "nix")
#: Roots of what is the machine's alone.
_PRIVATE = ("boot", "dev", "etc", "home", "proc", "root", "run", "srv", "sys", "tmp", "var")


def find_tool(name: str) -> Optional[str]:
    extra = [os.path.join(os.environ[home], "bin") for home in ("CUDA_HOME", "CUDA_PATH") if os.environ.get(home)]
    extra += ["/usr/bin", "/usr/local/bin", "/usr/local/cuda/bin", "/opt/rocm/bin"]
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


def folders_of_tool(path: str) -> List[str]:
    """What a room must be shown for a tool outside of the system's own folders to run: where it is installed."""
    folders: List[str] = []
    homes = [entry.pw_dir for entry in pwd.getpwall()]
    for place in (path, os.path.realpath(path)):
        folder = os.path.dirname(place)
        prefix = os.path.dirname(folder)
        # ~/bin/nvcc must not open somebody's whole home.
        is_private = any(home == prefix or home.startswith(prefix.rstrip("/") + "/") for home in homes)
        shown = folder if is_private else prefix
        if shown.split("/")[1] not in _SHOWN and shown not in folders:
            folders.append(shown)
    return folders


def is_open_folder(path: str) -> bool:
    """Whether a job may see a folder that a problem asks for: one that everybody can read, and no place of secrets."""
    real = os.path.realpath(path)
    if real.split("/")[1] in ("", *_PRIVATE) or path.split("/")[1] in _PRIVATE:
        return False
    return bool(os.stat(real).st_mode & 0o005 == 0o005)


def is_within_reach(path: str) -> bool:
    """Whether a job's user can come to a folder and read what is in it."""
    real = os.path.realpath(path)
    if os.geteuid() != 0:
        return os.access(real, os.R_OK | os.X_OK)
    parents = [real]
    while parents[-1] != "/":
        parents.append(os.path.dirname(parents[-1]))
    return os.stat(real).st_mode & 0o005 == 0o005 and all(os.stat(parent).st_mode & 0o001 for parent in parents)

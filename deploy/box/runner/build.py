"""A task in CUDA C++: nvcc in a room of its own, once for the job, before its first stage.

The room has the task's files and the submission, but neither cases nor seed. What is built lies in the cache folder and
goes the way of the compile caches: packed inside the room, unpacked inside the rooms of the evaluations.
"""
from __future__ import annotations

import os
import shlex
from typing import List

from job_site import JobSite
from protocol import BoxFailure, BuildReport, BuildSpec
from tools import folders_of_tool, is_open_folder

#: As the public runner has them (C++20, optimised, lambdas on the device, verbose back ends); a task's own come later.
_FLAGS = (
    "-std=c++20", "-O3", "-DNDEBUG", "--extended-lambda", "--expt-relaxed-constexpr", "-Xptxas=-v", "-Xnvlink=-v",
)
#: warmup.py could not start what it should.
_NOT_STARTED = 126


def run_build(site: JobSite, build: BuildSpec) -> BuildReport:
    """Raises BoxFailure where the machine lacks what the task needs: that is not the submission's fault."""
    nvcc = site.policy.find_tool("nvcc")
    if nvcc is None:
        where = f"in {site.policy.image}" if site.policy.is_container else "here"
        raise BoxFailure("tool-missing", f"nvcc is not installed {where}, and the problem is written in CUDA C++")
    # A container shows what its image has.
    folders = [] if site.policy.is_container else [*folders_of_tool(nvcc), *_included(build)]
    room = site.make_room("build", site.job.files, folders=folders)
    argv = nvcc_command(build, os.path.join(room.cache, site.job.main))
    ended = site.prepare(room, [nvcc, *argv], site.environment(room), [], build.timeout_s)
    if ended.exit_code == _NOT_STARTED:
        raise BoxFailure("tool-missing", f"nvcc does not start: {ended.stderr[-500:].strip()}")
    report = BuildReport(command=shlex.join(["nvcc", *argv]))
    ended.copy_to(report)
    return report


def nvcc_command(build: BuildSpec, output: str) -> List[str]:
    """All arguments of nvcc."""
    arch = f"-gencode=arch=compute_{build.arch},code=sm_{build.arch}" if build.arch else "-arch=native"
    return [
        *_FLAGS,
        *build.flags,
        *(f"-I{folder}" for folder in build.include_dirs),
        *(f"-D{name}" if value is None else f"-D{name}={value}" for name, value in build.defines.items()),
        arch,
        *build.sources,
        *(f"-l{library}" for library in build.libraries),
        "-o",
        output,
    ]


def _included(build: BuildSpec) -> List[str]:
    folders = [folder for folder in build.include_dirs if folder.startswith("/")]
    for folder in folders:
        if not os.path.isdir(folder):
            raise BoxFailure("tool-missing", f"the problem includes from {folder}, which is not on this machine")
        if not is_open_folder(folder):
            raise BoxFailure("tool-missing", f"the problem includes from {folder}, which jobs may not see")
    return folders

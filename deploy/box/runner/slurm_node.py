"""`supervise`: the compute node's side. Slurm runs it as the batch script of a job; it takes the ticket and supervises.

Who has no ticket does nothing: see slurm_folder.py. Slurm chose the GPUs, and says which in the environment of the batch
script; the job sees these and no others. Its scratch folder is on the node's own disk.
"""
from __future__ import annotations

import dataclasses
import os
import signal
import sys
from typing import List, Optional

import slurm_folder
from gpus import Gpu, list_gpus
from paths import BoxPaths
from protocol import JobSpec, LimitsSpec
from python_choice import choose
from slurm_scratch import hold_scratch, release_scratch, scratch_base
from supervisor import Surroundings, supervise

#: What Slurm sets for the GPUs of a job.
_GPU_VARIABLES = ("CUDA_VISIBLE_DEVICES", "GPU_DEVICE_ORDINAL", "HIP_VISIBLE_DEVICES", "ROCR_VISIBLE_DEVICES", "ZE_AFFINITY_MASK")
#: Slurm signals every process of a job, one after the other.
_DOUBT_S = 1.0


def supervise_slurm_job(box: BoxPaths, job_key: str, no_gpus: bool = False) -> int:
    """The exit code of the batch script. Raises RequestError, BoxFailure, OSError."""
    # Blocked until the supervisor can handle it.
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    box = dataclasses.replace(box, scratch_base=scratch_base())
    paths = box.job(job_key)
    taker = os.environ.get("SLURM_JOB_ID", "")
    if not taker.isdigit():
        print("supervise is started by Slurm, for a job of its queue", file=sys.stderr)
        return 2
    ticket = slurm_folder.take_ticket(paths, taker)
    if ticket is None:
        print(f"job {taker} of Slurm has no ticket for {job_key}: it ran before, or was withdrawn", file=sys.stderr)
        return 0
    scratch_fd = hold_scratch(paths.scratch)
    gpus = [] if no_gpus else list_gpus()
    given = [] if no_gpus else _given_gpus(gpus)
    job = _fit(slurm_folder.read_job(paths), given)
    pid_fd = os.open(paths.pid, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
    os.chdir("/")
    surroundings = Surroundings(
        synced_events=True,
        was_asked_to_end=lambda: slurm_folder.is_marked_cancelled(paths),
        doubt_s=_DOUBT_S,
        gpus=gpus if given is not None else gpus[: _count_given() or None],
    )
    supervise(box, job, ticket.seed, choose(job.sandbox), pid_fd, surroundings)
    release_scratch(paths.scratch, scratch_fd)
    return 0


def _fit(job: JobSpec, given: Optional[List[Gpu]]) -> JobSpec:
    """The job within what Slurm gave it."""
    # Where they cannot be told apart, the variables are handed on as they are.
    variables = {} if given is not None else {name: os.environ[name] for name in _GPU_VARIABLES if name in os.environ}
    limits = job.limits
    memory_mib = _memory_mib(os.environ)
    if memory_mib is not None:
        # Slurm counts the supervisor too, and kills all of it.
        most = max(memory_mib * 7 // 8, 1)
        limits = LimitsSpec(min(limits.memory_mib or most, most), limits.processes)
    indexes = None if given is None else [gpu.index for gpu in given]
    return dataclasses.replace(job, env={**variables, **job.env}, limits=limits, gpus=indexes, lane=None)


def _given_gpus(gpus: List[Gpu]) -> Optional[List[Gpu]]:
    """NVIDIA's, by the numbers that the driver gives them in this job, or by their UUIDs; None: some could not be told."""
    by_name = {name: gpu for gpu in gpus if gpu.vendor == "nvidia" for name in (str(gpu.index), gpu.uuid) if name}
    names = _listed("CUDA_VISIBLE_DEVICES")
    if not names or any(name not in by_name for name in names):
        return None
    return [by_name[name] for name in names]


def _count_given() -> int:
    """0: not told."""
    return max(len(_listed(variable)) for variable in _GPU_VARIABLES)


def _listed(variable: str) -> List[str]:
    return [name.strip() for name in os.environ.get(variable, "").split(",") if name.strip()]


def _memory_mib(environment: "os._Environ[str]") -> Optional[int]:
    per_node = environment.get("SLURM_MEM_PER_NODE", "")
    if per_node.isdigit():
        return int(per_node) or None
    per_cpu, cpus = environment.get("SLURM_MEM_PER_CPU", ""), environment.get("SLURM_CPUS_ON_NODE", "")
    return int(per_cpu) * int(cpus) or None if per_cpu.isdigit() and cpus.isdigit() else None

"""Slurm's own commands with their answers read: sbatch, squeue, scancel, scontrol, sinfo.

While its controller restarts they hang or fail for some seconds. That is no answer, and tells nothing of any job: it is
a SlurmAway, never a refusal.
"""
from __future__ import annotations

import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from typing import Dict, List, Optional, Sequence, Tuple

import machine_environment

_COMMAND_S = 20.0
_FOLDERS = ("/usr/bin", "/usr/local/bin", "/opt/slurm/bin", "/usr/local/slurm/bin", "/cm/shared/apps/slurm/current/bin")
_AWAY = re.compile(
    r"contact slurm controller|timed out|connect(ion)? failure|Connection re(fused|set)|temporarily un|standby mode"
    r"|Zero Bytes were|Transport endpoint|munge|Protocol authentication|Unexpected message|Header lengths",
    re.IGNORECASE,
)
#: States that a job does not leave. A job that is only just being ended is COMPLETING.
_OVER = (
    "BOOT_FAIL", "CANCELLED", "COMPLETED", "DEADLINE", "FAILED", "NODE_FAIL", "OUT_OF_MEMORY", "PREEMPTED", "REVOKED",
    "TIMEOUT",
)
#: What a job's environment begins with. Not ours as it is: that of a login session is long and means nothing there.
_PASSED_ON = ("HOME", "LANG", "LOGNAME", "PATH", "SHELL", "SLURM_CONF", "TZ", "USER", *machine_environment.NAMES)


class SlurmAway(Exception):
    """No answer: what was asked for may have happened or not."""


class SlurmRefused(Exception):
    """An answer, and it is no."""


@dataclass(frozen=True)
class QueueEntry:
    job_id: int
    state: str
    #: Why it waits: `Priority`, `Resources` ... Empty where Slurm gives none.
    reason: str
    name: str

    @property
    def is_over(self) -> bool:
        return self.state in _OVER

    @property
    def waits(self) -> bool:
        return self.state in ("PENDING", "CONFIGURING", "REQUEUED", "REQUEUE_HOLD", "REQUEUE_FED", "RESV_DEL_HOLD")


@dataclass(frozen=True)
class Partition:
    name: str
    is_default: bool
    nodes: int
    #: As Slurm writes it, `gpu:h100:8`; empty where there is none.
    gres: str


def submit(arguments: Sequence[str], script: str, keep_fd: Optional[int] = None) -> int:
    """Returns the job's id. `keep_fd` stays open for as long as sbatch runs, also when we end before it."""
    environment = {name: value for name, value in os.environ.items() if name in _PASSED_ON or name.startswith("SBATCH_")}
    fds = () if keep_fd is None else (keep_fd,)
    answer = _run("sbatch", ["--parsable", *arguments], script, environment, fds)
    match = re.match(r"\s*(\d+)", answer.rpartition("\n")[2] or answer)
    if match is None:
        raise SlurmAway(f"sbatch answered {answer.strip()[:200]!r}")
    return int(match.group(1))


def list_queue() -> List[QueueEntry]:
    """This user's jobs, for some minutes those that are over too."""
    arguments = ["--noheader", f"--user={os.geteuid()}", "--states=all", "--format=%A|%T|%r|%j"]
    try:
        text = _run("squeue", arguments)
    except SlurmRefused as error:
        # Whatever hinders it, it is no answer about our jobs.
        raise SlurmAway(str(error)) from error
    found: List[QueueEntry] = []
    for line in text.splitlines():
        fields = line.split("|", 3)
        if len(fields) == 4 and fields[0].strip().isdigit():
            reason = re.match(r"[A-Za-z0-9_]*", fields[2].strip())
            word = reason.group(0) if reason else ""
            found.append(QueueEntry(int(fields[0]), fields[1].strip(), "" if word == "None" else word, fields[3].strip()))
    return found


def cancel(job_ids: Sequence[int]) -> None:
    _run("scancel", ["--quiet", *map(str, job_ids)])


def ask_to_end(job_ids: Sequence[int]) -> None:
    """Signals the supervisors alone, which then do the work; what they ended has ended in good order."""
    _run("scancel", ["--quiet", "--batch", "--signal=TERM", *map(str, job_ids)])


def describe_job(job_id: int) -> str:
    """What is still known of a job, in words for operators."""
    try:
        text = _run("scontrol", ["--oneliner", "show", "job", str(job_id)])
    except (SlurmAway, SlurmRefused) as error:
        return f"Slurm knows no more of job {job_id} ({error})"
    facts = dict(re.findall(r"(\S+?)=(\S+)", text))
    told = [f"{name} {facts[name]}" for name in ("Reason", "ExitCode", "NodeList") if facts.get(name, "(null)") != "(null)"]
    return f"Slurm's job {job_id} is {facts.get('JobState', 'unknown')} ({', '.join(told)})"


def list_partitions() -> List[Partition]:
    """Several of one name where its nodes have different GPUs."""
    text = _run("sinfo", ["--noheader", "--format=%P|%D|%G"])
    found: List[Partition] = []
    for line in text.splitlines():
        fields = [field.strip() for field in line.split("|", 2)]
        if len(fields) == 3 and fields[1].isdigit():
            name = fields[0].rstrip("*")
            found.append(Partition(name, name != fields[0], int(fields[1]), "" if fields[2] == "(null)" else fields[2]))
    return found


def gpu_types(gres: str) -> List[Tuple[str, int]]:
    """`gpu:h100:8(S:0-1),nvme:2` -> [("h100", 8)]; GPUs without a type are not told."""
    return [(kind, int(count or 1)) for kind, count in re.findall(r"(?:^|,)gpu:([A-Za-z][^:,()]*)(?::(\d+))?", gres)]


def _run(
    program: str,
    arguments: Sequence[str],
    text: str = "",
    environment: Optional[Dict[str, str]] = None,
    pass_fds: Tuple[int, ...] = (),
) -> str:
    path = shutil.which(program, path=os.pathsep.join([os.environ.get("PATH", ""), *_FOLDERS]))
    if path is None:
        raise SlurmRefused(f"there is no {program} here: is this a login node of the cluster?")
    if environment is None:
        # Their own defaults come from variables too: a format for people, or a question before each scancel.
        own = ("SCANCEL_", "SCONTROL_", "SINFO_", "SQUEUE_")
        environment = {name: value for name, value in os.environ.items() if not name.startswith(own)}
    try:
        ended = subprocess.run(
            [path, *arguments],
            input=text.encode(),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment,
            pass_fds=pass_fds,
            timeout=_COMMAND_S,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise SlurmAway(f"{program} gave no answer within {_COMMAND_S:.0f} s") from error
    except OSError as error:
        raise SlurmAway(f"{program} could not be run: {error}") from error
    output = ended.stdout.decode("utf-8", "replace")
    if ended.returncode == 0:
        return output
    said = " ".join((ended.stderr.decode("utf-8", "replace") or output).split())[-400:]
    said = said or f"{program} ended with code {ended.returncode}"
    raise SlurmAway(said) if _AWAY.search(said) else SlurmRefused(said)

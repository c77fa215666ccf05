"""Owns every path of the runner.

<root>/<instance>/jobs/<job key>/   one folder per job, see JobPaths
<root>/<instance>/incoming/<job key>  bytes that a job is about, until it takes them
<root>/<instance>/facts.json        what the last probe learned about the machine
"""
from __future__ import annotations

import hashlib
import os
import stat
from dataclasses import dataclass
from typing import List

DEFAULT_ROOT = os.path.join("~", ".hotlap")
#: Names in the jobs folder that are no jobs: folders being made and folders being removed.
MAKING = ".making-"
REMOVING = ".removing-"


@dataclass(frozen=True)
class JobPaths:
    folder: str
    #: What participants' code writes: caches and, without a sandbox, the stage directories.
    scratch: str

    @property
    def job(self) -> str:
        return os.path.join(self.folder, "job.json")

    @property
    def events(self) -> str:
        return os.path.join(self.folder, "events.jsonl")

    @property
    def result(self) -> str:
        return os.path.join(self.folder, "result.json")

    @property
    def pid(self) -> str:
        """Holds the supervisor's process id; whoever holds its flock is the supervisor."""
        return os.path.join(self.folder, "supervisor.pid")

    @property
    def processes(self) -> str:
        """The processes of the running stage, for whoever has to end them after the supervisor's death."""
        return os.path.join(self.folder, "processes.json")

    @property
    def reserve(self) -> str:
        """Disk space held back so that a full disk can still be reported."""
        return os.path.join(self.folder, "reserve")

    @property
    def traces(self) -> str:
        return os.path.join(self.folder, "traces")

    def trace(self, stage: str) -> str:
        """What profile mode recorded in a stage."""
        return os.path.join(self.traces, stage + ".zip")

    @property
    def log(self) -> str:
        return os.path.join(self.folder, "supervisor.log")

    @property
    def ticket(self) -> str:
        """On a cluster: the right to run the job, and its secret seed. Whoever takes it away has it."""
        return os.path.join(self.folder, "ticket.json")

    @property
    def submission(self) -> str:
        """On a cluster: the number that Slurm gave the job. Its flock is held for as long as sbatch is asked."""
        return os.path.join(self.folder, "slurm.json")

    @property
    def cancel_mark(self) -> str:
        """On a cluster: there when it was us who asked for the job's end."""
        return os.path.join(self.folder, "cancelled")


@dataclass(frozen=True)
class BoxPaths:
    root: str
    instance: str
    #: Where the scratch folders are made, if not in the job's folder.
    scratch_base: str = ""

    @staticmethod
    def of(root: str, instance: str) -> "BoxPaths":
        if not instance or instance.startswith(".") or "/" in instance or "\0" in instance:
            raise ValueError(f"{instance!r} is no instance name")
        return BoxPaths(os.path.abspath(os.path.expanduser(root)), instance)

    @property
    def home(self) -> str:
        return os.path.join(self.root, self.instance)

    @property
    def jobs(self) -> str:
        return os.path.join(self.home, "jobs")

    @property
    def incoming(self) -> str:
        return os.path.join(self.home, "incoming")

    @property
    def facts(self) -> str:
        return os.path.join(self.home, "facts.json")

    def job(self, job_key: str) -> JobPaths:
        folder = os.path.join(self.jobs, job_key)
        base = self.scratch_base
        if not base and os.geteuid() == 0 and not _others_can_enter(self.root):
            # Root's own home is closed to the ordinary uid that a sandbox runs under.
            base = _OPEN_BASE
        if not base:
            return JobPaths(folder, os.path.join(folder, "scratch"))
        name = hashlib.sha256(os.path.realpath(folder).encode()).hexdigest()[:32]
        return JobPaths(folder, os.path.join(base, name))

    def list_job_keys(self) -> List[str]:
        try:
            names = os.listdir(self.jobs)
        except FileNotFoundError:
            return []
        return sorted(name for name in names if not name.startswith("."))

    def make(self) -> None:
        os.makedirs(self.root, mode=0o755, exist_ok=True)
        os.makedirs(self.jobs, mode=0o711, exist_ok=True)


_OPEN_BASE = "/var/tmp/hotlap-scratch"


def make_scratch(paths: JobPaths) -> None:
    """Makes the scratch folder; refuses a shared base that somebody else prepared."""
    base = os.path.dirname(paths.scratch)
    if base != paths.folder:
        make_scratch_base(base)
    os.mkdir(paths.scratch, 0o711)


def make_scratch_base(base: str) -> None:
    try:
        os.mkdir(base, 0o711)
    except FileExistsError:
        pass
    found = os.lstat(base)
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid() or found.st_mode & 0o022:
        raise PermissionError(f"{base} is not this user's own folder")


def _others_can_enter(path: str) -> bool:
    path = os.path.realpath(path)
    while True:
        try:
            if not os.stat(path).st_mode & 0o001:
                return False
        except FileNotFoundError:
            pass
        parent = os.path.dirname(path)
        if parent == path:
            return True
        path = parent

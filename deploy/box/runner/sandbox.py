"""Where a process of a stage runs: a policy and the files in, a Room out.

Three kinds. `bwrap`: bubblewrap_room.py. `docker` and `podman`: container_room.py. `none`: a fresh directory and a clean
environment; run by root, an ordinary user id of the job's own too.

In all of them, the problem's files belong to the runner's user and are read-only. What is left of the protection when that is
the job's user as well (no root, no sandbox) is none. How a room is left: everything in its control group is killed; the
processes outside of one are the supervisor's business (process_tree.py).
"""
from __future__ import annotations

import os
import stat
import subprocess
from dataclasses import dataclass, field
from typing import Dict, List, Optional, Tuple

import bubblewrap_room
import cgroup
import container_room
import disk
import job_uid
from gpus import Gpu, keep_devices
from limits import Entry, Limits
from protocol import BoxFailure
from sandbox_wish import ENGINES
from tools import find_tool

_SHARED_FOLDERS = ("/tmp", "/var/tmp", "/dev/shm")


@dataclass(frozen=True)
class Policy:
    """What this machine offers; found out by trials (python_choice.py)."""

    kind: str
    bwrap: str = ""
    #: Options that older versions lack.
    options: Tuple[str, ...] = ()
    python: str = ""
    python_folders: Tuple[str, ...] = ()
    #: The program of seccomp.py; None where there is none for this machine.
    syscall_filter: Optional[bytes] = None
    #: None: limits are those of single processes, or an engine's.
    home: Optional[cgroup.Home] = None
    #: Of a container: the engine's command, the image, and what the command writes before the program can.
    engine: str = ""
    image: str = ""
    noise: str = ""
    #: What the image has of compilers and profilers: name -> path.
    tools: Dict[str, Optional[str]] = field(default_factory=dict)

    @property
    def limits_kind(self) -> str:
        if self.is_container:
            return cgroup.V2 if os.path.exists("/sys/fs/cgroup/cgroup.controllers") else cgroup.V1
        return self.home.kind if self.home is not None else "rlimits"

    @property
    def is_container(self) -> bool:
        return self.kind in ENGINES

    def find_tool(self, name: str) -> Optional[str]:
        """Where jobs find it."""
        return self.tools.get(name) if self.is_container else find_tool(name)


@dataclass(frozen=True)
class Contents:
    """What a room is made from."""

    #: Relative path -> text, of the problem.
    files: Dict[str, str]
    cases: str
    #: Our own programs that run inside: name -> source.
    programs: Dict[str, bytes]
    #: Folders of the machine that are shown beside the usual ones, read-only and in their own places.
    folders: Tuple[str, ...] = ()


@dataclass
class Room:
    """A place for one process. `argv` goes before the command; all paths are as the process sees them."""

    entry: Entry
    work: str
    home: str
    tmp: str
    cache: str
    #: Holds the programs and `cases.txt`.
    own: str
    cwd: str = "/"
    argv: List[str] = field(default_factory=list)
    pass_fds: List[int] = field(default_factory=list)
    #: Read end of bubblewrap's pipe that names the namespace's first process.
    info_fd: Optional[int] = None
    #: Where the process runs in a container, which is no child of ours.
    container: Optional[container_room.Container] = None
    #: The folder on the real disk to be removed afterwards.
    folder: Optional[str] = None

    @property
    def cases(self) -> str:
        return os.path.join(self.own, "cases.txt")

    def read_exceeded(self) -> List[str]:
        """Which of the limits on the whole stage were hit; none is told where there are none."""
        if self.container is not None:
            return self.container.exceeded
        return self.entry.group.read_exceeded() if self.entry.group is not None else []

    def close_passed(self) -> None:
        while self.pass_fds:
            os.close(self.pass_fds.pop())

    def leave(self) -> None:
        self.close_passed()
        if self.container is not None:
            self.container.close()
        if self.info_fd is not None:
            os.close(self.info_fd)
            self.info_fd = None
        if self.entry.group is not None:
            self.entry.group.remove()
            self.entry.group = None
        if self.folder is not None:
            disk.remove_tree(self.folder)
        if self.entry.uid is not None and not self.entry.is_namespaced:
            disk.remove_owned(_SHARED_FOLDERS, self.entry.uid)


def make_room(
    policy: Policy,
    folder: str,
    name: str,
    uid: Optional[int],
    limits: Limits,
    contents: Contents,
    gpus: Optional[List[Gpu]] = None,
) -> Room:
    """A fresh room. `folder` does not exist yet; `name` is unique on the machine. Raises OSError, BoxFailure.

    `gpus` None: all that there are.
    """
    entry = Entry(limits, uid, [], None, policy.kind != "none", has_gpu=False, by_engine=policy.is_container)
    devices = bubblewrap_room.list_gpu_devices()
    if gpus is not None:
        devices = keep_devices(devices, gpus)
    entry.has_gpu = bool(devices)
    if uid is not None:
        entry.groups = sorted({os.stat(device).st_gid for device in devices if not _is_open_to_all(device)})
    room = Room(
        entry,
        work=os.path.join(folder, "work"),
        home=os.path.join(folder, "home"),
        tmp=os.path.join(folder, "tmp"),
        cache=os.path.join(folder, "cache"),
        own=os.path.join(folder, "own"),
        folder=folder,
    )
    try:
        _make_folder(folder, 0o711, None)
        _make_folder(room.own, 0o550, uid)
        _write_file(room.cases, contents.cases.encode(), uid)
        for program, source in contents.programs.items():
            _write_file(os.path.join(room.own, program), source, uid)
        if policy.kind != "none":
            files = os.path.join(folder, "files")
            _make_folder(files, 0o550, uid)
            _write_files(files, contents.files, uid)
            if policy.is_container:
                container_room.fill(room, policy, files, devices, gpus)
            else:
                bubblewrap_room.fill(room, policy, files, devices, contents.folders)
        else:
            # Sticky: who may make files here may still not remove those of another user.
            _make_folder(room.work, 0o1770, uid)
            _write_files(room.work, contents.files, uid)
            for path in (room.home, room.tmp, room.cache):
                os.mkdir(path, 0o700)
                if uid is not None:
                    os.chown(path, uid, uid)
            room.cwd = room.work
        if policy.home is not None:
            entry.group = policy.home.make_group(name, limits.memory_bytes, limits.processes)
    except (OSError, BoxFailure):
        room.leave()
        raise
    return room


def make_trial_room(policy: Policy) -> Room:
    """For a trial of the policy: its mounts and its user, no files and no control group."""
    uid = job_uid.trial_uid()
    limits = Limits.of(None, None)
    entry = Entry(limits, uid, [], None, policy.kind != "none", False, policy.is_container)
    room = Room(entry, "/", "/", "/tmp", "/", "/")
    devices = bubblewrap_room.list_gpu_devices()
    if policy.is_container:
        container_room.fill(room, policy, None, devices, None)
    elif policy.kind == "bwrap":
        bubblewrap_room.fill(room, policy, None, devices, ())
    return room


def _write_files(folder: str, files: Dict[str, str], uid: Optional[int]) -> None:
    for name, text in files.items():
        parts = name.split("/")
        for depth in range(1, len(parts)):
            parent = os.path.join(folder, *parts[:depth])
            if not os.path.isdir(parent):
                _make_folder(parent, 0o550, uid)
        _write_file(os.path.join(folder, name), text.encode(), uid)


def _make_folder(path: str, mode: int, gid: Optional[int]) -> None:
    """Ours; the job gets at it as the group. As an ordinary user we need the right to write for ourselves."""
    os.mkdir(path)
    if gid is None:
        mode |= stat.S_IRWXU
    else:
        os.chown(path, 0, gid)
    os.chmod(path, mode)


def _write_file(path: str, data: bytes, gid: Optional[int]) -> None:
    with open(path, "xb") as out:
        out.write(data)
    if gid is not None:
        os.chown(path, 0, gid)
    os.chmod(path, 0o440)


def _is_open_to_all(device: str) -> bool:
    return os.path.isdir(device) or os.stat(device).st_mode & 0o006 == 0o006


def find_bwrap_options(bwrap: str) -> Tuple[str, ...]:
    """Which of the options that we can do without this version knows. Raises BoxFailure."""
    try:
        text = subprocess.run([bwrap, "--help"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=5, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise BoxFailure("sandbox-failed", f"bubblewrap does not start: {error}") from error
    return tuple(option for option in ("--size", "--disable-userns") if option.encode() in text.stdout)

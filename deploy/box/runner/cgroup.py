"""Limits on memory and on the number of processes for all of a stage together, by the kernel's control groups.

A stage gets a group of its own below a `home`: the nearest control group, from our own upwards, in which this user may
make one and move a process into it. Going upwards is needed with version 2, where a group that holds processes (ours)
cannot pass limits on to groups below it. Nothing here goes by what a system should allow: `find_home` tries it out.

Version 2 has one tree and can kill a group at a stroke; version 1 has a tree for each controller.
"""
from __future__ import annotations

import os
import signal
import subprocess
import time
from dataclasses import dataclass
from typing import Dict, List, Optional, Tuple

from protocol import BoxFailure

V1 = "cgroup-v1"
V2 = "cgroup-v2"
_CONTROLLERS = ("memory", "pids")
_PREFIX = "hotlap-"
_PATIENCE_S = 5.0


@dataclass(frozen=True)
class Home:
    """`folders`: where groups are made, by controller; with version 2 one folder serves both."""

    kind: str
    folders: Tuple[Tuple[str, str], ...]

    def make_group(self, name: str, memory_bytes: int, processes: int) -> "Group":
        """Raises OSError; nothing is left behind then."""
        by_controller = {controller: os.path.join(parent, _PREFIX + name) for controller, parent in self.folders}
        group = Group(self.kind, by_controller["memory"], by_controller["pids"])
        try:
            for folder in group.folders:
                _make_folder(folder)
            group.set_limits(memory_bytes, processes)
            group.open()
        except OSError:
            group.remove()
            raise
        return group


def _make_folder(path: str) -> None:
    try:
        os.mkdir(path, 0o755)
    except FileExistsError:
        # Of a dead supervisor that had not yet written down its group: names come from inodes, which are used again.
        remove_folders([path])
        os.mkdir(path, 0o755)


class Group:
    def __init__(self, kind: str, memory: str, pids: str) -> None:
        self.kind = kind
        self._memory = memory
        self._pids = pids
        self.folders = list(dict.fromkeys((memory, pids)))
        self._doors: List[int] = []

    def set_limits(self, memory_bytes: int, processes: int) -> None:
        if self.kind == V2:
            _write(self._memory, "memory.max", memory_bytes)
            # Memory on a disk is no memory; and one victim of many would leave a stage that can only hang.
            _write_if_there(self._memory, "memory.swap.max", 0)
            _write_if_there(self._memory, "memory.oom.group", 1)
        else:
            _write(self._memory, "memory.limit_in_bytes", memory_bytes)
            _write_if_there(self._memory, "memory.memsw.limit_in_bytes", memory_bytes)
        _write(self._pids, "pids.max", processes)

    def open(self) -> None:
        """Opened by us, because the process that enters may have given up our rights on the way."""
        for folder in self.folders:
            self._doors.append(os.open(os.path.join(folder, "cgroup.procs"), os.O_WRONLY | os.O_CLOEXEC))

    def enter(self) -> None:
        """Moves the calling process."""
        for door in self._doors:
            os.write(door, b"0")

    def read_exceeded(self) -> List[str]:
        """Which limits were hit: `memory`, `processes`."""
        memory_events = "memory.events" if self.kind == V2 else "memory.oom_control"
        found = []
        if _read_count(self._memory, memory_events, "oom_kill") > 0:
            found.append("memory")
        if _read_count(self._pids, "pids.events", "max") > 0:
            found.append("processes")
        return found

    def remove(self) -> None:
        """Kills what is in it and removes it. Raises BoxFailure when that cannot be done."""
        while self._doors:
            os.close(self._doors.pop())
        remove_folders(self.folders)


def remove_folders(folders: List[str]) -> None:
    """`Group.remove` for whoever only knows the folders. A missing one is fine."""
    deadline = time.monotonic() + _PATIENCE_S
    pause_s = 0.0005
    left = list(folders)
    while left:
        for folder in left:
            _kill_all(folder)
        left = [folder for folder in left if not _remove(folder)]
        if left:
            if time.monotonic() > deadline:
                raise BoxFailure("sandbox-failed", f"the control group {left[0]} cannot be emptied")
            time.sleep(pause_s)
            pause_s = min(pause_s * 2, 0.02)


def find_home() -> Tuple[Optional[Home], str]:
    """The home that works, or None and why."""
    problems = []
    for home in [*_version_2_homes(), *_version_1_homes()]:
        problem = _try(home)
        if not problem:
            return home, ""
        problems.append(f"{home.folders[0][1]}: {problem}")
    return None, "; ".join(problems[:3]) or "no control groups with memory and pids are mounted"


def _try(home: Home) -> str:
    """Moves a real process in and out; returns what went wrong."""
    sleeper = None
    group = None
    try:
        _pass_on_controllers(home)
        group = home.make_group(f"trial-{os.getpid()}-{time.monotonic_ns()}", 64 * 1024 * 1024, 16)
        # Reads the pipe that nobody writes to; ends with us in any case.
        sleeper = subprocess.Popen(["/bin/sh", "-c", "read line"], stdin=subprocess.PIPE)
        for folder in group.folders:
            _write(folder, "cgroup.procs", sleeper.pid)
        return ""
    except OSError as error:
        return error.strerror or str(error)
    finally:
        try:
            if sleeper is not None:
                sleeper.kill()
                sleeper.communicate()
            if group is not None:
                group.remove()
        except (OSError, BoxFailure) as error:
            return str(error)


def _pass_on_controllers(home: Home) -> None:
    if home.kind != V2:
        return
    folder = home.folders[0][1]
    offered = _read(folder, "cgroup.controllers").split()
    passed_on = _read(folder, "cgroup.subtree_control").split()
    missing = [name for name in _CONTROLLERS if name not in passed_on]
    if any(name not in offered for name in missing):
        raise OSError(0, "it has no memory and pids controllers")
    if missing:
        _write(folder, "cgroup.subtree_control", " ".join("+" + name for name in missing))


def _version_2_homes() -> List[Home]:
    found = []
    for kind, controllers, mount, own in _list_mounts():
        if kind != "cgroup2":
            continue
        path = own
        while True:
            folder = os.path.normpath(mount + path)
            found.append(Home(V2, tuple((name, folder) for name in _CONTROLLERS)))
            if path in ("/", ""):
                break
            path = os.path.dirname(path)
    return found


def _version_1_homes() -> List[Home]:
    folders: Dict[str, str] = {}
    for kind, controllers, mount, own in _list_mounts():
        if kind == "cgroup":
            folders.update({name: os.path.normpath(mount + own) for name in controllers if name in _CONTROLLERS})
    if len(folders) < len(_CONTROLLERS):
        return []
    return [Home(V1, tuple((name, folders[name]) for name in _CONTROLLERS))]


def _list_mounts() -> List[Tuple[str, List[str], str, str]]:
    """(file system, its controllers, mount point, our own group's path below it) of each mounted tree."""
    try:
        with open("/proc/self/cgroup", encoding="utf-8") as file:
            lines = [line.rstrip("\n").split(":", 2) for line in file]
        with open("/proc/self/mountinfo", encoding="utf-8") as file:
            mounts = [line.split() for line in file]
    except OSError:
        return []
    own_paths = {frozenset(names.split(",")) if names else frozenset(): path for _id, names, path in lines}
    found = []
    for fields in mounts:
        kind = fields[fields.index("-") + 1]
        if kind not in ("cgroup", "cgroup2"):
            continue
        controllers = [] if kind == "cgroup2" else fields[-1].split(",")
        own = next((path for names, path in own_paths.items() if names <= set(controllers) and
                    bool(names) == (kind == "cgroup")), None)
        if own is None:
            continue
        root, mount = fields[3], fields[4]
        if root != "/" and (own + "/").startswith(root + "/"):
            own = own[len(root):] or "/"
        found.append((kind, controllers, mount, own))
    return found


def _kill_all(folder: str) -> None:
    try:
        _write(folder, "cgroup.kill", 1)
        return
    except OSError:
        pass  # Version 1, or a kernel before 5.14.
    for pid in _read(folder, "cgroup.procs").split():
        try:
            os.kill(int(pid), signal.SIGKILL)
        except OSError:
            pass


def _remove(folder: str) -> bool:
    try:
        os.rmdir(folder)
    except FileNotFoundError:
        pass
    except OSError:
        return False
    return True


def _write(folder: str, name: str, value: object) -> None:
    with open(os.path.join(folder, name), "w", encoding="ascii") as out:
        out.write(str(value))


def _write_if_there(folder: str, name: str, value: object) -> None:
    try:
        _write(folder, name, value)
    except OSError:
        pass


def _read(folder: str, name: str) -> str:
    try:
        with open(os.path.join(folder, name), encoding="ascii") as file:
            return file.read()
    except OSError:
        return ""


def _read_count(folder: str, name: str, key: str) -> int:
    for line in _read(folder, name).splitlines():
        fields = line.split()
        if len(fields) == 2 and fields[0] == key and fields[1].isdigit():
            return int(fields[1])
    return 0

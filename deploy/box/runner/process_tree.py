"""Finding and ending processes.

On Linux the supervisor is the "child subreaper": whatever a stage leaves behind, daemons with a session of their own
included, becomes the supervisor's child, so that "no children left" means "everything is dead". A bubblewrap
namespace is covered by the same rule, since its first process cannot be reaped before all others in it are dead.
Elsewhere the process group and what `ps` shows below the supervisor must do.
"""
from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from typing import Callable, Dict, List, Optional, Set

#: Environment variable of whatever is started for a job; its value names the job (end_job.py).
MARK = "HOTLAP_JOB"
IS_LINUX = sys.platform.startswith("linux")
_PR_SET_PDEATHSIG = 1
_PR_SET_DUMPABLE = 4
_PR_SET_CHILD_SUBREAPER = 36
_PR_SET_NO_NEW_PRIVS = 38


@dataclass(frozen=True)
class Process:
    pid: int
    ppid: int
    pgid: int
    dead: bool
    #: Tells a process from a later one of the same id.
    born: str


def _prctl(option: int, value: int) -> None:
    if IS_LINUX:
        ctypes.CDLL(None, use_errno=True).prctl(option, value, 0, 0, 0)


def adopt_orphans() -> None:
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)


def close_to_peers() -> None:
    """Keeps other processes of the same user out of this one's memory, environment and descriptors."""
    _prctl(_PR_SET_DUMPABLE, 0)


def make_die_with_parent() -> Callable[[], None]:
    """What to run in a child between fork and exec. The library is loaded here, not in the child."""
    if not IS_LINUX:
        return lambda: None
    libc = ctypes.CDLL(None)
    return lambda: libc.prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)


def make_refuse_new_rights() -> Callable[[], None]:
    """As above; from then on no setuid program gives the process or its children another user's rights."""
    if not IS_LINUX:
        return lambda: None
    libc = ctypes.CDLL(None)
    return lambda: libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)


def list_processes() -> Dict[int, Process]:
    return _list_proc() if IS_LINUX else _list_ps()


def _list_proc() -> Dict[int, Process]:
    found: Dict[int, Process] = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            process = _read_stat(int(name))
            if process is not None:
                found[process.pid] = process
    return found


def _read_stat(pid: int) -> Optional[Process]:
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            # The name in brackets may hold anything, brackets and blanks included.
            fields = file.read().rpartition(b")")[2].split()
    except OSError:
        return None
    if len(fields) < 20:
        return None
    return Process(pid, int(fields[1]), int(fields[2]), fields[0] in (b"Z", b"X"), fields[19].decode())


def _list_ps() -> Dict[int, Process]:
    found: Dict[int, Process] = {}
    listing = subprocess.run(
        ["ps", "-axo", "pid=,ppid=,pgid=,stat=,lstart="], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=False
    ).stdout.decode("utf-8", "replace")
    for line in listing.splitlines():
        fields = line.split(None, 4)
        if len(fields) == 5 and all(field.isdigit() for field in fields[:3]):
            pid = int(fields[0])
            found[pid] = Process(pid, int(fields[1]), int(fields[2]), fields[3].startswith("Z"), fields[4].strip())
    return found


def find_process(pid: int) -> Optional[Process]:
    return _read_stat(pid) if IS_LINUX else _list_ps().get(pid)


def is_alive(pid: int, born: str) -> bool:
    process = find_process(pid)
    return process is not None and not process.dead and process.born == born


def _descendants(processes: Dict[int, Process], root: int) -> Set[int]:
    below: Dict[int, List[int]] = {}
    for process in processes.values():
        below.setdefault(process.ppid, []).append(process.pid)
    found: Set[int] = set()
    todo = [root]
    while todo:
        for pid in below.get(todo.pop(), []):
            if pid not in found:
                found.add(pid)
                todo.append(pid)
    return found


def kill_descendants(root: int) -> bool:
    """One round of kills below another process; true while there was something to kill."""
    processes = list_processes()
    alive = [pid for pid in _descendants(processes, root) if not processes[pid].dead]
    for pid in alive:
        kill(pid)
    return bool(alive)


def kill(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except OSError:
        pass


def kill_group(pgid: int) -> bool:
    """True while the group has members."""
    try:
        os.killpg(pgid, signal.SIGKILL)
        return True
    except ProcessLookupError:
        return False
    except PermissionError:
        return True


def end_children(pgid: Optional[int], on_reaped: Callable[[int, int], None], limit_s: float = 30.0) -> bool:
    """Kills everything below this process and reaps it; true when nothing is left.

    `on_reaped(pid, status)` sees each child's end. Kills repeat, because a fork bomb may outrun one look at the table.
    """
    deadline = time.monotonic() + limit_s
    pause_s = 0.0005
    while True:
        if pgid is not None:
            kill_group(pgid)
        for pid in _descendants(list_processes(), os.getpid()):
            kill(pid)
        if not reap_all(on_reaped) and (IS_LINUX or pgid is None or not kill_group(pgid)):
            return True
        if time.monotonic() > deadline:
            return False
        time.sleep(pause_s)
        pause_s = min(pause_s * 2, 0.02)


def reap_all(on_reaped: Callable[[int, int], None]) -> bool:
    """Reaps every child that has ended; true while children are left."""
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return False
        if pid == 0:
            return True
        on_reaped(pid, status)


def list_marked(marker: str) -> List[Process]:
    """Processes whose first environment holds the text `marker` (Linux; elsewhere none is found)."""
    if not IS_LINUX:
        return []
    found: List[Process] = []
    wanted = marker.encode()
    for pid, process in list_processes().items():
        if process.dead or pid == os.getpid():
            continue
        try:
            with open(f"/proc/{pid}/environ", "rb") as file:
                if wanted in file.read().split(b"\0"):
                    found.append(process)
        except OSError:
            continue
    return found

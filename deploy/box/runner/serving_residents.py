"""Processes that live side by side in rooms of their own: a model server, and the client that measures it.

contained_process.py runs one process to its end. Here one goes on while others come and go, so everything that the job's
processes say arrives in one selector, and `wait` turns it until something is so. Whoever moves out is killed with all of
its namespace and control group; nothing is ever looked for by name.
"""
from __future__ import annotations

import os
import selectors
import subprocess
import time
from typing import Callable, Dict, List, Optional

import process_tree
from contained_process import InfoReader, Tail, Wakeups, drain, read_once, read_status
from protocol import BoxFailure
from sandbox import Room

_PATIENCE_S = 10.0


class TimedOut(Exception):
    """What was waited for did not come within its time."""


class Cancelled(Exception):
    """The job is to end."""


class Resident:
    def __init__(self, room: Room, pid: int) -> None:
        self.room = room
        self.pid = pid
        #: Of its namespace; unknown for an instant, and without one.
        self.first: Optional[int] = None
        self.stdout = Tail()
        self.stderr = Tail()
        self.status: Optional[int] = None
        self.readers: Dict[int, Callable[[bytes], None]] = {}

    @property
    def is_alive(self) -> bool:
        return self.status is None

    def how_it_ended(self) -> str:
        exit_code, number = read_status(self.status, bool(self.room.argv))
        return f"exit code {exit_code}" if number is None else f"signal {number}"


class Residents:
    def __init__(self, wakeups: Wakeups, on_processes: Callable[[int, List[int], List[str]], None]) -> None:
        self._wakeups = wakeups
        self._on_processes = on_processes
        self._all: List[Resident] = []
        self._selector = selectors.DefaultSelector()
        self._selector.register(wakeups.read_fd, selectors.EVENT_READ, None)

    def move_in(
        self,
        room: Room,
        argv: List[str],
        env: Dict[str, str],
        limit_s: float,
        pass_fds: List[int],
        readers: Dict[int, Callable[[bytes], None]],
    ) -> Resident:
        """`pass_fds` are closed here, the keys of `readers` when it moves out; `limit_s` only bounds its CPU time."""
        child = subprocess.Popen(
            [*room.argv, *argv],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=env,
            cwd=room.cwd,
            pass_fds=(*room.pass_fds, *pass_fds),
            start_new_session=True,
            preexec_fn=room.entry.make(limit_s),
        )
        room.close_passed()
        for fd in pass_fds:
            os.close(fd)
        resident = Resident(room, child.pid)
        self._all.append(resident)
        assert child.stdout is not None and child.stderr is not None
        # Descriptors of our own: Popen's must not close them when it is collected, nor look for the process.
        resident.readers = {
            os.dup(child.stdout.fileno()): resident.stdout.feed,
            os.dup(child.stderr.fileno()): resident.stderr.feed,
            **readers,
        }
        child.stdout.close()
        child.stderr.close()
        child.returncode = 0
        if room.info_fd is not None:
            resident.readers[room.info_fd] = InfoReader(lambda first: self._note_first(resident, first))
            room.info_fd = None
        for fd, feed in resident.readers.items():
            os.set_blocking(fd, False)
            self._selector.register(fd, selectors.EVENT_READ, feed)
        self._tell()
        return resident

    def wait(self, is_done: Callable[[], bool], deadline: float) -> None:
        """`deadline` by the monotonic clock. Raises TimedOut, Cancelled."""
        while True:
            process_tree.reap_all(self._reaped)
            if self._wakeups.cancelled:
                raise Cancelled
            if is_done():
                return
            left_s = deadline - time.monotonic()
            if left_s <= 0:
                raise TimedOut
            for key, _ in self._selector.select(left_s):
                if key.data is None:
                    self._wakeups.clear()
                elif not read_once(key.fd, key.data):
                    self._selector.unregister(key.fd)

    def move_out(self, resident: Resident) -> None:
        """Ends it and everything that it started, and leaves its room. Raises BoxFailure when that cannot be done."""
        if resident not in self._all:
            return
        if len(self._all) == 1:
            is_over = process_tree.end_children(resident.pid, self._reaped)
        else:
            is_over = self._end_alone(resident)
        drain({fd: feed for fd, feed in resident.readers.items() if fd in self._selector.get_map()})
        for fd in resident.readers:
            if fd in self._selector.get_map():
                self._selector.unregister(fd)
            os.close(fd)
        self._all.remove(resident)
        resident.room.leave()
        self._tell()
        if not is_over:
            raise BoxFailure("sandbox-failed", "a process of the job could not be killed")

    def move_all_out(self) -> None:
        for resident in list(self._all):
            self.move_out(resident)

    def _end_alone(self, resident: Resident) -> bool:
        deadline = time.monotonic() + _PATIENCE_S
        pause_s = 0.0005
        while resident.is_alive:
            process_tree.kill_group(resident.pid)
            if resident.first is not None:
                process_tree.kill(resident.first)
            process_tree.reap_all(self._reaped)
            if time.monotonic() > deadline:
                return False
            time.sleep(pause_s)
            pause_s = min(pause_s * 2, 0.02)
        return True

    def _reaped(self, pid: int, status: int) -> None:
        for resident in self._all:
            if resident.pid == pid:
                resident.status = status

    def _note_first(self, resident: Resident, first: int) -> None:
        resident.first = first
        self._tell()

    def _tell(self) -> None:
        """What is to be ended should this supervisor die: the newest group, and all namespaces and control groups."""
        pids = [pid for resident in self._all for pid in (resident.pid, resident.first) if pid is not None]
        groups = [resident.room.entry.group for resident in self._all]
        folders = [folder for group in groups if group is not None for folder in group.folders]
        # No group has a negative number.
        self._on_processes(self._all[-1].pid if self._all else -1, pids, folders)

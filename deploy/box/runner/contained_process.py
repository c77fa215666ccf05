"""Runs one process in a room until it ends or has to end, drains what it writes, and leaves nothing of it alive.

One thread, one selector: standard output and error, the result pipe, the control pipe of the launcher, bubblewrap's
info pipe, and the wake-up pipe through which SIGCHLD and SIGTERM arrive. Nothing here waits for an end-of-file: a
grandchild may hold a pipe open for ever. The main process's end is the end; then everything is killed, and since the
writers are dead the pipes can be read to their ends.
"""
from __future__ import annotations

import json
import os
import selectors
import signal
import subprocess
import time
from dataclasses import dataclass, field
from typing import Any, Callable, Dict, List, Optional

import process_tree
from container_door import Door
from protocol import OUTPUT_CHARACTERS, BoxFailure, ProcessReport
from result_pipe import plain_text
from sandbox import Room

EXIT_TIMEOUT = 114
_CHUNK = 64 * 1024


class Wakeups:
    """Turns SIGCHLD and SIGTERM into bytes on a pipe. One per supervisor; `cancelled` stays set.

    `doubt_s`: where SIGTERM goes to the job's processes as well as to us, theirs may come so much sooner.
    """

    def __init__(self, doubt_s: float = 0.0) -> None:
        self._doubt_s = doubt_s
        self.read_fd, write_fd = os.pipe()
        os.set_blocking(self.read_fd, False)
        os.set_blocking(write_fd, False)
        self.cancelled = False
        signal.set_wakeup_fd(write_fd, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.signal(signal.SIGTERM, self._cancel)

    def _cancel(self, *_: Any) -> None:
        self.cancelled = True

    def is_cancelled_after_all(self) -> bool:
        """To be asked before a process that failed is blamed for it."""
        deadline = time.monotonic() + self._doubt_s
        while not self.cancelled and time.monotonic() < deadline:
            time.sleep(0.01)
        return self.cancelled

    def clear(self) -> None:
        try:
            while os.read(self.read_fd, 4096):
                pass
        except BlockingIOError:
            pass


class Tail:
    """The last part of an endless output."""

    def __init__(self) -> None:
        self._most = 4 * OUTPUT_CHARACTERS
        self._data = bytearray()

    def feed(self, data: bytes) -> None:
        self._data += data
        if len(self._data) > 2 * self._most:
            del self._data[: -self._most]

    def text(self) -> str:
        return plain_text(bytes(self._data))[-OUTPUT_CHARACTERS:]


@dataclass
class Command:
    """`stop_if` is asked after every read of the result or control pipe and ends the process when true."""

    argv: List[str]
    env: Dict[str, str]
    timeout_s: float
    pass_fds: List[int] = field(default_factory=list)
    readers: Dict[int, Callable[[bytes], None]] = field(default_factory=dict)
    stop_if: Callable[[], bool] = lambda: False
    #: Told what to end should this supervisor die: `(pgid, pids, folders of the control group)`.
    on_processes: Callable[[int, List[int], List[str]], None] = lambda _pgid, _pids, _folders: None


@dataclass
class Ended:
    exit_code: Optional[int]
    signal: Optional[int]
    timed_out: bool
    #: Ended by itself: neither timed out, stopped nor cancelled.
    by_itself: bool
    duration_ms: float
    stdout: str
    stderr: str

    def copy_to(self, report: ProcessReport) -> None:
        report.timed_out = self.timed_out
        report.exit_code = EXIT_TIMEOUT if self.timed_out else self.exit_code
        report.signal = None if self.timed_out else self.signal
        report.duration_ms = self.duration_ms
        report.stdout = self.stdout
        report.stderr = self.stderr


def run_contained(room: Room, command: Command, wakeups: Wakeups) -> Ended:
    """Raises OSError when the process cannot be started and BoxFailure when it cannot be ended."""
    started = time.monotonic()
    group_folders = room.entry.group.folders if room.entry.group is not None else []
    container = room.container
    child = subprocess.Popen(
        room.argv if container is not None else [*room.argv, *command.argv],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        # The engine's command is the machine's, not the job's.
        env=None if container is not None else command.env,
        cwd=room.cwd,
        pass_fds=() if container is not None else (*room.pass_fds, *command.pass_fds),
        start_new_session=True,
        preexec_fn=room.entry.make(command.timeout_s),
    )

    def on_first(first: int) -> None:
        command.on_processes(child.pid, [child.pid, first], group_folders)

    command.on_processes(child.pid, [child.pid], group_folders)
    if container is not None:
        container.offer(command, room.entry.rlimits(command.timeout_s), on_first)
    room.close_passed()
    while command.pass_fds:
        os.close(command.pass_fds.pop())

    stdout, stderr = Tail(), Tail()
    statuses: Dict[int, int] = {}
    readers: Dict[int, Callable[[bytes], None]] = dict(command.readers)
    assert child.stdout is not None and child.stderr is not None
    readers[child.stdout.fileno()] = stdout.feed
    readers[child.stderr.fileno()] = stderr.feed
    if room.info_fd is not None:
        readers[room.info_fd] = InfoReader(on_first)

    selector = selectors.DefaultSelector()
    for fd, feed in readers.items():
        os.set_blocking(fd, False)
        selector.register(fd, selectors.EVENT_READ, feed)
    selector.register(wakeups.read_fd, selectors.EVENT_READ, None)
    if container is not None:
        container.watch(selector)

    timed_out = False
    try:
        while True:
            process_tree.reap_all(statuses.__setitem__)
            if child.pid in statuses:
                break
            deadline = started + command.timeout_s
            if container is not None:
                deadline = container.deadline(started, command.timeout_s)
            left_s = deadline - time.monotonic()
            is_late = left_s <= 0
            if is_late or wakeups.cancelled or command.stop_if():
                if container is None:
                    timed_out = is_late
                    break
                if container.is_over and is_late:
                    break
                if not container.is_over:
                    timed_out = is_late
                    # Its command ends behind it, and has passed on by then what was written.
                    container.kill()
                    continue
            for key, _ in selector.select(left_s):
                if key.data is None:
                    wakeups.clear()
                elif isinstance(key.data, Door):
                    key.data.look(selector)
                elif not read_once(key.fd, key.data):
                    selector.unregister(key.fd)
        spent_s = time.monotonic() - started if container is None else container.spent_s()
        ended_by_itself = child.pid in statuses and (container is None or not container.was_killed)
        if not process_tree.end_children(child.pid, statuses.__setitem__):
            raise BoxFailure("sandbox-failed", "a process of the job could not be killed")
        drain(readers)
        by_itself = ended_by_itself and not command.stop_if()
    finally:
        selector.close()
        if container is not None:
            container.end(statuses.get(child.pid))
        child.returncode = 0  # Reaped above; Popen must not look for it.
        child.stdout.close()
        child.stderr.close()

    exit_code, signal_number = read_status(statuses.get(child.pid), bool(room.argv))
    errors = stderr.text()
    if container is not None:
        errors = container.without_noise(errors)
        if not wakeups.cancelled:
            container.check(exit_code if ended_by_itself else None, errors)
    return Ended(exit_code, signal_number, timed_out, by_itself, spent_s * 1000, stdout.text(), errors)


class InfoReader:
    """bubblewrap says `{"child-pid": n, ...}`: that process's death is the whole namespace's."""

    def __init__(self, on_first: Callable[[int], None]) -> None:
        self._on_first = on_first
        self._data = b""

    def __call__(self, data: bytes) -> None:
        self._data += data
        try:
            info = json.loads(self._data)
        except ValueError:
            return
        self._on_first(int(info["child-pid"]))


def read_once(fd: int, feed: Callable[[bytes], None]) -> bool:
    """False at the end of the file."""
    try:
        data = os.read(fd, _CHUNK)
    except BlockingIOError:
        return True
    except ConnectionResetError:
        # A socket, whose other end went without having read all that we said.
        return False
    if data:
        feed(data)
    return bool(data)


def drain(readers: Dict[int, Callable[[bytes], None]]) -> None:
    for fd, feed in readers.items():
        while True:
            try:
                data = os.read(fd, _CHUNK)
            except (BlockingIOError, ConnectionResetError):
                break
            if not data:
                break
            feed(data)


def read_status(status: Optional[int], is_wrapped: bool):
    if status is None:
        return None, None
    if os.WIFSIGNALED(status):
        return None, os.WTERMSIG(status)
    code = os.WEXITSTATUS(status)
    # bubblewrap reports a death by signal the way a shell does.
    if is_wrapped and 128 < code <= 128 + 64:
        return None, code - 128
    return code, None

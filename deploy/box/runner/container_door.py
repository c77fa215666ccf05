"""How work gets into a container: the runner's end of the door (container_init.py is the other).

A container is started by an engine, not by us, and gets none of our descriptors. So its folder holds a socket. The
first process of the container connects, is known by the kernel's word for who it is, gets one message with the work
and the descriptors, and the socket's name is removed: nothing of the participant's runs before that, and nobody can
connect after it. The connection stays. Its end tells the container that we are gone; its last message tells us which
limits were hit.
"""
from __future__ import annotations

import json
import os
import selectors
import socket
import struct
import time
from array import array
from typing import Any, Callable, Dict, List, Optional

import process_tree
from protocol import BoxFailure

_MOST_REPORT_BYTES = 65_536
_CREDENTIALS = struct.Struct("3i")


class Door:
    def __init__(self, path: str, uid: Optional[int]) -> None:
        """`uid`: who may come through; None: ourselves. Raises OSError."""
        self._path = path
        self._uid = os.getuid() if uid is None else uid
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET | socket.SOCK_CLOEXEC)
        folder = os.open(os.path.dirname(path), os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            # Addresses of sockets are short, and job folders lie deep.
            self._socket.bind(f"/proc/self/fd/{folder}/{os.path.basename(path)}")
        finally:
            os.close(folder)
        os.chmod(path, 0o600)
        if uid is not None:
            os.chown(path, uid, uid)
        self._socket.listen(1)
        self._socket.setblocking(False)
        self._work: Dict[str, Any] = {}
        self._fds: List[int] = []
        self._on_first: Callable[[int], None] = lambda _pid: None
        #: The first process of the container, as we count; 0 before it has come.
        self.first = 0
        self._process: Optional[process_tree.Process] = None
        #: What the container said of its limits at its end; None before that.
        self.exceeded: Optional[List[str]] = None
        #: When each came, by the monotonic clock: what the engine needs before and behind is not the program's time.
        self.began: Optional[float] = None
        self.ended: Optional[float] = None

    def offer(self, work: Dict[str, Any], fds: List[int], on_first: Callable[[int], None]) -> None:
        """What whoever comes first will get. The descriptors are ours to close from here on."""
        self._work = work
        self._fds = fds
        self._on_first = on_first

    def watch(self, selector: selectors.BaseSelector) -> None:
        selector.register(self._socket, selectors.EVENT_READ, self)

    def look(self, selector: selectors.BaseSelector) -> None:
        """To be called when the selector says so. Raises BoxFailure."""
        if self.first == 0:
            selector.unregister(self._socket)
            self._admit()
            selector.register(self._socket, selectors.EVENT_READ, self)
        elif not self.listen():
            selector.unregister(self._socket)

    def listen(self) -> bool:
        """Takes the container's last message, if it is there; false at the end."""
        try:
            data = self._socket.recv(_MOST_REPORT_BYTES)
        except BlockingIOError:
            return True
        except OSError:
            return False
        if data:
            self.ended = time.monotonic()
            self.exceeded = [str(name) for name in json.loads(data)["exceeded"]]
        return bool(data)

    def _admit(self) -> None:
        connection, _ = self._socket.accept()
        self._socket.close()
        self._socket = connection
        os.unlink(self._path)
        credentials = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
        pid, uid, _gid = _CREDENTIALS.unpack(credentials)
        if pid == 0 or uid != self._uid:
            raise BoxFailure(
                "sandbox-failed",
                f"the container's first process is number {pid} of user {uid}, where one of {self._uid} was expected; "
                "does the engine run on another machine?",
            )
        self.first = pid
        self._process = process_tree.find_process(pid)
        self._on_first(pid)
        rights = (socket.SOL_SOCKET, socket.SCM_RIGHTS, array("i", self._fds))
        self.began = time.monotonic()
        connection.sendmsg([json.dumps(self._work).encode()], [rights])
        connection.setblocking(False)
        self._close_offered()

    def wait_until_first_is_dead(self, limit_s: float) -> bool:
        """With it everything in the container is: the kernel ends a process namespace with its first process."""
        deadline = time.monotonic() + limit_s
        pause_s = 0.001
        while self._process is not None and process_tree.is_alive(self._process.pid, self._process.born):
            if time.monotonic() > deadline:
                return False
            time.sleep(pause_s)
            pause_s = min(pause_s * 2, 0.05)
        return True

    def _close_offered(self) -> None:
        while self._fds:
            os.close(self._fds.pop())

    def close(self) -> None:
        self._close_offered()
        self._socket.close()

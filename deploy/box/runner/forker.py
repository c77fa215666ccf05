"""Starts supervisors by fork, which takes milliseconds where a new interpreter would take tens of them.

Forking a process that has threads is unsafe, and the agent has them. So before its first thread the agent forks this
one: a process without threads that does nothing but wait for start requests on a socket. While it waits it has
the modules loaded and knows which Python and which sandbox work. It ends when the agent's end of the socket closes.

    -> {"job":{...},"seed":n}      <- {"attached":false}  or  {"error":{"kind":...,"message":...}}
"""
from __future__ import annotations

import gc
import json
import os
import signal
import socket
import threading
import time
import warnings
from typing import Any, Dict, Optional, Tuple, Union

import process_tree
import supervisor
from disk import is_full
from end_job import end_lost_job
from job_folder import make_job_folder
from paths import BoxPaths
from protocol import BoxFailure, JobSpec, parse_job, parse_seed, to_json
from python_choice import Choice, choose
from sandbox_wish import ContainerSpec
from wire_fields import RequestError

_LASTING_S = 3600.0
_DOUBTFUL_S = 60.0


class Starter:
    """Starts jobs from a process that has no threads."""

    def __init__(self, box: BoxPaths) -> None:
        self._box = box
        self._choices: Dict[Union[str, ContainerSpec], Tuple[Choice, float]] = {}

    def choice(self, sandbox: Union[str, ContainerSpec]) -> Choice:
        wish = "auto" if sandbox == "required" else sandbox
        known, until = self._choices.get(wish, (None, 0.0))
        if known is not None and time.monotonic() < until:
            return known
        choice = choose(wish)
        # A trial that failed once, on a busy machine perhaps, must not leave the box open for as long as we live.
        is_settled = choice.policy.kind != "none" or wish == "off"
        self._choices[wish] = (choice, time.monotonic() + (_LASTING_S if is_settled else _DOUBTFUL_S))
        return choice

    def start(self, job_value: Any, seed_value: Any) -> bool:
        """True when the job was there already. Raises RequestError, BoxFailure."""
        job = parse_job(job_value)
        seed = parse_seed(seed_value)
        choice = self.choice(job.sandbox)
        paths = self._box.job(job.job_key)
        if not os.path.isdir(paths.folder):
            end_lost_job(paths)
        try:
            lock_fd = make_job_folder(self._box, job)
        except OSError as error:
            kind = "disk-full" if is_full(error) else "runner-crashed"
            raise RequestError(kind, f"the job folder cannot be made: {error}") from error
        if lock_fd is None:
            return True
        try:
            _fork_supervisor(self._box, job, seed, choice, lock_fd)
        finally:
            os.close(lock_fd)
        return False


def _fork_supervisor(box: BoxPaths, job: JobSpec, seed: Optional[int], choice: Choice, lock_fd: int) -> None:
    # Blocked until the supervisor can handle it: a cancel may come before its first line has run.
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    try:
        if os.fork() == 0:
            _become_supervisor(box, job, seed, choice, lock_fd)
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})
    # Supervisors that ended since the last start. One fork rather than two: each costs a start its milliseconds.
    process_tree.reap_all(lambda _pid, _status: None)


def _become_supervisor(box: BoxPaths, job: JobSpec, seed: Optional[int], choice: Choice, lock_fd: int) -> None:
    """Never returns: the supervisor must not run on into the caller's code."""
    try:
        os.setsid()
        for number in (signal.SIGINT, signal.SIGHUP):
            # What is ignored here would stay ignored in the job's processes.
            signal.signal(number, signal.SIG_DFL)
        _close_inherited(lock_fd, box.job(job.job_key).log)
        supervisor.supervise(box, job, seed, choice, lock_fd)
    finally:
        os._exit(0)


def _close_inherited(keep_fd: int, log: str) -> None:
    """An inherited descriptor would keep the agent's channel open for as long as the job runs."""
    null = os.open(os.devnull, os.O_RDWR)
    out = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.dup2(null, 0)
    os.dup2(null, 1)
    os.dup2(out, 2)
    most = max(keep_fd, null, out) + 256
    os.closerange(3, keep_fd)
    os.closerange(keep_fd + 1, most)
    os.chdir("/")


class Forker:
    """The agent's end. Make it before the first thread; `start` may be called from any."""

    def __init__(self, box: BoxPaths) -> None:
        ours, theirs = socket.socketpair()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            child = os.fork()
        if child == 0:
            try:
                ours.close()
                _serve(box, theirs)
            finally:
                os._exit(0)
        theirs.close()
        self._stream = ours.makefile("rw", encoding="utf-8", newline="\n")
        self._lock = threading.Lock()

    def start(self, job: Any, seed: Any) -> bool:
        """True when the job was there already. Raises RequestError."""
        with self._lock:
            try:
                self._stream.write(to_json({"job": job, "seed": seed}) + "\n")
                self._stream.flush()
                answer = json.loads(self._stream.readline())
            except (OSError, ValueError) as error:
                raise RequestError("runner-crashed", f"the process that starts jobs is gone: {error}") from error
        if "error" in answer:
            raise RequestError(answer["error"]["kind"], answer["error"]["message"])
        return answer["attached"]


def _serve(box: BoxPaths, connection: socket.socket) -> None:
    null = os.open(os.devnull, os.O_RDWR)
    for fd in (0, 1, 2):
        os.dup2(null, fd)
    # The terminal's Ctrl-C and a hang-up are for the agent; our sign is the closed socket.
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    starter = Starter(box)
    try:
        starter.choice("auto")  # Now, so that the first job need not wait for it.
    except BoxFailure:
        pass
    # Objects of before the fork need no look by a supervisor's garbage collector, which would copy their pages.
    gc.freeze()
    stream = connection.makefile("rw", encoding="utf-8", newline="\n")
    for line in stream:
        try:
            request = json.loads(line)
            answer: Dict[str, Any] = {"attached": starter.start(request["job"], request["seed"])}
        except (RequestError, BoxFailure) as error:
            answer = {"error": {"kind": error.kind, "message": error.message}}
        except Exception as error:
            answer = {"error": {"kind": "runner-crashed", "message": f"{type(error).__name__}: {error}"}}
        stream.write(to_json(answer) + "\n")
        stream.flush()

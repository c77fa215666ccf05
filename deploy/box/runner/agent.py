"""The agent: JSON lines in, JSON lines out, until standard input ends.

Each request runs in a thread of its own, so that a `follow` of an hour holds up nothing; replies carry the request's
id and a lock keeps their lines whole. Ending the agent ends no job.

An agent whose archive was removed ends at the next request instead of answering it.
"""
from __future__ import annotations

import base64
import hashlib
import json
import os
import platform
import sys
import threading
from typing import Any, Callable, Dict, Optional, Union

from local_launch import LocalLaunch
from protocol import PROTOCOL_VERSION, BoxFailure, check_job_key, check_stage_name, to_json
from sandbox_wish import parse_sandbox
from slurm_launch import SlurmLaunch
from wire_fields import RequestError

#: The archive that this runs from, or the folder.
ORIGIN = os.path.dirname(os.path.abspath(__file__))


def runner_version() -> str:
    if os.path.isfile(ORIGIN):
        with open(ORIGIN, "rb") as file:
            return hashlib.sha256(file.read()).hexdigest()
    return "folder"


class Agent:
    def __init__(self, launch: Union[LocalLaunch, SlurmLaunch]) -> None:
        self._launch = launch
        self._write_lock = threading.Lock()
        self._starting: Dict[str, threading.Event] = {}
        self._verbs: Dict[str, Callable[[int, Dict[str, Any]], Any]] = {
            "start": self._start,
            "follow": self._follow,
            "cancel": lambda _id, request: {"found": launch.cancel(_job_key(request))},
            "put": self._put,
            "status": lambda _id, request: {"state": launch.state(_job_key(request))},
            "probe": lambda _id, request: launch.probe(parse_sandbox("sandbox", request.get("sandbox", "auto"))),
            "health": lambda _id, _request: {"gpus": launch.health()},
            "trace": lambda _id, request: self._trace(request),
            "forget": lambda _id, request: {"removed": launch.forget(_job_key(request))},
            "sweep": lambda _id, request: {"removed": launch.sweep(_keep(request), _older_than_s(request))},
        }

    def run(self) -> None:
        hello = {
            "protocol": PROTOCOL_VERSION,
            "runner": runner_version(),
            "pid": os.getpid(),
            "python": platform.python_version(),
        }
        self._send({"hello": hello})
        for line in sys.stdin.buffer:
            if line.strip():
                self._accept(line)
        # Threads may still be following; they have nobody to talk to any more.
        sys.stdout.flush()
        os._exit(0)

    def _accept(self, line: bytes) -> None:
        if not os.path.exists(ORIGIN):
            # Jobs need parts of it. Whoever opens the next agent puts it there again and repeats the request.
            print(f"{ORIGIN} was removed: this agent ends", file=sys.stderr, flush=True)
            os._exit(1)
        try:
            request = json.loads(line)
        except ValueError as error:
            self._refuse(-1, "bad-request", f"no JSON: {error}")
            return
        if not isinstance(request, dict) or not isinstance(request.get("id"), int):
            self._refuse(-1, "bad-request", "an object with a whole number as id was expected")
            return
        before = None
        if request.get("op") == "start" and isinstance(request.get("job"), dict):
            started = threading.Event()
            self._starting[str(request["job"].get("job_key"))] = started
        else:
            # A `follow` sent right behind its `start`, without waiting for the answer, must find the job.
            started = None
            before = self._starting.get(str(request.get("job_key")))
        threading.Thread(target=self._handle, args=(request, before, started), daemon=True).start()

    def _handle(
        self, request: Dict[str, Any], before: Optional[threading.Event], started: Optional[threading.Event]
    ) -> None:
        request_id = request["id"]
        try:
            if before is not None:
                before.wait()
            verb = self._verbs.get(str(request.get("op")))
            if verb is None:
                raise RequestError("bad-request", f"op: {request.get('op')!r} is none of {', '.join(self._verbs)}")
            self._send({"id": request_id, "ok": True, "value": verb(request_id, request)})
        except (RequestError, BoxFailure) as error:
            self._refuse(request_id, error.kind, error.message)
        except Exception as error:
            self._refuse(request_id, "runner-crashed", f"{type(error).__name__}: {error}")
        finally:
            if started is not None:
                started.set()
                key = str(request["job"].get("job_key"))
                if self._starting.get(key) is started:
                    del self._starting[key]

    def _refuse(self, request_id: int, kind: str, message: str) -> None:
        self._send({"id": request_id, "ok": False, "error": {"kind": kind, "message": message}})

    def _send(self, message: Dict[str, Any]) -> None:
        data = (to_json(message) + "\n").encode()
        try:
            with self._write_lock:
                sys.stdout.buffer.write(data)
                sys.stdout.buffer.flush()
        except OSError:
            os._exit(0)  # Nobody reads us: the same as the end of standard input.

    def _start(self, _id: int, request: Dict[str, Any]) -> Any:
        return {"attached": self._launch.start(request.get("job"), request.get("seed"))}

    def _put(self, _id: int, request: Dict[str, Any]) -> Any:
        return {"bytes": self._launch.put(_job_key(request), request.get("offset"), request.get("data"))}

    def _follow(self, request_id: int, request: Dict[str, Any]) -> Any:
        start = _whole_number(request, "from")
        result = self._launch.follow(
            _job_key(request), start, lambda event: self._send({"id": request_id, "event": event})
        )
        return {"result": result}

    def _trace(self, request: Dict[str, Any]) -> Any:
        stage, start = check_stage_name(request.get("stage")), _whole_number(request, "from")
        piece = self._launch.read_trace(_job_key(request), stage, start)
        return {"piece": None if piece is None else base64.b64encode(piece).decode()}


def _whole_number(request: Dict[str, Any], name: str) -> int:
    value = request.get(name, 0)
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise RequestError("bad-request", f"{name}: a whole number was expected")
    return value


def _job_key(request: Dict[str, Any]) -> str:
    return check_job_key(request.get("job_key"))


def _older_than_s(request: Dict[str, Any]) -> float:
    seconds = request.get("older_than_s", 0)
    if not isinstance(seconds, (int, float)) or seconds < 0:
        raise RequestError("bad-request", "older_than_s: a number of seconds was expected")
    return seconds


def _keep(request: Dict[str, Any]) -> Any:
    keep = request.get("keep")
    if not isinstance(keep, list):
        raise RequestError("bad-request", "keep: a list of job keys was expected")
    return [check_job_key(key) for key in keep]

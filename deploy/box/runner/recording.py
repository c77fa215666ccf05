"""One run of an evaluation in profile mode: the command around it, and what it recorded.

profiled.py does the work inside the room. It packs whatever lies in the folder that HOTLAP_PROFILE_DIR names, which the
evaluation program may use as well as the profiler.
"""
from __future__ import annotations

import base64
import json
import os
import re
from typing import List, Optional, Tuple

from contained_process import Command
from profiler import Profiler
from protocol import StageReport, TraceReport
from result_pipe import plain_text
from sandbox import Room
from tools import folders_of_tool
from traces import Receiver

_TEXT_NAME = "details.txt"
_MOST_TEXT_BYTES = 256 * 1024
_REPORT = "benchmark.0.report"


class Recording:
    def __init__(self, receiver: Receiver, most_bytes: int, profiler: Optional[Profiler]) -> None:
        self.profiler = profiler
        #: What the room must show for the profiler to run.
        self.folders = folders_of_tool(profiler.path) if profiler is not None else []
        #: Set by `close`.
        self.trace: Optional[TraceReport] = None
        self._receiver = receiver
        self._most_bytes = most_bytes
        self._text = b""
        self._fds: List[int] = []

    def wrap(self, command: Command, room: Room, python: str) -> None:
        trace_fd, trace_write = os.pipe()
        text_fd, text_write = os.pipe()
        self._fds = [trace_fd, text_fd]
        folder = os.path.join(room.tmp, "profile")
        profiler = self.profiler
        order = {
            "run": command.argv if profiler is None else profiler.command(folder, command.argv),
            "folder": folder,
            "alone": bool(room.argv),
            "wanted": None if profiler is None else profiler.recording(folder),
            "export": None if profiler is None else profiler.export(folder),
            "text_name": _TEXT_NAME,
            "most_bytes": self._most_bytes,
            "most_text_bytes": _MOST_TEXT_BYTES,
        }
        command.env.update(
            {} if profiler is None else profiler.env,
            HOTLAP_PROFILE_DIR=folder,
            HOTLAP_TRACE_OUT=str(trace_write),
            HOTLAP_TEXT_OUT=str(text_write),
        )
        command.argv = [python, os.path.join(room.own, "profiled.py"), json.dumps(order)]
        command.pass_fds += [trace_write, text_write]
        command.readers.update({trace_fd: self._receiver.feed, text_fd: self._take_text})

    def _take_text(self, data: bytes) -> None:
        self._text = (self._text + data)[:_MOST_TEXT_BYTES]

    def close(self) -> None:
        while self._fds:
            os.close(self._fds.pop())
        self.trace = self._receiver.end()

    def add_report(self, lines: List[Tuple[str, str]]) -> List[Tuple[str, str]]:
        """The profiler's text takes the place of a report that the evaluation program did not write."""
        if not self._text or any(key == _REPORT for key, _ in lines):
            return lines
        text = base64.b64encode(plain_text(self._text).encode()).decode()
        at = next((i for i, (key, _) in enumerate(lines) if key == "check"), len(lines))
        return [*lines[:at], (_REPORT, text), *lines[at:]]

    def find_problem(self, report: StageReport) -> str:
        """Why there is no recording, in the profiler's own words where it has any."""
        name = self.profiler.name if self.profiler is not None else "the profiler"
        if report.timed_out:
            return f"{name} did not end within {report.timeout_s:g} s"
        said = re.search(r"^==(?:ERROR|WARNING)== (.+)$", f"{report.stdout}\n{report.stderr}", re.M)
        if said is not None:
            return f"{name}: {said.group(1).strip()[:300]}"
        return f"{name} recorded nothing"

"""The stages of a job that serves a model.

One server of the submission lives from the first stage to the last; the phases of a stage follow each other, each with a
time limit of its own:

    test         reference, where the strong gate is asked for: the pristine engine continues secret prompts, and goes
                 install    the archive onto a throw-away copy of the engine, in the server's room
                 server     started there, until its health path answers
                 gate       serving_gate.py
    benchmark    one phase for each shape
    leaderboard  one phase for each shape, with prompts of its own
                 audit, after the strong gate: the submission goes, the pristine engine comes again and reads its answers
    the last     cleanup    everything that is left is killed with its namespace

Only one engine is there at a time: a GPU that two share times neither. What the pristine engine cannot do is the box's
fault. What the submission cannot do is in the report, and ends the job with its stage.
"""
from __future__ import annotations

import time
from contextlib import contextmanager
from typing import Callable, Dict, Iterator, List, Optional, Sequence, Tuple

import serving_bench
import serving_gate as gate
from contained_process import EXIT_TIMEOUT, Command
from events import EventLog, utc_now
from job_site import JobSite
from job_uid import take_job_uid
from protocol import BoxFailure, StageReport, StageSpec
from serving_asking import Asking, OnDone, Record, completion
from serving_engine import ASK, Engine, Model, engine_at, find_model, list_pythons, no_engine, read_answer
from serving_load import Load
from serving_prompts import FIXED
from serving_reference import Reference, TimedAnswers
from serving_residents import Cancelled, Residents, TimedOut
from serving_server import PROGRAMS, Server, ServerFailed, tail_of
from serving_spec import EngineSpec, PhaseReport, ServingFailure, ServingReport

_EXIT_FAILED = 112
_EXIT_CRASHED = 1
_CLEANUP_S = 60.0
_ASK_S = 60.0
_GATE_TOKENS = 50
_DETAIL_CHARACTERS = 3000


class Failed(Exception):
    """The submission did not pass a phase."""

    def __init__(self, kind: str, summary: str, detail: str = "") -> None:
        super().__init__(summary)
        self.kind = kind
        self.summary = summary
        self.detail = detail


class ServingStages:
    """`seed` is the submission's secret one, if it has one; `root` is where the runner lives."""

    def __init__(
        self,
        site: JobSite,
        seed: Optional[int],
        events: EventLog,
        archive_fd: int,
        root: str,
        programs: Callable[[Sequence[str]], Dict[str, bytes]],
    ) -> None:
        assert site.job.serving is not None
        self._site = site
        self._spec = site.job.serving
        self._seed = seed
        self._events = events
        self._archive_fd: Optional[int] = archive_fd
        self._root = root
        self._programs = programs
        self._residents = Residents(site.wakeups, site.on_processes)
        self._limit_s = sum(stage.timeout_s for stage in site.job.stages)
        self._client_uid = take_job_uid()
        client = programs(("serving_client", "serving_answer"))
        self._asking = Asking(site, self._residents, self._client_uid, client, self._limit_s)
        self._server: Optional[Server] = None
        self._reference: Optional[Reference] = None
        self._load: Optional[Load] = None
        self._report = ServingReport()
        self._stage = ""

    def run(self, index: int, stage: StageSpec) -> StageReport:
        """Raises BoxFailure and OSError: what goes wrong with the submission is in the report."""
        report = StageReport(name=stage.name, mode=stage.mode, timeout_s=stage.timeout_s, started_at=utc_now())
        started = time.monotonic()
        self._stage = stage.name
        report.serving = self._report = ServingReport()
        try:
            if stage.mode == "test":
                self._test(report)
            else:
                self._measure(stage, report)
            report.exit_code = 0
            report.lines.append(("check", "pass"))
        except Failed as failed:
            self._fail(report, failed)
        except Cancelled:
            pass
        if self._server is not None:
            report.stdout, report.stderr = self._server.output().text(), self._server.errors().text()
            report.exceeded = self._server.read_exceeded()
        is_last = index == len(self._site.job.stages) - 1
        if (is_last or report.exit_code != 0) and not self._site.wakeups.cancelled:
            with self._phase("cleanup", "cleanup", _CLEANUP_S):
                self.close()
        report.finished_at = utc_now()
        report.duration_ms = (time.monotonic() - started) * 1000
        if not self._site.wakeups.cancelled:
            self._events.write("stage", stage=stage.name, state="finished", passed=report.exit_code == 0)
        return report

    def close(self) -> None:
        self._asking.move_out()
        self._stop_server()
        self._residents.move_all_out()

    def _fail(self, report: StageReport, failed: Failed) -> None:
        report.timed_out = failed.kind == "timeout"
        report.exit_code = {"timeout": EXIT_TIMEOUT, "crash": _EXIT_CRASHED}.get(failed.kind, _EXIT_FAILED)
        report.lines.append(("check", "fail"))
        phase = self._report.phases[-1].name
        self._report.failure = ServingFailure(phase, failed.kind, failed.summary, failed.detail[-_DETAIL_CHARACTERS:])

    @contextmanager
    def _phase(self, name: str, state: str, limit_s: float) -> Iterator[float]:
        """Gives the moment by which it has to be done."""
        self._events.write("stage", stage=self._stage, state=state)
        phase = PhaseReport(name, utc_now(), limit_s)
        self._report.phases.append(phase)
        started = time.monotonic()
        try:
            yield started + limit_s
        except TimedOut:
            phase.outcome = "timed-out"
            raise Failed("timeout", f"Stopped: {name} was not done within {limit_s:g} s.", self._tail()) from None
        except ServerFailed as failed:
            phase.outcome = "failed"
            raise Failed(failed.kind, failed.summary, self._tail()) from None
        except Failed:
            phase.outcome = "failed"
            raise
        except Cancelled:
            phase.outcome = "cancelled"
            raise
        finally:
            phase.duration_ms = (time.monotonic() - started) * 1000

    def _note(self, text: str) -> None:
        self._report.phases[-1].note = text

    def _note_progress(self, of: int) -> OnDone:
        return lambda done: self._events.write("progress", stage=self._stage, done=done, of=of)

    def _tail(self) -> str:
        return tail_of(self._server) if self._server is not None else ""

    def _take(self, report: StageReport, verdict: gate.Verdict) -> None:
        report.lines += verdict.lines
        if verdict.failure is not None:
            raise Failed("wrong", verdict.failure, self._tail())

    # --- test -------------------------------------------------------------------------------------------------------

    def _test(self, report: StageReport) -> None:
        spec = self._spec
        engine, model = self._look_around()
        assert self._reference is not None
        places: List[gate.Place] = []
        if "strong" in spec.gates:
            with self._phase("reference", "reference", spec.startup_timeout_s + spec.gate_timeout_s):
                places = self._reference.find_places()
        self._server = self._new_server("server")
        with self._phase("install", "installing", spec.install_timeout_s) as deadline:
            archive_fd, self._archive_fd = self._archive_fd, None
            limit_s = spec.install_timeout_s + self._limit_s
            self._server.move_in(engine, model, self._fills(), spec.arguments, archive_fd, limit_s)
            self._note(self._server.install(deadline))
        with self._phase("server", "starting", spec.startup_timeout_s) as deadline:
            self._server.start(deadline)
        with self._phase("gate", "gate", spec.gate_timeout_s) as deadline:
            if "compatible" in spec.gates:
                prompts = spec.prompts or FIXED
                records = self._ask([completion(spec.model, prompt, _GATE_TOKENS, 1) for prompt in prompts], deadline)
                self._take(report, gate.compatible(records, spec.baseline, spec.tolerance))
            if places:
                records = self._ask([completion(spec.model, place.text, 1) for place in places], deadline)
                self._take(report, gate.forced(places, records, spec.tolerance))

    def _ask(self, bodies: List[Dict[str, object]], deadline: float) -> List[Record]:
        assert self._server is not None
        path = self._spec.engine.completions
        return self._asking.ask_each(self._server, path, bodies, deadline, self._note_progress(len(bodies)))

    def _look_around(self) -> Tuple[Engine, Model]:
        """What of the box is needed, and who works with it. Raises BoxFailure."""
        site, spec = self._site, self._spec
        model = find_model(spec.model, self._root)
        engine = self._find_engine(spec.engine)
        judge = engine if spec.reference is None else self._find_engine(spec.reference)
        bench = self._programs(serving_bench.PROGRAMS)
        engine_client = serving_bench.EngineClient(site, spec, self._residents, self._client_uid, bench, model)
        self._load = Load(spec, self._seed, engine, self._asking, engine_client)
        self._reference = Reference(
            spec=spec,
            engine=judge,
            model=model,
            arguments=spec.arguments if judge is engine else [],
            fills=self._fills(),
            seed=self._seed,
            asking=self._asking,
            new_server=self._new_server,
            end_server=self._end,
            note_progress=self._note_progress,
        )
        return engine, model

    def _find_engine(self, spec: EngineSpec) -> Engine:
        site = self._site
        pythons = list_pythons(spec, site.policy.python)
        if spec.package is None:
            return engine_at(spec, pythons[0], None)
        tried: List[str] = []
        for python in pythons:
            room = site.make_room("look", {}, folders=engine_at(spec, python, None).folders)
            try:
                argv = [python, "-I", "-c", ASK, spec.package]
                command = Command(argv, site.environment(room), _ASK_S, on_processes=site.on_processes)
                ended = site.run(room, command)
            finally:
                room.leave()
            answer = read_answer(ended.stdout)
            if answer is not None:
                return engine_at(spec, python, answer)
            tried.append(python if ended.exit_code == 0 else f"{python} (which a job's user cannot run)")
        raise no_engine(spec, tried)

    def _new_server(self, name: str) -> Server:
        return Server(self._site, self._residents, name, self._programs(PROGRAMS))

    def _fills(self) -> Dict[str, str]:
        return {"model_name": self._spec.model, "tensor_parallel": str(self._spec.tensor_parallel)}

    def _end(self, server: Server) -> None:
        if self._site.policy.kind == "none":
            # Without a namespace all of it can only be told from us by being all that is left.
            self._asking.move_out()
        server.move_out()

    def _stop_server(self) -> Tuple[str, str]:
        """What it said."""
        server, self._server = self._server, None
        if server is None:
            return "", ""
        self._end(server)
        return server.output().text(), server.errors().text()

    # --- benchmark and leaderboard ----------------------------------------------------------------------------------

    def _measure(self, stage: StageSpec, report: StageReport) -> None:
        spec = self._spec
        assert self._server is not None and self._load is not None and self._reference is not None
        timed: List[TimedAnswers] = []
        for number, shape in enumerate(spec.shapes):
            with self._phase(f"shape {number}", "running", spec.benchmark_timeout_s) as deadline:
                on_done = self._note_progress(shape.num_prompts)
                found = self._load.measure(self._server, f"{stage.name}/{number}", shape, deadline, on_done)
                self._note(found.client)
            timed.append(found.answers)
            named = [(name, _figure(value)) for name, value in found.figures.items()]
            report.lines += [(f"shape_{number}_{name}", value) for name, value in named]
            if number == 0:
                report.lines += named
        if stage.mode == "leaderboard" and "strong" in spec.gates and spec.audited > 0:
            with self._phase("cleanup", "cleanup", _CLEANUP_S):
                report.stdout, report.stderr = self._stop_server()
            with self._phase("audit", "auditing", spec.startup_timeout_s + spec.gate_timeout_s):
                for verdict in self._reference.read_answers(timed):
                    self._take(report, verdict)


def _figure(value: float) -> str:
    return str(value) if isinstance(value, int) else repr(round(value, 6))

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
from typing import Any, Callable, Dict, Iterator, List, Optional, Sequence, Tuple

import serving_gate as gate
import serving_metrics as metrics
from contained_process import EXIT_TIMEOUT, Command
from events import EventLog, utc_now
from job_site import JobSite
from job_uid import take_job_uid
from protocol import BoxFailure, StageReport, StageSpec
from serving_asking import Asking
from serving_engine import ASK, Engine, Model, engine_at, find_model, list_pythons, no_engine, read_answer
from serving_prompts import FIXED, SecretStream, gate_prompt, words
from serving_residents import Cancelled, Residents, TimedOut
from serving_server import Server, ServerFailed, tail_of
from serving_spec import EngineSpec, PhaseReport, ServingFailure, ServingReport, Shape

_EXIT_FAILED = 112
_EXIT_CRASHED = 1
_CLEANUP_S = 60.0
_ASK_S = 60.0
_GATE_TOKENS = 50
_SECRET_PROMPTS = 12
_CHOICES_EACH = 8
#: What an engine names beside the token that it took; five is what all can do.
_LIKELIEST = 5
_GATE_CONCURRENCY = 8
#: Of one answer without a stream: fifty tokens with all that is told of them.
_ANSWER_BYTES = 512 * 1024
_READ_BYTES = 16 * 1024 * 1024
_CHARACTERS_A_TOKEN = 100
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
        limit_s = sum(stage.timeout_s for stage in site.job.stages)
        self._client = Asking(site, self._residents, take_job_uid(), programs(("serving_client", "serving_answer")), limit_s)
        self._server: Optional[Server] = None
        self._engine: Optional[Engine] = None
        self._judge: Optional[Engine] = None
        self._model: Optional[Model] = None
        self._report = ServingReport()
        self._stage = ""
        #: What the audit draws from: shape, prompts, records of the timed run.
        self._timed: List[Tuple[Shape, List[str], List[Dict[str, Any]]]] = []

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
        self._client.move_out()
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
            detail = tail_of(self._server) if self._server is not None else ""
            raise Failed("timeout", f"Stopped: {name} was not done within {limit_s:g} s.", detail) from None
        except ServerFailed as failed:
            phase.outcome = "failed"
            detail = tail_of(self._server) if self._server is not None else ""
            raise Failed(failed.kind, failed.summary, detail) from None
        except Failed:
            phase.outcome = "failed"
            raise
        except Cancelled:
            phase.outcome = "cancelled"
            raise
        finally:
            phase.duration_ms = (time.monotonic() - started) * 1000

    # --- test -------------------------------------------------------------------------------------------------------

    def _test(self, report: StageReport) -> None:
        spec = self._spec
        self._look_around()
        places: List[gate.Place] = []
        if "strong" in spec.gates:
            with self._phase("reference", "reference", spec.startup_timeout_s + spec.gate_timeout_s):
                places = self._ask_reference()
        self._server = self._new_server("server")
        with self._phase("install", "installing", spec.install_timeout_s) as deadline:
            archive_fd, self._archive_fd = self._archive_fd, None
            assert self._engine is not None and self._model is not None
            limit_s = spec.install_timeout_s + spec.startup_timeout_s + sum(stage.timeout_s for stage in self._site.job.stages)
            self._server.move_in(self._engine, self._model, self._fills(), spec.arguments, archive_fd, limit_s)
            self._report.phases[-1].note = self._server.install(deadline)
        with self._phase("server", "starting", spec.startup_timeout_s) as deadline:
            self._server.start(deadline)
        with self._phase("gate", "gate", spec.gate_timeout_s) as deadline:
            if "compatible" in spec.gates:
                self._take(report, self._compatible(deadline))
            if places:
                records = self._ask(self._server, self._engine.spec, self._bodies([place.text for place in places], 1, 0), deadline)
                self._take(report, gate.forced(places, records, spec.tolerance))

    def _compatible(self, deadline: float) -> gate.Verdict:
        assert self._server is not None and self._engine is not None
        bodies = self._bodies(list(self._spec.prompts or FIXED), _GATE_TOKENS, 1)
        records = self._ask(self._server, self._engine.spec, bodies, deadline)
        return gate.compatible(records, self._spec.baseline, self._spec.tolerance)

    def _take(self, report: StageReport, verdict: gate.Verdict) -> None:
        report.lines += verdict.lines
        if verdict.failure is not None:
            raise Failed("wrong", verdict.failure, tail_of(self._server) if self._server is not None else "")

    def _look_around(self) -> None:
        """Raises BoxFailure."""
        if self._site.policy.is_container:
            raise BoxFailure("sandbox-failed", "models are served in bubblewrap's rooms only, and this box has containers")
        self._model = find_model(self._spec.model, self._root)
        self._engine = self._find_engine(self._spec.engine)
        self._judge = self._engine if self._spec.reference is None else self._find_engine(self._spec.reference)

    def _find_engine(self, spec: EngineSpec) -> Engine:
        site = self._site
        pythons = list_pythons(spec, site.policy.python)
        if spec.package is None:
            return engine_at(spec, pythons[0], None)
        for python in pythons:
            room = site.make_room("look", {}, folders=engine_at(spec, python, None).folders)
            try:
                argv = [python, "-I", "-c", ASK, spec.package]
                # Other environments than the job's own are looked into as they are.
                command = Command(argv, site.environment(room), _ASK_S, on_processes=site.on_processes)
                answer = read_answer(site.run(room, command).stdout)
            finally:
                room.leave()
            if answer is not None:
                return engine_at(spec, python, answer)
        raise no_engine(spec, pythons)

    # --- the pristine engine ----------------------------------------------------------------------------------------

    def _ask_reference(self) -> List[gate.Place]:
        stream = SecretStream(self._seed, "gate")
        prompts = [gate_prompt(stream) for _ in range(_SECRET_PROMPTS)]

        def ask(server: Server, engine: Engine, deadline: float) -> List[gate.Place]:
            records = self._ask(server, engine.spec, self._bodies(prompts, _GATE_TOKENS, _LIKELIEST), deadline, 1.0)
            return gate.find_places(prompts, [record["body"] for record in records], _CHOICES_EACH, stream)

        return self._with_reference("reference", ask)

    def _with_reference(self, name: str, use: Callable[[Server, Engine, float], Any]) -> Any:
        """Starts the pristine engine in a room of its own, for as long as `use` takes. Raises BoxFailure, Cancelled."""
        assert self._judge is not None and self._model is not None
        spec = self._spec
        server = self._new_server(name)
        started = time.monotonic()
        limit_s = spec.startup_timeout_s + spec.gate_timeout_s
        try:
            arguments = spec.arguments if self._judge is self._engine else []
            server.move_in(self._judge, self._model, self._fills(), arguments, None, limit_s)
            server.start(started + spec.startup_timeout_s)
            return use(server, self._judge, started + limit_s)
        except ServerFailed as failed:
            raise BoxFailure("runner-crashed", f"the pristine engine: {failed.summary} {tail_of(server)[-1000:]}") from None
        except gate.Unusable as error:
            raise BoxFailure("tool-missing", f"the pristine engine cannot judge: {error}") from None
        except TimedOut:
            raise BoxFailure("runner-crashed", f"the pristine engine took too long. {tail_of(server)[-1000:]}") from None
        finally:
            self._end(server)

    def _end(self, server: Server) -> None:
        if self._site.policy.kind == "none":
            # Without a namespace all of it can only be told from us by being all that is left.
            self._client.move_out()
        server.move_out()

    def _new_server(self, name: str) -> Server:
        return Server(self._site, self._residents, name, self._programs(("serving_launcher", "serving_install", "serving_unpack")))

    def _fills(self) -> Dict[str, str]:
        return {"model_name": self._spec.model, "tensor_parallel": str(self._spec.tensor_parallel)}

    # --- asking -----------------------------------------------------------------------------------------------------

    def _bodies(self, prompts: List[str], tokens: int, likeliest: int) -> List[Dict[str, Any]]:
        body: Dict[str, Any] = {"model": self._spec.model, "max_tokens": tokens, "temperature": 0}
        if likeliest > 0:
            body["logprobs"] = likeliest
        return [{**body, "prompt": prompt} for prompt in prompts]

    def _ask(
        self,
        server: Server,
        engine: EngineSpec,
        bodies: List[Dict[str, Any]],
        deadline: float,
        must: float = 0.0,
        path: Optional[str] = None,
        most_bytes: int = _ANSWER_BYTES,
    ) -> List[Dict[str, Any]]:
        """Records of answers without a stream. `must`: the share of them without which nothing can be judged."""
        plan = self._plan(server, path or engine.completions, bodies)
        plan.update(concurrency=_GATE_CONCURRENCY, stream=False, most_bytes=most_bytes)
        records = self._client.ask(server, plan, deadline, self._note_progress(len(bodies)))["records"]
        failed = [record["error"] for record in records if record["error"] is not None]
        if len(failed) > (1 - must) * len(records):
            raise gate.Unusable(f"{len(failed)} of {len(records)} requests failed: {failed[0]}")
        return records

    def _plan(self, server: Server, path: str, bodies: List[Dict[str, Any]]) -> Dict[str, Any]:
        return {
            "rehearsal": None,
            "path": path,
            "host": f"127.0.0.1:{server.port}",
            "concurrency": None,
            "arrivals_s": None,
            "stream": True,
            "most_characters": 0,
            "most_bytes": 0,
            "requests": bodies,
        }

    def _note_progress(self, of: int) -> Callable[[int], None]:
        return lambda done: self._events.write("progress", stage=self._stage, done=done, of=of)

    # --- benchmark and leaderboard ----------------------------------------------------------------------------------

    def _measure(self, stage: StageSpec, report: StageReport) -> None:
        self._timed = []
        for number, shape in enumerate(self._spec.shapes):
            with self._phase(f"shape {number}", "running", self._spec.benchmark_timeout_s) as deadline:
                found = self._measure_shape(stage, number, shape, deadline)
            named = [(name, _figure(value)) for name, value in found.items()]
            report.lines += [(f"shape_{number}_{name}", value) for name, value in named]
            if number == 0:
                report.lines += named
        if stage.mode == "leaderboard" and "strong" in self._spec.gates and self._spec.audited > 0:
            self._audit(report)

    def _measure_shape(self, stage: StageSpec, number: int, shape: Shape, deadline: float) -> Dict[str, float]:
        spec, server, engine = self._spec, self._server, self._engine
        assert server is not None and engine is not None
        stream = SecretStream(self._seed, f"{stage.name}/{number}")
        prompts = [words(stream, shape.input_len) for _ in range(shape.num_prompts)]
        body = {
            "model": spec.model, "max_tokens": shape.output_len, "temperature": 0, "stream": True,
            "stream_options": {"include_usage": True}, **engine.spec.request,
        }  # fmt: skip
        plan = self._plan(server, engine.spec.completions, [{**body, "prompt": prompt} for prompt in prompts])
        plan["rehearsal"] = {**body, "prompt": words(stream, shape.input_len)}
        plan.update(concurrency=spec.concurrency, most_characters=_CHARACTERS_A_TOKEN * shape.output_len + 4096)
        if spec.request_rate is not None:
            plan["arrivals_s"] = _arrivals(stream, shape.num_prompts, spec.request_rate)
        seen = self._client.ask(server, plan, deadline, self._note_progress(shape.num_prompts))
        records = seen["records"]
        fault = metrics.find_fault(records, shape.output_len)
        if fault is not None:
            raise Failed("wrong", fault, tail_of(server))
        self._timed.append((shape, prompts, records))
        return metrics.measure(records, seen["duration_s"], shape.input_len, spec.goodput_ms)

    def _audit(self, report: StageReport) -> None:
        with self._phase("cleanup", "cleanup", _CLEANUP_S):
            report.stdout, report.stderr = self._stop_server()
        with self._phase("audit", "auditing", self._spec.startup_timeout_s + self._spec.gate_timeout_s):
            for verdict in self._with_reference("audit", self._read_answers):
                self._take(report, verdict)

    def _stop_server(self) -> Tuple[str, str]:
        server, self._server = self._server, None
        if server is None:
            return "", ""
        self._end(server)
        return server.output().text(), server.errors().text()

    def _read_answers(self, server: Server, engine: Engine, deadline: float) -> List[gate.Verdict]:
        stream = SecretStream(self._seed, "audit")
        verdicts: List[gate.Verdict] = []
        pairs = [(prompt, record["text"]) for _, prompts, records in self._timed for prompt, record in zip(prompts, records)]
        drawn = [pairs[index] for index in stream.sample(self._spec.audited, len(pairs))]
        bodies = [{**body, "echo": True} for body in self._bodies([prompt + text for prompt, text in drawn], 1, _LIKELIEST)]
        read = self._ask(server, engine.spec, bodies, deadline, 1.0, most_bytes=_READ_BYTES)
        found = [gate.regrets(text, record["body"]) for (_, text), record in zip(drawn, read)]
        if engine.spec.tokenize is not None:
            for shape, _, records in self._timed:
                texts = [record["text"] for record in records]
                counted = self._count_tokens(server, engine.spec, engine.spec.tokenize, texts, deadline)
                verdicts.append(gate.counts(counted, shape.output_len))
        verdicts.append(gate.audit(found, self._spec.tolerance))
        return verdicts

    def _count_tokens(self, server: Server, engine: EngineSpec, path: str, texts: List[str], deadline: float) -> List[int]:
        bodies = [{"model": self._spec.model, "prompt": text, "add_special_tokens": False} for text in texts]
        records = self._ask(server, engine, bodies, deadline, 1.0, path, _READ_BYTES)
        counted = [record["body"].get("count") if isinstance(record["body"], dict) else None for record in records]
        if not all(isinstance(count, int) for count in counted):
            raise gate.Unusable(f"{path} does not answer with a `count`")
        return counted


def _arrivals(stream: SecretStream, count: int, rate: float) -> List[float]:
    found, now = [], 0.0
    for _ in range(count):
        found.append(now)
        now += stream.seconds_until_next(rate)
    return found


def _figure(value: float) -> str:
    return str(value) if isinstance(value, int) else repr(round(value, 6))

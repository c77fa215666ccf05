"""The judging half of an evaluation. It owns the result pipe, the seed, the inputs and the verdict.

How it works. Two processes take part:

    judge  (this file, in the process the runner started)        worker  (worker.py, spawned; runs the submission)
      reads the case file, makes an input  ------- load ------->   receives or rebuilds the input, clears caches
                                           <------ ready ------
      notes the time                       ------- go --------->   calls custom_kernel(data) and times it
      notes the time                       <------ done, ns ---
                                           ------- output ----->
      checks the output                    <------ plain data -

What the worker sends is read by an unpickler that knows no class at all, so nothing in it can run here. The worker
holds neither the expected result nor the result pipe nor the secret seed. Every timed call gets an input that never
existed before, and every output is checked here: a remembered result is a wrong result.

How it ends. `check: pass` and exit code 0, or `check: fail` and one of two codes: 112 where an output was wrong, 1
where the submission raised, exited, died or could not be loaded. Then the last thing on stderr is the traceback of the
first such fault, and its last line the exception or, as `ChildProcessError`, how the process ended. That is what a
harness looks like which lets the exception through, so that one reader understands both.

Standard library only. Python 3.9 or newer.
"""

from __future__ import annotations

import base64
import io
import math
import multiprocessing
import os
import pickle
import random
import re
import signal
import sys
import time
import traceback
from dataclasses import dataclass

EXIT_OK = 0
EXIT_CRASHED = 1  # also Python's own, for a fault in the problem's files; then there is no `check`
EXIT_USAGE = 2
EXIT_NO_PIPE = 111
EXIT_INVALID = 112
EXIT_BAD_CASES = 113

MODES = ("test", "benchmark", "leaderboard", "profile")
MIN_RUNS = 3
# The spread of a handful of samples can be tiny by luck, so that it alone ends nothing before this.
MIN_RUNS_FOR_PRECISION = 10
MESSAGE_CHARS = 1000
REPORT_CHARS = 60_000
TRACE_CHARS = 10_000
REPLY_BYTES = 1 << 30

clock_ns = time.perf_counter_ns
fresh_seed = random.SystemRandom().randrange


class BadCases(Exception):
    """The case file or the problem is at fault, never the submission."""


class Rejected(Exception):
    """The submission is at fault; the text is for the participant."""

    def during(self, where: str) -> Rejected:
        return Rejected(f"{self} ({where})")


class Crashed(Rejected):
    """It raised, exited, died or could not be loaded. `trace` is for stderr."""

    def __init__(self, text: str, trace: str):
        super().__init__(text)
        self.trace = trace

    def during(self, where: str) -> Rejected:
        return Crashed(f"{self} ({where})", self.trace)


@dataclass(frozen=True)
class Case:
    spec: str  # the public text, seed included
    args: dict  # what generate_input gets, the seed already combined with the secret


@dataclass(frozen=True)
class Limits:
    """When the repeats of one benchmark case end: whichever comes first, but not before MIN_RUNS, and for the
    relative error alone not before MIN_RUNS_FOR_PRECISION."""

    runs: int
    measured_s: float  # sum of the measured times
    wall_s: float  # everything: inputs, transfer and checks too
    relative_error: float  # standard error of the mean, divided by the mean


def combine(seed: int, secret: int) -> int:
    """Mixes a public seed with the secret one; distinct pairs give distinct results."""
    total = seed + secret
    return seed + total * (total + 1) // 2


PAIR = re.compile(r"\s*([A-Za-z_][A-Za-z0-9_]*)\s*:\s*(-?[0-9]{1,18}|[A-Za-z_][A-Za-z0-9_.-]*)\s*")


def read_cases(text: str, secret: int | None) -> list[Case]:
    """One case a line: `key: value; key: value`. Values are integers, words, True or False; `seed` is required."""
    cases = []
    for number, line in enumerate(text.splitlines(), start=1):
        args = {}
        for part in line.split(";"):
            match = PAIR.fullmatch(part)
            if match is None:
                raise BadCases(f"line {number}: cannot read {part.strip()!r} in {line!r}")
            key, word = match.groups()
            if key in args:
                raise BadCases(f"line {number}: {key} occurs twice")
            if word in ("True", "False"):
                args[key] = word == "True"
            else:
                args[key] = word if word[0].isalpha() or word[0] == "_" else int(word)
        if type(args.get("seed")) is not int or args["seed"] < 0:
            raise BadCases(f"line {number}: every case needs a seed, an integer of 0 or more")
        if secret is not None:
            args["seed"] = combine(args["seed"], secret)
        cases.append(Case(line.strip(), args))
    if not cases:
        raise BadCases("no case in the file")
    return cases


def one_line(text: str) -> str:
    """A result line ends at the first newline, so that a message must not hold one: it would forge keys."""
    text = "\\n".join(text.strip().splitlines())
    text = "".join(char if char.isprintable() else "?" for char in text)
    return text if len(text) <= MESSAGE_CHARS else text[:MESSAGE_CHARS] + " [cut]"


class Results:
    """Writes `key: value` lines to the result pipe, whole lines at once."""

    def __init__(self, fd: int):
        os.set_inheritable(fd, False)
        self.fd = fd

    def put(self, key: str, value: object) -> None:
        rest = f"{key}: {value}\n".encode()
        while rest:
            rest = rest[os.write(self.fd, rest) :]


def summary(samples: list[float]) -> dict[str, float]:
    """Times in, times out, all in nanoseconds. `std` divides by n - 1, `err` is the standard error of the mean."""
    runs = len(samples)
    mean = math.fsum(samples) / runs
    std = math.sqrt(math.fsum((x - mean) ** 2 for x in samples) / (runs - 1)) if runs > 1 else 0.0
    return {
        "runs": runs,
        "mean": mean,
        "std": std,
        "err": std / math.sqrt(runs),
        "best": min(samples),
        "worst": max(samples),
    }


class PlainUnpickler(pickle.Unpickler):
    def find_class(self, module, name):
        raise pickle.UnpicklingError(f"{module}.{name} is not plain data")


class Worker:
    """The spawned process and the line to it. Any fault on that line raises Rejected."""

    def __init__(self, target):
        context = multiprocessing.get_context("spawn")
        self.line, theirs = context.Pipe()
        self.process = context.Process(target=target, args=(theirs,))
        self.process.start()
        theirs.close()
        # Linux numbers the CPU clock of another process by its pid; absent elsewhere.
        self.cpu_clock = (~self.process.pid << 3) | 2

    def cpu_ns(self) -> int | None:
        try:
            return time.clock_gettime_ns(self.cpu_clock)
        except (AttributeError, OSError):
            return None

    def receive_bytes(self) -> bytes:
        try:
            return self.line.recv_bytes(REPLY_BYTES)
        except (EOFError, OSError):
            raise self.end_of_line() from None

    def ask(self, **message) -> dict:
        try:
            self.line.send(message)
        except OSError:
            raise self.end_of_line() from None
        try:
            reply = PlainUnpickler(io.BytesIO(self.receive_bytes())).load()
        except Rejected:
            raise
        except Exception:
            raise Rejected("the output holds something other than plain data") from None
        if type(reply) is not dict:
            raise Rejected("the process that runs the submission broke its protocol")
        if "crash" in reply:
            raise Crashed(str(reply["crash"]), str(reply.get("trace", ""))[-TRACE_CHARS:])
        if "error" in reply:
            raise Rejected(str(reply["error"]))
        return reply

    def end_of_line(self) -> Rejected:
        self.process.join(2)
        code = self.process.exitcode
        if code is None:
            return Rejected("the process that runs the submission closed its line or sent too much")
        if code >= 0:
            text = f"the process that runs the submission ended by itself with exit status {code}"
        else:
            try:
                name = signal.Signals(-code).name
            except ValueError:
                name = "unknown"
            text = f"the process that runs the submission was ended by signal {-code} ({name})"
        return Crashed(text, f"ChildProcessError: {text}")

    def stop(self) -> None:
        self.process.kill()
        self.process.join()
        self.line.close()


class Judge:
    def __init__(self, results: Results, make_problem, target):
        self.results = results
        self.crash: Crashed | None = None  # the first one
        # The worker first: its imports overlap with ours.
        self.worker = Worker(target)
        try:
            self.problem = make_problem()
        except BaseException:
            self.worker.stop()
            raise

    def call(self, args: dict) -> tuple[float, float]:
        """One checked call on the input of `args`. Returns (measured ns, ns that only the judge saw pass)."""
        try:
            data, message = self.problem.prepare(args)
        except Exception as error:
            traceback.print_exc()
            raise BadCases(f"generate_input failed: {type(error).__name__}: {error}") from error
        self.worker.ask(op="load", **message)
        cpu_before, wall_before = self.worker.cpu_ns(), clock_ns()
        done = self.worker.ask(op="go")
        wall, cpu_after = clock_ns() - wall_before, self.worker.cpu_ns()
        ns = done.get("ns")
        if type(ns) not in (int, float) or not math.isfinite(ns) or ns <= 0:
            raise Rejected("the measured time is not a positive number")
        # A waiting process passes wall time without CPU time, a threaded one CPU time without wall time. Work that
        # the measured interval hides passes both, so the smaller of the two gaps is no false alarm on a busy machine.
        unseen = wall - ns
        if cpu_before is not None and cpu_after is not None:
            unseen = min(unseen, cpu_after - cpu_before - ns)
        output = self.problem.fetch(self.worker)
        try:
            verdict = self.problem.check(data, output)
        except Exception as error:
            traceback.print_exc()
            raise Rejected(f"the output could not be checked: {type(error).__name__}: {error}") from error
        good, message = verdict if isinstance(verdict, tuple) else (not verdict, verdict)
        if not good:
            raise Rejected(message or "the output is wrong")
        return ns, max(0.0, unseen)

    def measure(self, case: Case, limits: Limits) -> dict[str, float]:
        """Repeats one case on ever new inputs until `limits` says stop."""
        self.call(case.args)
        samples, unseen, started = [], [], clock_ns()
        while True:
            seed = fresh_seed(1 << 31)
            try:
                ns, gap = self.call({**case.args, "seed": seed})
            except Rejected as fault:
                raise fault.during(f"repeat {len(samples) + 1}, seed {seed}") from None
            samples.append(ns)
            unseen.append(gap)
            if len(samples) < MIN_RUNS:
                continue
            result = summary(samples)
            measured_s, wall_s = math.fsum(samples) / 1e9, (clock_ns() - started) / 1e9
            if (
                len(samples) >= limits.runs
                or measured_s >= limits.measured_s
                or wall_s >= limits.wall_s
                or (len(samples) >= MIN_RUNS_FOR_PRECISION and result["err"] < limits.relative_error * result["mean"])
            ):
                break
        allowed = 0.25 * sum(samples) + len(samples) * self.problem.unseen_ns_per_run
        if sum(unseen) > allowed:
            raise Rejected(
                f"the calls took {sum(samples) / 1e6:.3f} ms by the clock beside the submission, but "
                f"{sum(unseen) / 1e6:.3f} ms more by the judge's: the timing cannot be trusted"
            )
        return result

    def put_fault(self, case: str, fault: Rejected) -> None:
        self.results.put(f"{case}.status", "fail")
        self.results.put(f"{case}.error", one_line(str(fault)))
        if self.crash is None and isinstance(fault, Crashed):
            self.crash = fault

    def run_tests(self, cases: list[Case]) -> bool:
        put = self.results.put
        put("test-count", len(cases))
        passed = True
        for i, case in enumerate(cases):
            put(f"test.{i}.spec", case.spec)
            try:
                self.call(case.args)
            except Rejected as fault:
                passed = False
                self.put_fault(f"test.{i}", fault)
                if not self.worker.process.is_alive():
                    break
            else:
                put(f"test.{i}.status", "pass")
        return passed

    def run_benchmarks(self, cases: list[Case], limits: Limits) -> bool:
        """Ends at the first case that fails: there is no score then, and what follows would cost the box its time."""
        put = self.results.put
        put("benchmark-count", len(cases))
        for i, case in enumerate(cases):
            put(f"benchmark.{i}.spec", case.spec)
            try:
                # The first call of a fresh process pays for imports and page faults that later cases do not.
                if i == 0:
                    self.call(case.args)
                result = self.measure(case, limits)
            except Rejected as fault:
                self.put_fault(f"benchmark.{i}", fault)
                return False
            for key, value in result.items():
                put(f"benchmark.{i}.{key}", value)
        return True

    def run_profiles(self, cases: list[Case]) -> bool:
        put = self.results.put
        put("benchmark-count", len(cases))
        for i, case in enumerate(cases):
            put(f"benchmark.{i}.spec", case.spec)
            try:
                self.call(case.args)
                _, message = self.problem.prepare(case.args)
                self.worker.ask(op="load", **message)
                report = str(self.worker.ask(op="profile").get("report", ""))[:REPORT_CHARS]
            except Rejected as fault:
                self.put_fault(f"benchmark.{i}", fault)
                return False
            if report:
                text = base64.b64encode(report.encode(errors="replace"), altchars=b"+*").decode()
                put(f"benchmark.{i}.report", text)
        return True


def main(argv: list[str], make_problem, target, limits: dict[str, Limits]) -> int:
    """Runs `eval.py <mode> <case file>`. `make_problem` is called once, here and not in the worker; `target` is the
    worker's entry point; `limits` has an entry for benchmark and one for leaderboard. Returns the exit code."""
    # Popped before anything is spawned: the worker's environment must hold neither.
    fd, secret_text = os.environ.pop("POPCORN_FD", ""), os.environ.pop("POPCORN_SEED", "")
    if not fd.isdigit():
        print("POPCORN_FD must name the file descriptor for results", file=sys.stderr)
        return EXIT_NO_PIPE
    if len(argv) != 3 or argv[1] not in MODES:
        print(f"usage: eval.py {'|'.join(MODES)} <case file>", file=sys.stderr)
        return EXIT_USAGE
    mode = argv[1]
    results = Results(int(fd))
    judge = None
    try:
        if secret_text and not secret_text.isdigit():
            raise BadCases("POPCORN_SEED must be an integer of 0 or more")
        try:
            with open(argv[2], encoding="utf-8") as file:
                text = file.read()
        except (OSError, UnicodeDecodeError) as error:
            raise BadCases(str(error)) from error
        cases = read_cases(text, int(secret_text) if secret_text else None)
        judge = Judge(results, make_problem, target)
        if mode == "test":
            passed = judge.run_tests(cases)
        elif mode == "profile":
            passed = judge.run_profiles(cases)
        else:
            passed = judge.run_benchmarks(cases, limits[mode])
    except BadCases as fault:
        print(f"bad cases: {one_line(str(fault))}", file=sys.stderr)
        return EXIT_BAD_CASES
    finally:
        if judge is not None:
            judge.worker.stop()
    results.put("check", "pass" if passed else "fail")
    if judge.crash is None:
        return EXIT_OK if passed else EXIT_INVALID
    # Only now: whatever the submission itself wrote to stderr stands before it.
    print(judge.crash.trace.rstrip(), file=sys.stderr)
    return EXIT_CRASHED

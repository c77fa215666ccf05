"""Evaluates a submission that turns plain Python data into plain Python data. See judge.py for how it works.

    python3 eval.py test|benchmark|leaderboard|profile <case file>      (results go to the pipe POPCORN_FD)
"""

from __future__ import annotations

import gc
import os
import sys
import time

import judge
import worker

# A case ends at whichever comes first. Small on purpose: a ranked run of this set is a matter of seconds.
LIMITS = {
    "benchmark": judge.Limits(runs=50, measured_s=0.2, wall_s=0.4, relative_error=0.005),
    "leaderboard": judge.Limits(runs=100, measured_s=0.4, wall_s=0.8, relative_error=0.005),
}

SCALARS = frozenset({int, float, bool, str, bytes, type(None)})
SEQUENCES = frozenset({list, tuple, set, frozenset})


def is_plain(value) -> bool:
    """Exact built-in types only: an object of another class could do its work while it is being sent."""
    kind = type(value)
    if kind in SCALARS:
        return True
    if kind is dict:
        return is_plain(list(value)) and is_plain(list(value.values()))
    return kind in SEQUENCES and (SCALARS.issuperset(map(type, value)) or all(map(is_plain, value)))


class Bench:
    def __init__(self):
        self.clock_ns = time.perf_counter_ns
        self.kernel = worker.load_submission()
        self.data = self.result = None

    def load(self, data):
        self.data, self.result = data, None
        gc.collect()
        return {}

    def go(self):
        kernel, data, clock_ns = self.kernel, self.data, self.clock_ns
        gc.disable()
        try:
            start = clock_ns()
            result = kernel(data)
            ns = clock_ns() - start
        finally:
            gc.enable()
        self.result = result
        return {"ns": ns}

    def output(self):
        result, self.result = self.result, None
        if not is_plain(result):
            return {
                "error": "return plain Python data (numbers, text, bytes, lists, tuples, sets, dicts), "
                f"not {type(result).__name__}, nor anything else inside"
            }
        return {"output": result}

    def profile(self):
        import cProfile
        import io
        import pstats

        profiler = cProfile.Profile()
        profiler.runcall(self.kernel, self.data)
        if os.path.isdir(os.environ.get("HOTLAP_PROFILE_DIR", "")):
            profiler.dump_stats(os.path.join(os.environ["HOTLAP_PROFILE_DIR"], "profile.pstats"))
        text = io.StringIO()
        pstats.Stats(profiler, stream=text).sort_stats("tottime").print_stats(40)
        return {"report": text.getvalue()}

    def take_raw(self):
        return None


def run_worker(line):
    worker.serve(line, Bench)


class Problem:
    """What the judge knows of the problem: how to make, fetch and check."""

    # Two messages through a pipe; a microsecond kernel would drown in it, ours take milliseconds.
    unseen_ns_per_run = 2_000_000

    def __init__(self):
        # Not at the top of the file, which the worker reads too.
        import reference

        self.generate, self.check = reference.generate_input, reference.check_implementation

    def prepare(self, args):
        data = self.generate(**args)
        return data, {"data": data}

    def fetch(self, process):
        return process.ask(op="output").get("output")


if __name__ == "__main__":
    sys.exit(judge.main(sys.argv, Problem, run_worker, LIMITS))

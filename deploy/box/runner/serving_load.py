"""One timed run of a shape: prompts drawn for it alone, the client, and what is made of its figures.

The client is the engine's own where it is installed and its profile says how it is called, else ours. Either runs in a
room of its own, with the pristine environment: nothing of a submission is in it.
"""
from __future__ import annotations

from dataclasses import dataclass
from typing import Dict, List, Optional

import serving_metrics as metrics
from protocol import BoxFailure
from serving_asking import Asking, OnDone, completion
from serving_bench import BenchMissing, EngineClient
from serving_engine import Engine
from serving_prompts import SecretStream, words
from serving_reference import TimedAnswers
from serving_server import Server, ServerFailed
from serving_spec import ServingSpec, Shape


@dataclass
class Measured:
    figures: Dict[str, float]
    answers: TimedAnswers
    #: By which client.
    client: str


@dataclass
class Load:
    spec: ServingSpec
    seed: Optional[int]
    #: As it is installed.
    engine: Engine
    asking: Asking
    engine_client: EngineClient

    def measure(
        self, server: Server, purpose: str, shape: Shape, deadline: float, on_done: OnDone
    ) -> Measured:
        """Raises ServerFailed (also for answers that do not count), TimedOut, Cancelled, BoxFailure."""
        stream = SecretStream(self.seed, purpose)
        if self.spec.client != "hotlap" and self.engine.spec.bench is not None:
            try:
                return self._with_the_engines(server, stream, shape, deadline)
            except BenchMissing as missing:
                if self.spec.client == "vllm":
                    raise BoxFailure("tool-missing", f"the engine's benchmark client does not run: {missing}") from None
        elif self.spec.client == "vllm":
            raise BoxFailure("tool-missing", f"the engine {self.engine.spec.name} has no benchmark client in its profile")
        return self._with_ours(server, stream, shape, deadline, on_done)

    def _with_ours(
        self, server: Server, stream: SecretStream, shape: Shape, deadline: float, on_done: OnDone
    ) -> Measured:
        spec = self.spec
        prompts = [words(stream, shape.input_len) for _ in range(shape.num_prompts)]
        more = {"stream": True, "stream_options": {"include_usage": True}, **self.engine.spec.request}
        bodies = [{**completion(spec.model, prompt, shape.output_len), **more} for prompt in prompts]
        rehearsal = {**bodies[0], "prompt": words(stream, shape.input_len)}
        arrivals = None if spec.request_rate is None else _arrivals(stream, shape.num_prompts, spec.request_rate)
        load = (spec.concurrency, arrivals)
        seen = self.asking.time_each(server, self.engine.spec.completions, bodies, rehearsal, load, deadline, on_done)
        records = seen["records"]
        _refuse(metrics.find_fault(records, shape.output_len))
        figures = metrics.measure(records, seen["duration_s"], shape.input_len, spec.goodput_ms)
        return Measured(figures, TimedAnswers(shape, prompts, records), "our own client")

    def _with_the_engines(
        self, server: Server, stream: SecretStream, shape: Shape, deadline: float
    ) -> Measured:
        told = self.engine_client.run(server, self.engine, shape, 1 + stream.below(2**31 - 1), deadline)
        records = [exchange["record"] for exchange in told.exchanges]
        _refuse(metrics.find_fault(records, shape.output_len))
        figures = metrics.of_engine(told.result, shape.num_prompts)
        if figures is None:
            raise BoxFailure("tool-missing", "the engine's benchmark client left no figures that can be read")
        prompts = [exchange["prompt"] for exchange in told.exchanges]
        figures = metrics.with_seen_ttft(figures, records)
        return Measured(figures, TimedAnswers(shape, prompts, records), "the engine’s own client")


def _refuse(fault: Optional[str]) -> None:
    if fault is not None:
        raise ServerFailed(fault, "wrong")


def _arrivals(stream: SecretStream, count: int, rate: float) -> List[float]:
    found, now = [], 0.0
    for _ in range(count):
        found.append(now)
        now += stream.seconds_until_next(rate)
    return found

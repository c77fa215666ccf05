"""The pristine engine as judge: started in a room of its own when it is asked, and gone before anything else starts.

What it cannot do is the box's fault, never the submission's.
"""
from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any, Callable, Dict, List, Optional, Sequence

import serving_gate as gate
from protocol import BoxFailure
from serving_asking import Asking, OnDone, Record, completion
from serving_engine import Engine, Model
from serving_prompts import SecretStream, gate_prompt
from serving_residents import TimedOut
from serving_server import Server, ServerFailed, tail_of
from serving_spec import ServingSpec, Shape

_TOKENS = 50
_PROMPTS = 12
_CHOICES_EACH = 8
#: What an engine names beside the token that it took; five is what all can do.
_LIKELIEST = 5
#: Of an answer that tells of each token of a long text.
_READ_BYTES = 16 * 1024 * 1024


@dataclass
class TimedAnswers:
    """Of one shape of a timed run."""

    shape: Shape
    prompts: List[str]
    records: List[Record]


@dataclass
class Reference:
    spec: ServingSpec
    engine: Engine
    model: Model
    #: Only where it is the engine that submissions fork.
    arguments: List[str]
    fills: Dict[str, str]
    seed: Optional[int]
    asking: Asking
    new_server: Callable[[str], Server]
    end_server: Callable[[Server], None]
    note_progress: Callable[[int], OnDone]

    def find_places(self) -> List[gate.Place]:
        """Continues secret prompts: where the submission will be asked for one token. Raises BoxFailure, Cancelled."""
        stream = SecretStream(self.seed, "gate")
        prompts = [gate_prompt(stream) for _ in range(_PROMPTS)]

        def ask(server: Server, deadline: float) -> List[gate.Place]:
            bodies = [completion(self.spec.model, prompt, _TOKENS, _LIKELIEST) for prompt in prompts]
            records = self._ask(server, self.engine.spec.completions, bodies, deadline)
            return gate.find_places(prompts, [record["body"] for record in records], _CHOICES_EACH, stream)

        return self._while_it_runs("reference", ask)

    def read_answers(self, timed: Sequence[TimedAnswers]) -> List[gate.Verdict]:
        """Of a timed run, as given text; of each shape as many. Raises BoxFailure, Cancelled."""
        stream = SecretStream(self.seed, "audit")
        return self._while_it_runs(
            "audit",
            lambda server, deadline: [
                verdict
                for number, run in enumerate(timed)
                for verdict in self._read(server, deadline, f"shape {number}", run, stream)
            ],
        )

    def _read(
        self, server: Server, deadline: float, what: str, run: TimedAnswers, stream: SecretStream
    ) -> List[gate.Verdict]:
        verdicts: List[gate.Verdict] = []
        texts = [record["text"] for record in run.records]
        path = self.engine.spec.tokenize
        if path is not None:
            verdicts.append(gate.counts(self._count_tokens(server, path, texts, deadline), run.shape.output_len))
        drawn = stream.sample(self.spec.audited, len(texts))
        whole = [run.prompts[index] + texts[index] for index in drawn]
        bodies = [{**completion(self.spec.model, text, 1, _LIKELIEST), "echo": True} for text in whole]
        read = self._ask(server, self.engine.spec.completions, bodies, deadline)
        found = [gate.regrets(texts[index], record["body"]) for index, record in zip(drawn, read)]
        verdicts.append(gate.audit(what, found, len(drawn) * run.shape.output_len, self.spec.tolerance))
        return verdicts

    def _count_tokens(self, server: Server, path: str, texts: List[str], deadline: float) -> List[int]:
        bodies = [{"model": self.spec.model, "prompt": text, "add_special_tokens": False} for text in texts]
        records = self._ask(server, path, bodies, deadline)
        counted = [record["body"].get("count") if isinstance(record["body"], dict) else None for record in records]
        if not all(isinstance(count, int) for count in counted):
            raise gate.Unusable(f"{path} does not answer with a `count`")
        return counted

    def _ask(self, server: Server, path: str, bodies: List[Dict[str, Any]], deadline: float) -> List[Record]:
        on_done = self.note_progress(len(bodies))
        records = self.asking.ask_each(server, path, bodies, deadline, on_done, _READ_BYTES)
        failed = [record["error"] for record in records if record["error"] is not None]
        if failed:
            raise gate.Unusable(f"{len(failed)} of {len(records)} requests failed: {failed[0]}")
        return records

    def _while_it_runs(self, name: str, use: Callable[[Server, float], Any]) -> Any:
        spec = self.spec
        server = self.new_server(name)
        started = time.monotonic()
        limit_s = spec.startup_timeout_s + spec.gate_timeout_s
        try:
            server.move_in(self.engine, self.model, self.fills, self.arguments, None, limit_s)
            server.start(started + spec.startup_timeout_s)
            return use(server, started + limit_s)
        except ServerFailed as failed:
            raise BoxFailure("runner-crashed", f"the pristine engine: {failed.summary} {tail_of(server)[-1000:]}") from None
        except gate.Unusable as error:
            raise BoxFailure("tool-missing", f"the pristine engine cannot judge: {error}") from None
        except TimedOut:
            raise BoxFailure("runner-crashed", f"the pristine engine took too long. {tail_of(server)[-1000:]}") from None
        finally:
            self.end_server(server)

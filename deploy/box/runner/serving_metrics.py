"""From what a client saw to the figures of a serving benchmark, under the names that `vllm bench serve` gives them.

    ttft   time to first token: from sending to the first text that is more than blanks
    itl    inter-token latency: each gap between two texts of one stream
    tpot   time per output token after the first: (e2el - ttft) / (tokens - 1), one value for each request
    e2el   end-to-end latency: from sending to the last text

Throughputs are over the time from the first sending to the last text. Goodput counts only the requests that keep every
limit of the task.
"""
from __future__ import annotations

import math
from typing import Any, Dict, List, Mapping, Optional, Sequence

#: Fewer characters than this for a token, over all answers, is no text of any tokenizer.
_LEAST_CHARACTERS_A_TOKEN = 0.5
#: Of the tokens asked for, where the server does not say how many it wrote.
_LEAST_TEXTS = 0.98
_LATENCIES = ("ttft", "tpot", "itl", "e2el")


def find_fault(records: Sequence[Dict[str, Any]], asked: int) -> Optional[str]:
    """Why the run does not count, from what can be seen without a tokenizer. `asked`: tokens of each answer."""
    errors = [record["error"] for record in records if record["error"] is not None]
    if errors:
        return f"{len(errors)} of {len(records)} requests failed. The first: {errors[0]}"
    if any(record["first_s"] is None for record in records):
        return "Some answers hold no text."
    wrong = [count for record, count in zip(records, map(output_tokens, records)) if not _fits(record, count, asked)]
    if wrong:
        return f"{len(wrong)} of {len(records)} answers do not have the {asked} tokens asked for; one has {wrong[0]}."
    # More tokens than events of the stream are told, each event at least a character: that much can be held against it.
    if sum(len(record["text"]) for record in records) < _LEAST_CHARACTERS_A_TOKEN * asked * len(records):
        return f"The answers hold far less text than {asked} tokens have."
    return None


def _fits(record: Dict[str, Any], count: int, asked: int) -> bool:
    if record["usage"] is not None and "completion_tokens" in record["usage"]:
        return count == asked
    # Without the server's word: a token that is only a part of a character comes without a text of its own.
    return _LEAST_TEXTS * asked <= count <= asked


def output_tokens(record: Dict[str, Any]) -> int:
    """As the server says; without its word, as many as texts came."""
    usage = record["usage"] or {}
    return usage.get("completion_tokens", record["chunks"])


def measure(
    records: Sequence[Dict[str, Any]], duration_s: float, input_len: int, goodput_ms: Mapping[str, float]
) -> Dict[str, float]:
    """Of a run without fault. `goodput_ms`: limits by name of the latency."""
    values: Dict[str, List[float]] = {name: [] for name in _LATENCIES}
    good = 0
    for record in records:
        tokens = output_tokens(record)
        e2el = record["last_s"] - record["sent_s"]
        own = {"ttft": record["first_s"] - record["sent_s"], "e2el": e2el}
        own["tpot"] = (e2el - own["ttft"]) / (tokens - 1) if tokens > 1 else 0.0
        for name, value in own.items():
            values[name].append(value * 1000)
        values["itl"] += [gap * 1000 for gap in record["gaps_s"]]
        good += all(own[name] * 1000 <= limit for name, limit in goodput_ms.items())
    count = len(records)
    # As asked, not as the server says: it could say anything.
    total_input = input_len * count
    total_output = sum(map(output_tokens, records))
    seconds = max(duration_s, 1e-9)
    found: Dict[str, float] = {
        "completed": count,
        "failed": 0,
        "duration": duration_s,
        "total_input_tokens": total_input,
        "total_output_tokens": total_output,
        "request_throughput": count / seconds,
        "output_throughput": total_output / seconds,
        "total_token_throughput": (total_input + total_output) / seconds,
    }
    if goodput_ms:
        found["request_goodput"] = good / seconds
    for name in _LATENCIES:
        numbers = sorted(values[name]) or [0.0]
        mean = sum(numbers) / len(numbers)
        found[f"mean_{name}_ms"] = mean
        found[f"median_{name}_ms"] = percentile(numbers, 50)
        found[f"std_{name}_ms"] = math.sqrt(sum((number - mean) ** 2 for number in numbers) / len(numbers))
        found[f"p99_{name}_ms"] = percentile(numbers, 99)
    return found


_OF_ENGINE = (
    "duration", "total_input_tokens", "total_output_tokens", "request_throughput", "request_goodput", "output_throughput",
    "total_token_throughput",
)  # fmt: skip


def of_engine(result: Mapping[str, Any], asked: int) -> Optional[Dict[str, float]]:
    """What the engine's own client reports, by the same names; None where that is not what was asked for."""
    found: Dict[str, float] = {"completed": asked, "failed": 0}
    if result.get("completed") != asked or result.get("failed", 0) != 0:
        return None
    names = [*_OF_ENGINE, *(f"{kind}_{name}_ms" for name in _LATENCIES for kind in ("mean", "median", "std", "p99"))]
    for name in names:
        value = result.get(name)
        if isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value):
            found[name] = value
    return found if "request_throughput" in found else None


def with_seen_ttft(figures: Mapping[str, float], records: Sequence[Dict[str, Any]]) -> Dict[str, float]:
    """A client may take an event without text for the first token. Of its time and ours, the later one counts."""
    seen = measure(records, 1.0, 0, {})
    names = [f"{kind}_ttft_ms" for kind in ("mean", "median", "p99")]
    return {**figures, **{name: max(figures[name], seen[name]) for name in names if name in figures}}


def percentile(ordered: Sequence[float], percent: float) -> float:
    """Between two neighbours in proportion."""
    place = (len(ordered) - 1) * percent / 100
    low = math.floor(place)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (place - low)

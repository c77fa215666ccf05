"""Whether a model server still computes the model: verdicts over what it answered. Pure; every number is checked.

compatible  the server's own word: exp(-sum of log-probabilities / tokens) of what it chose itself, against the task's
            baseline. Known prompts, known formula; a server may report any number.
forced      the reference engine has continued secret prompts, and says for each token how likely it found which. The
            server is given a prompt and the first part of that continuation and asked for one token more, at places
            drawn at random. Only which token it chooses is looked at. Its perplexity is taken from the reference's
            table; that of the reference's own choices is the baseline, so that the same formula and tolerance serve.
audit       answers of the timed run itself, drawn at random afterwards, are read by the reference as given text. An
            answer that another model wrote, or that belongs to another prompt, is one that the reference would not
            have written. The regret of a token is how much less likely the reference finds it than the likeliest one.
            Its tokenizer counts the tokens of every answer of the run.
"""
from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Dict, List, Optional, Sequence, Tuple

from serving_prompts import SecretStream

#: More errors than this and there is no verdict but failure.
MOST_PROMPT_ERRORS = 5
#: What a token costs that is not among those that the reference names, beyond the least likely of them.
_UNLISTED_NATS = 2.0
_MOST_REGRET_NATS = 10.0
#: Reading a text anew cuts it here and there into other tokens than it was written with.
_AUDIT_SLACK = 0.05
_MANY = 8
#: Tokens in a row that are not where they should be in a text, and characters that each may be off.
_MOST_MISSED, _SLACK_CHARACTERS = 8, 4
#: Of the tokens that were asked for. Less is read of an answer that is short, or whose text hides what it is.
_LEAST_READ = 0.9
_LEAST_TOKENS_OF_ALL = 0.98
_LEAST_TOKENS_OF_ONE = 0.9

Lines = List[Tuple[str, str]]


class Unusable(Exception):
    """The reference engine's answer cannot be judged by: the box's fault."""


@dataclass
class Verdict:
    #: What goes into the result, in order.
    lines: Lines
    #: A sentence; None: passed.
    failure: Optional[str]


def compatible(records: Sequence[Dict[str, Any]], baseline: float, tolerance: float) -> Verdict:
    errors = [record["error"] for record in records if record["error"] is not None]
    total, tokens, missing = 0.0, 0, 0
    for record in records:
        if record["error"] is not None:
            continue
        found = _token_logprobs(record["body"])
        missing += not found
        total += sum(found)
        tokens += len(found)
    measured = math.exp(min(-total / tokens, 700.0)) if tokens > 0 else None
    lines: Lines = [
        ("measured_perplexity", "nan" if measured is None else _number(measured)),
        ("baseline_perplexity", _number(baseline)),
        ("tolerance", _number(tolerance)),
        ("prompts", str(len(records))),
        ("prompt_errors", str(len(errors))),
        ("tokens", str(tokens)),
    ]
    if len(errors) > MOST_PROMPT_ERRORS or (errors and tokens == 0):
        return Verdict(lines, f"{len(errors)} of {len(records)} prompts were not answered. The first: {errors[0]}")
    if measured is None:
        return Verdict(lines, "No answer holds log-probabilities (`logprobs.token_logprobs`).")
    if missing > MOST_PROMPT_ERRORS:
        return Verdict(lines, f"{missing} of {len(records)} answers hold no log-probabilities.")
    off = (measured - baseline) / baseline
    prose = (
        f"The perplexity {measured:.4g} is {abs(off):.2%} {'above' if off >= 0 else 'below'} the baseline {baseline:.4g}; "
        f"{tolerance:.2%} are allowed."
    )
    lines.append(("gate", prose))
    return Verdict(lines, None if abs(off) <= tolerance else prose)


def _token_logprobs(body: Any) -> List[float]:
    logprobs = first_choice(body).get("logprobs")
    values = logprobs.get("token_logprobs") if isinstance(logprobs, dict) else None
    if not isinstance(values, list):
        return []
    return [float(value) for value in values if is_logprob(value)]


def first_choice(body: Any) -> Dict[str, Any]:
    choices = body.get("choices") if isinstance(body, dict) else None
    choice = choices[0] if isinstance(choices, list) and choices else None
    return choice if isinstance(choice, dict) else {}


def is_logprob(value: Any) -> bool:
    # Rounding may leave a certain token a hair above nought.
    return isinstance(value, (int, float)) and not isinstance(value, bool) and -1e4 < value < 0.01


@dataclass(frozen=True)
class Place:
    """The text up to it, and what the reference would write next: token -> log-probability."""

    text: str
    top: Dict[str, float]


def find_places(prompts: Sequence[str], bodies: Sequence[Any], per_prompt: int, stream: SecretStream) -> List[Place]:
    """Raises Unusable."""
    places: List[Place] = []
    for prompt, body in zip(prompts, bodies):
        found = _places_of(prompt, body)
        places += [found[index] for index in stream.sample(per_prompt, len(found))]
    if len(places) < max(8, len(prompts) * per_prompt // 4):
        raise Unusable(f"only {len(places)} places of its continuations can be asked for")
    return places


def _places_of(prompt: str, body: Any) -> List[Place]:
    logprobs = first_choice(body).get("logprobs") or {}
    tokens, tops = logprobs.get("tokens"), logprobs.get("top_logprobs")
    if not isinstance(tokens, list) or not isinstance(tops, list):
        raise Unusable("its answers hold no `logprobs` with `tokens` and `top_logprobs`")
    places: List[Place] = []
    text = prompt
    for index, (token, top) in enumerate(zip(tokens, tops)):
        # Half a character: what follows cannot be given as text.
        if not isinstance(token, str) or not isinstance(top, dict) or "\ufffd" in token or token.startswith("bytes:"):
            break
        # A token that begins with a blank begins a word, and the text before it is cut into the same tokens without it.
        if (index == 0 or token[:1] == " ") and token.strip() and not text[-1:].isspace():
            listed = {str(key): float(value) for key, value in top.items() if is_logprob(value)}
            if listed and max(listed, key=lambda key: listed[key]) == token:
                places.append(Place(text, listed))
        text += token
    return places


def forced(places: Sequence[Place], records: Sequence[Dict[str, Any]], tolerance: float) -> Verdict:
    errors = [record["error"] for record in records if record["error"] is not None]
    if errors:
        return Verdict([], f"{len(errors)} of {len(records)} secret prompts were not answered. The first: {errors[0]}")
    best, chosen, agreed = 0.0, 0.0, 0
    for place, record in zip(places, records):
        text = first_choice(record["body"]).get("text")
        likeliest = max(place.top.values())
        likelihood = _look_up(place.top, text if isinstance(text, str) else "")
        best += likeliest
        chosen += likelihood
        agreed += likelihood >= likeliest
    count = len(places)
    baseline, measured = math.exp(-best / count), math.exp(min(-chosen / count, 700.0))
    off = (measured - baseline) / baseline
    prose = (
        f"On secret prompts its choices have the perplexity {measured:.4g}, {off:.2%} above the {baseline:.4g} of the "
        f"pristine engine; {tolerance:.2%} are allowed. {agreed} of {count} choices are the same."
    )
    lines: Lines = [
        ("forced_perplexity", _number(measured)),
        ("reference_perplexity", _number(baseline)),
        ("forced_choices", str(count)),
        ("forced_agreement", _number(agreed / count)),
        ("forced_gate", prose),
    ]
    return Verdict(lines, None if off <= tolerance else prose)


def _look_up(top: Dict[str, float], text: str) -> float:
    if text in top:
        return top[text]
    # Some tokenizers lose the blank before the first word of an answer.
    for token, value in top.items():
        if text.strip() and token.strip() == text.strip():
            return value
    return min(top.values()) - _UNLISTED_NATS


def regrets(text: str, body: Any) -> List[float]:
    """Of each token of `text`, which stood at the end of what the reference was given to read. Raises Unusable.

    From the end, because what stands at the beginning (a token for the start of a text) differs among engines. Tokens are
    held against the text, because they need not be shown as they stand in it: a character that is several tokens is shown as
    so many unknown ones, and some tokenizers show no blank before a word. Half a character cannot be written as text: what
    was read in its place says nothing. Nor does a token that is half the prompt's.
    """
    logprobs = first_choice(body).get("logprobs") or {}
    tokens, values, tops = (logprobs.get(name) for name in ("tokens", "token_logprobs", "top_logprobs"))
    if not (isinstance(tokens, list) and isinstance(values, list) and isinstance(tops, list)):
        raise Unusable("it does not read given text (`echo` with `logprobs`)")
    usage = body.get("usage") if isinstance(body.get("usage"), dict) else {}
    written = usage.get("completion_tokens", 1)
    end = len(tokens) - (written if isinstance(written, int) and 0 <= written <= len(tokens) else 1)
    found: List[float] = []
    #: Since the last token that was found in the text.
    unsure: List[float] = []
    at, missed = len(text), 0
    for token, value, top in reversed(list(zip(tokens[:end], values, tops))):
        if at <= 0 or missed > _MOST_MISSED:
            break
        shown = str(token)
        is_part = shown == "" or "\ufffd" in shown or shown.startswith("bytes:")
        if is_part and "\ufffd" in text:
            continue
        unsure.append(_regret(value, top))
        if is_part:
            continue
        place = text.rfind(shown, max(0, at - len(shown) - len(unsure) - _SLACK_CHARACTERS), at)
        if place < 0:
            missed += 1
            continue
        found += unsure
        at, missed, unsure = place, 0, []
    return found


def _regret(value: Any, top: Any) -> float:
    likeliest = max((float(item) for item in (top or {}).values() if is_logprob(item)), default=0.0)
    likelihood = float(value) if is_logprob(value) else -_MOST_REGRET_NATS
    return min(max(likeliest - likelihood, 0.0), _MOST_REGRET_NATS)


def audit(what: str, all_regrets: Sequence[Sequence[float]], asked: int, tolerance: float) -> Verdict:
    """`what`: the shape whose answers they are; `all_regrets`: of each answer that was drawn; `asked`: tokens of them all together.

    Of many, the worst one does not count: a text may be read in odd ways. How much could be read is counted over all.
    """
    read = sum(map(len, all_regrets))
    if read < asked * _LEAST_READ:
        return Verdict(
            [], f"Of {len(all_regrets)} answers of {what} the pristine engine can read {read} tokens, {asked} were asked for."
        )
    told = sorted((answer for answer in all_regrets if answer), key=lambda answer: sum(answer) / len(answer))
    if len(told) >= _MANY:
        told.pop()
    flat = [regret for answer in told for regret in answer]
    if not flat:
        return Verdict([], f"The answers of {what} hold no text that could be checked.")
    off = math.exp(min(sum(flat) / len(flat), 700.0)) - 1
    allowed = tolerance + _AUDIT_SLACK
    prose = (
        f"Read by the pristine engine, {len(told)} answers of {what} have a perplexity {off:.2%} above that of its own "
        f"choices; {allowed:.2%} are allowed."
    )
    lines: Lines = [("audited_answers", str(len(told))), ("audit_off", _number(off)), ("audit", prose)]
    return Verdict(lines, None if off <= allowed else prose)


def counts(found: Sequence[int], asked: int) -> Verdict:
    """`found`: the tokens of each answer as the reference counts them; all were asked for `asked`."""
    total = sum(found)
    short = sum(count < asked * _LEAST_TOKENS_OF_ONE for count in found)
    lines: Lines = [("counted_output_tokens", str(total))]
    if total >= len(found) * asked * _LEAST_TOKENS_OF_ALL and short <= len(found) // 50:
        return Verdict(lines, None)
    return Verdict(
        lines,
        f"The answers hold {total} tokens as the pristine engine counts them, {len(found) * asked} were asked for; "
        f"{short} of {len(found)} answers are too short.",
    )


def _number(value: float) -> str:
    return repr(round(value, 6))

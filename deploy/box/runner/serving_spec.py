"""What a job that serves a model is told beside the fields of every job, and what it reports beside those of every stage.

The Python half of `servingSpec` and `servingReport` in src/domain/serving-protocol.ts.
"""
from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any, Dict, List, Optional, Tuple

from wire_fields import Fields, RequestError

_CLIENTS = ("auto", "hotlap", "vllm")
_GATES = ("compatible", "strong")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_PACKAGE = re.compile(r"[A-Za-z_]\w*")
_LATENCIES = ("ttft", "tpot", "e2el")


@dataclass(frozen=True)
class ArchiveSpec:
    sha256: str
    bytes: int


@dataclass(frozen=True)
class EngineSpec:
    name: str
    #: That a submission is a fork of; None: a submission is the whole engine.
    package: Optional[str]
    #: Where to look for a Python that has it before those that are looked at anyway; patterns may be used.
    pythons: List[str]
    #: The command; {python} {model} {model_name} {port} {tensor_parallel} {tree} and, as a word of its own, {args}.
    serve: List[str]
    health: str
    completions: str
    #: Counts the tokens of a text; None: it has no such path.
    tokenize: Optional[str]
    #: Goes into every timed request, so that an answer has the asked length.
    request: Dict[str, Any]
    #: The engine's own benchmark client; None: it has none that is used.
    bench: Optional[List[str]]


@dataclass(frozen=True)
class Shape:
    num_prompts: int
    input_len: int
    output_len: int


@dataclass(frozen=True)
class ServingSpec:
    archive: ArchiveSpec
    engine: EngineSpec
    #: What judges where the submission is the whole engine.
    reference: Optional[EngineSpec]
    model: str
    tensor_parallel: int
    arguments: List[str]
    shapes: List[Shape]
    #: Requests under way at once; None: all.
    concurrency: Optional[int]
    #: Requests a second; None: at once.
    request_rate: Optional[float]
    goodput_ms: Dict[str, float]
    client: str
    gates: List[str]
    baseline: float
    tolerance: float
    #: None: those of the runner.
    prompts: Optional[List[str]]
    #: How many answers of each shape of a ranked run the reference reads.
    audited: int
    install_timeout_s: float
    startup_timeout_s: float
    gate_timeout_s: float
    benchmark_timeout_s: float


@dataclass
class PhaseReport:
    name: str
    started_at: str
    timeout_s: float
    duration_ms: float = 0.0
    #: `passed`, `failed`, `timed-out` or `cancelled`
    outcome: str = "passed"
    note: str = ""


@dataclass
class ServingFailure:
    phase: str
    #: One of the failure kinds of src/domain/stage-failure.ts.
    kind: str
    summary: str
    detail: str


@dataclass
class ServingReport:
    phases: List[PhaseReport] = field(default_factory=list)
    failure: Optional[ServingFailure] = None


def parse_serving(value: Any) -> ServingSpec:
    """Raises RequestError."""
    where = "job.serving"
    fields = Fields(where, value)
    archive = Fields(f"{where}.archive", fields.take("archive", (dict,)))
    reference = fields.take("reference", (dict, type(None)))
    spec = ServingSpec(
        archive=ArchiveSpec(_one_of_pattern(archive, "sha256", _SHA256), archive.take("bytes", (int,))),
        engine=_parse_engine(f"{where}.engine", fields.take("engine", (dict,))),
        reference=None if reference is None else _parse_engine(f"{where}.reference", reference),
        model=fields.take("model", (str,)),
        tensor_parallel=_positive(fields, "tensor_parallel"),
        arguments=fields.text_list("arguments"),
        shapes=[_parse_shape(f"{where}.shapes[{i}]", item) for i, item in enumerate(fields.take("shapes", (list,)))],
        concurrency=fields.positive_if_given("concurrency"),
        request_rate=fields.seconds("request_rate") if "request_rate" in fields.rest else None,
        goodput_ms=_parse_goodput(fields),
        client=_one_of(fields, "client", _CLIENTS),
        gates=[_in(f"{where}.gates", gate, _GATES) for gate in fields.text_list("gates")],
        baseline=fields.seconds("baseline"),
        tolerance=fields.seconds("tolerance"),
        prompts=fields.text_list("prompts") if "prompts" in fields.rest else None,
        audited=fields.take("audited", (int,)),
        install_timeout_s=fields.seconds("install_timeout_s"),
        startup_timeout_s=fields.seconds("startup_timeout_s"),
        gate_timeout_s=fields.seconds("gate_timeout_s"),
        benchmark_timeout_s=fields.seconds("benchmark_timeout_s"),
    )
    archive.end()
    fields.end()
    if not spec.shapes:
        raise RequestError("bad-request", f"{where}.shapes: at least one was expected")
    return spec


def _parse_engine(where: str, value: Any) -> EngineSpec:
    fields = Fields(where, value)
    package = fields.take("package", (str, type(None)))
    if package is not None and not _PACKAGE.fullmatch(package):
        raise RequestError("bad-request", f"{where}.package: {package!r} is no name of a package")
    engine = EngineSpec(
        name=fields.take("name", (str,)),
        package=package,
        pythons=fields.text_list("pythons"),
        serve=fields.text_list("serve"),
        health=_path(fields, "health"),
        completions=_path(fields, "completions"),
        tokenize=_path(fields, "tokenize") if "tokenize" in fields.rest else None,
        request=fields.take("request", (dict,)),
        bench=fields.text_list("bench") if "bench" in fields.rest else None,
    )
    fields.end()
    if not engine.serve:
        raise RequestError("bad-request", f"{where}.serve: a command was expected")
    return engine


def _parse_shape(where: str, value: Any) -> Shape:
    fields = Fields(where, value)
    shape = Shape(*(_positive(fields, name) for name in ("num_prompts", "input_len", "output_len")))
    fields.end()
    return shape


def _parse_goodput(fields: Fields) -> Dict[str, float]:
    limits = fields.take("goodput_ms", (dict,))
    found = Fields(f"{fields.where}.goodput_ms", limits)
    result = {_in(found.where, name, _LATENCIES): found.seconds(name) for name in limits}
    found.end()
    return result


def _positive(fields: Fields, name: str) -> int:
    value = fields.positive_if_given(name)
    if value is None:
        raise RequestError("bad-request", f"{fields.where}.{name}: missing")
    return value


def _path(fields: Fields, name: str) -> str:
    path = fields.take(name, (str,))
    # It goes into a request's first line.
    if not path.startswith("/") or not path.isascii() or not path.isprintable() or " " in path:
        raise RequestError("bad-request", f"{fields.where}.{name}: {path!r} is no path of a URL")
    return path


def _one_of_pattern(fields: Fields, name: str, pattern: "re.Pattern[str]") -> str:
    value = fields.take(name, (str,))
    if not pattern.fullmatch(value):
        raise RequestError("bad-request", f"{fields.where}.{name}: {value!r} does not fit")
    return value


def _one_of(fields: Fields, name: str, allowed: Tuple[str, ...]) -> str:
    return _in(f"{fields.where}.{name}", fields.take(name, (str,)), allowed)


def _in(where: str, value: str, allowed: Tuple[str, ...]) -> str:
    if value not in allowed:
        raise RequestError("bad-request", f"{where}: {value!r} is none of {', '.join(allowed)}")
    return value

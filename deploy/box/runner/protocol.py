"""The wire between Hotlap and a box: the Python half of src/domain/protocol.ts.

What arrives is parsed strictly into the dataclasses below: an unknown field, a missing one or a wrong type is a
RequestError that names the field. What leaves is built from the report dataclasses with `to_json`.
"""
from __future__ import annotations

import dataclasses
import json
import re
from dataclasses import dataclass, field
from typing import Any, Dict, List, Optional, Tuple, Union

from sandbox_wish import ContainerSpec, parse_sandbox
from serving_spec import ServingReport, ServingSpec, parse_serving
from wire_fields import Fields, RequestError

PROTOCOL_VERSION = 1
LANGUAGES = ("py", "cu", "model")
MODES = ("test", "benchmark", "leaderboard", "profile")
MACRO = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
JOB_KEY = re.compile(r"[A-Za-z0-9_.-]{1,80}")
#: How much of an output reaches the report; the tail is kept.
OUTPUT_CHARACTERS = 16_384
RESULT_PIPE_BYTES = 1024 * 1024


class BoxFailure(Exception):
    """The box could not do the job; ends in a result with outcome `box-error`."""

    def __init__(self, kind: str, message: str):
        super().__init__(message)
        self.kind = kind
        self.message = message


@dataclass(frozen=True)
class StageSpec:
    name: str
    mode: str
    timeout_s: float
    cases: str


@dataclass(frozen=True)
class WarmupSpec:
    file: str
    timeout_s: float


@dataclass(frozen=True)
class BuildSpec:
    sources: List[str]
    include_dirs: List[str]
    defines: Dict[str, Optional[str]]
    flags: List[str]
    libraries: List[str]
    #: None: that of the GPU that is there.
    arch: Optional[str]
    timeout_s: float


@dataclass(frozen=True)
class LimitsSpec:
    memory_mib: Optional[int] = None
    processes: Optional[int] = None


@dataclass(frozen=True)
class LaneSpec:
    slot: int
    of: int


@dataclass(frozen=True)
class JobSpec:
    protocol: int
    job_key: str
    lang: str
    files: Dict[str, str]
    main: str
    warmup: Optional[WarmupSpec]
    stages: List[StageSpec]
    env: Dict[str, str]
    world_size: Optional[int]
    #: One of SANDBOX_WISHES, or a container.
    sandbox: Union[str, ContainerSpec]
    limits: LimitsSpec = LimitsSpec()
    #: None: all that there are.
    gpus: Optional[List[int]] = None
    #: None: the machine to itself.
    lane: Optional[LaneSpec] = None
    #: Of a job in CUDA C++.
    build: Optional[BuildSpec] = None
    #: Of a job that serves a model.
    serving: Optional[ServingSpec] = None


@dataclass
class ProcessReport:
    exit_code: Optional[int] = None
    signal: Optional[int] = None
    timed_out: bool = False
    duration_ms: float = 0.0
    stdout: str = ""
    stderr: str = ""


@dataclass
class BuildReport(ProcessReport):
    command: str = ""


@dataclass
class TraceReport:
    bytes: int
    sha256: str


@dataclass
class ProfileReport:
    #: Empty: the evaluation program profiled by its own means.
    profiler: str = ""
    #: Why the machine's own profiler was not used after all, in words.
    problem: Optional[str] = None
    #: What the verb `trace` hands out.
    trace: Optional[TraceReport] = None


@dataclass
class StageReport(ProcessReport):
    name: str = ""
    mode: str = ""
    started_at: str = ""
    finished_at: str = ""
    timeout_s: float = 0.0
    warmup: Optional[ProcessReport] = None
    build: Optional[BuildReport] = None
    profile: Optional[ProfileReport] = None
    worker_died: bool = False
    overflow: bool = False
    lines: List[Tuple[str, str]] = field(default_factory=list)
    malformed_lines: int = 0
    exceeded: List[str] = field(default_factory=list)
    serving: Optional[ServingReport] = None


@dataclass
class SystemInfo:
    gpu: str = ""
    device_count: int = 0
    cpu: str = ""
    runtime: str = ""
    platform: str = ""
    torch: str = ""
    hostname: str = ""


@dataclass
class JobError:
    kind: str
    message: str


@dataclass
class JobResult:
    job_key: str
    outcome: str
    error: Optional[JobError]
    stages: List[StageReport]
    system: SystemInfo
    sandbox: str
    limits: str = "rlimits"
    syscall_filter: bool = False
    protocol: int = PROTOCOL_VERSION


def to_json(value: Any) -> str:
    """One line of JSON; ASCII only, so that no byte of an output can break a line or a decoder."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        value = dataclasses.asdict(value)
    return json.dumps(value, separators=(",", ":"))


def check_job_key(value: Any) -> str:
    if not isinstance(value, str) or not JOB_KEY.fullmatch(value) or value.startswith("."):
        raise RequestError("bad-request", f"job_key: {value!r} is no job key")
    return value


def check_stage_name(value: Any) -> str:
    """It names a file too."""
    if not isinstance(value, str) or not JOB_KEY.fullmatch(value) or value.startswith("."):
        raise RequestError("bad-request", f"stage: {value!r} is no name of a stage")
    return value


def check_relative_path(where: str, path: str) -> str:
    """Refuses what could leave the stage directory or mean two files at once."""
    parts = path.split("/")
    if not path or "\0" in path or "\n" in path or any(part in ("", ".", "..") for part in parts):
        raise RequestError("bad-request", f"{where}: {path!r} is no plain relative path")
    return path


def parse_job(value: Any) -> JobSpec:
    """The job of a `start` request. Raises RequestError, with kind `protocol-error` for another version."""
    if isinstance(value, dict) and value.get("protocol") != PROTOCOL_VERSION:
        raise RequestError(
            "protocol-error", f"job.protocol is {value.get('protocol')!r}, this runner speaks {PROTOCOL_VERSION}"
        )
    job = Fields("job", value)
    protocol = job.take("protocol", (int,))
    job_key = check_job_key(job.take("job_key", (str,)))
    lang = job.take("lang", (str,))
    if lang not in LANGUAGES:
        raise RequestError("bad-request", f"job.lang: {lang!r} is none of {', '.join(LANGUAGES)}")
    files = job.texts("files")
    for path in files:
        check_relative_path("job.files", path)
        for parent in _parents(path):
            if parent in files:
                raise RequestError("bad-request", f"job.files: {parent!r} is a file and a folder")
    main = job.take("main", (str,))
    build = _parse_build(job.take("build", (dict,)), files) if lang == "cu" else None
    serving = parse_serving(job.take("serving", (dict,))) if lang == "model" else None
    if build is not None:
        check_relative_path("job.main", main)
    elif serving is None and main not in files:
        raise RequestError("bad-request", f"job.main: {main!r} is not in files")
    warmup_value = job.take("warmup", (dict, type(None)))
    warmup = None
    if warmup_value is not None:
        fields = Fields("job.warmup", warmup_value)
        warmup = WarmupSpec(file=fields.take("file", (str,)), timeout_s=fields.seconds("timeout_s"))
        fields.end()
        if warmup.file not in files:
            raise RequestError("bad-request", f"job.warmup.file: {warmup.file!r} is not in files")
    stages = [_parse_stage(f"job.stages[{i}]", item) for i, item in enumerate(job.take("stages", (list,)))]
    if not stages:
        raise RequestError("bad-request", "job.stages: at least one was expected")
    if len({stage.name for stage in stages}) != len(stages):
        raise RequestError("bad-request", "job.stages: two stages have the same name")
    env = job.texts("env")
    for name, text in env.items():
        if not name or "=" in name or "\0" in name or "\0" in text:
            raise RequestError("bad-request", f"job.env: {name!r} is no variable")
    world_size = job.take("world_size", (int, type(None)))
    if world_size is not None and world_size < 1:
        raise RequestError("bad-request", "job.world_size: a positive number was expected")
    sandbox = parse_sandbox("job.sandbox", job.take("sandbox", (str, dict)))
    limits = LimitsSpec()
    if "limits" in job.rest:
        fields = Fields("job.limits", job.take("limits", (dict,)))
        limits = LimitsSpec(fields.positive_if_given("memory_mib"), fields.positive_if_given("processes"))
        fields.end()
    gpus = _parse_gpus(job.take("gpus", (list,))) if "gpus" in job.rest else None
    lane = _parse_lane(job.take("lane", (dict,))) if "lane" in job.rest else None
    job.end()
    return JobSpec(
        protocol, job_key, lang, files, main, warmup, stages, env, world_size, sandbox, limits, gpus, lane, build,
        serving,
    )


def _parse_build(value: Any, files: Dict[str, str]) -> BuildSpec:
    fields = Fields("job.build", value)
    defines = fields.take("defines", (dict,))
    for name, text in defines.items():
        if not MACRO.fullmatch(name) or not isinstance(text, (str, type(None))):
            raise RequestError("bad-request", f"job.build.defines: {name!r} is no macro")
    build = BuildSpec(
        sources=fields.text_list("sources"),
        include_dirs=fields.text_list("include_dirs"),
        defines=defines,
        flags=fields.text_list("flags"),
        libraries=fields.text_list("libraries"),
        arch=fields.take("arch", (str, type(None))),
        timeout_s=fields.seconds("timeout_s"),
    )
    fields.end()
    for source in build.sources:
        if source not in files:
            raise RequestError("bad-request", f"job.build.sources: {source!r} is not in files")
    return build


def _parse_gpus(value: List[Any]) -> List[int]:
    if any(isinstance(item, bool) or not isinstance(item, int) or item < 0 for item in value):
        raise RequestError("bad-request", "job.gpus: a list of the numbers of GPUs was expected")
    return value


def _parse_lane(value: Any) -> LaneSpec:
    fields = Fields("job.lane", value)
    lane = LaneSpec(fields.take("slot", (int,)), fields.take("of", (int,)))
    fields.end()
    if not 0 <= lane.slot < lane.of:
        raise RequestError("bad-request", f"job.lane: slot {lane.slot} is none of {lane.of}")
    return lane


def _parse_stage(where: str, value: Any) -> StageSpec:
    fields = Fields(where, value)
    stage = StageSpec(
        name=fields.take("name", (str,)),
        mode=fields.take("mode", (str,)),
        timeout_s=fields.seconds("timeout_s"),
        cases=fields.take("cases", (str,)),
    )
    fields.end()
    check_stage_name(stage.name)
    if stage.mode not in MODES:
        raise RequestError("bad-request", f"{where}.mode: {stage.mode!r} is none of {', '.join(MODES)}")
    return stage


def parse_seed(value: Any) -> Optional[int]:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise RequestError("bad-request", "seed: null or a whole number was expected")
    return value


def _parents(path: str) -> List[str]:
    parts = path.split("/")
    return ["/".join(parts[:i]) for i in range(1, len(parts))]

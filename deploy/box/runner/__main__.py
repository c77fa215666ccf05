"""`python3 runner.zip <verb> ...`: the agent for Hotlap, the other verbs for people. Answers are lines of JSON."""
from __future__ import annotations

import argparse
import json
import sys
from typing import Any, List, Union

if sys.version_info < (3, 9):
    sys.exit("the runner needs Python 3.9 or newer, this is " + sys.version.split()[0])

from agent import ORIGIN, Agent
from forker import Forker, Starter
from local_launch import LocalLaunch
from paths import DEFAULT_ROOT, BoxPaths
from process_tree import close_to_peers
from protocol import BoxFailure, check_job_key, to_json
from sandbox_wish import parse_sandbox
from slurm_batch import SlurmOptions
from slurm_launch import SlurmLaunch
from slurm_node import supervise_slurm_job
from wire_fields import RequestError


def parse_arguments(arguments: List[str]) -> argparse.Namespace:
    shared = argparse.ArgumentParser(add_help=False)
    shared.add_argument("--root", default=DEFAULT_ROOT, help="the folder of all runner files (default: %(default)s)")
    shared.add_argument("--instance", default="default", help="which Hotlap the jobs belong to")
    shared.add_argument("--launch", choices=("local", "slurm"), default="local", help="where jobs run: here, or on a cluster")
    shared.add_argument("--launch-options", default="{}", metavar="JSON", help="partition, account, qos, gres, options")
    parser = argparse.ArgumentParser(prog="runner", description="Runs Hotlap's jobs on this machine.")
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="verb")

    def add(name: str, text: str) -> argparse.ArgumentParser:
        return verbs.add_parser(name, parents=[shared], help=text)

    add("agent", "serve requests as JSON lines on standard input")
    start = add("start", "start a job and return at once")
    start.add_argument("job", help="file with the job as JSON")
    start.add_argument("--seed-stdin", action="store_true", help="read the secret seed from standard input")
    follow = add("follow", "print a job's events, then its result")
    follow.add_argument("job_key")
    follow.add_argument("--from", dest="start", type=int, default=0, help="first event to print")
    for name, text in (
        ("cancel", "end a job and everything that it started"),
        ("status", "print a job's state"),
        ("forget", "remove a finished job's folder"),
    ):
        add(name, text).add_argument("job_key")
    probe = add("probe", "describe this machine, or a node of the cluster")
    probe.add_argument("--mark", default="", help="put before the answer, to find it among other output")
    probe.add_argument("--container", nargs=2, metavar=("ENGINE", "IMAGE"), help="with this as the sandbox")
    supervise = add("supervise", "what Slurm runs on a compute node")
    supervise.add_argument("job_key")
    supervise.add_argument("--no-gpus", action="store_true", help="none were asked for: those of the node are others'")
    sweep = add("sweep", "end and remove every job that is not kept")
    sweep.add_argument("--keep", nargs="*", default=[], metavar="JOB_KEY")
    return parser.parse_args(arguments)


def make_launch(options: argparse.Namespace, box: BoxPaths) -> Union[LocalLaunch, SlurmLaunch]:
    if options.launch == "slurm":
        return SlurmLaunch(box, SlurmOptions.of(json.loads(options.launch_options)), ORIGIN)
    return LocalLaunch(box, Forker(box) if options.verb == "agent" else Starter(box))


def run_verb(options: argparse.Namespace, launch: Union[LocalLaunch, SlurmLaunch]) -> Any:
    if options.verb == "start":
        with open(options.job, encoding="utf-8") as file:
            job = json.load(file)
        seed = int(sys.stdin.readline()) if options.seed_stdin else None
        return {"attached": launch.start(job, seed)}
    if options.verb == "probe":
        container = dict(zip(("engine", "image"), options.container)) if options.container else "auto"
        return launch.probe(parse_sandbox("--container", container))
    if options.verb == "sweep":
        return {"removed": launch.sweep(options.keep)}
    job_key = check_job_key(options.job_key)
    if options.verb == "follow":
        return {"result": launch.follow(job_key, options.start, lambda event: print(to_json(event), flush=True))}
    if options.verb == "cancel":
        return {"found": launch.cancel(job_key)}
    if options.verb == "forget":
        return {"removed": launch.forget(job_key)}
    return {"state": launch.state(job_key)}


def main() -> int:
    options = parse_arguments(sys.argv[1:])
    # A seed passes through here on its way to the supervisor.
    close_to_peers()
    try:
        box = BoxPaths.of(options.root, options.instance)
        if options.verb == "supervise":
            return supervise_slurm_job(box, check_job_key(options.job_key), options.no_gpus)
        launch = make_launch(options, box)
        if options.verb == "agent":
            Agent(launch).run()
            return 0
        mark = options.mark if options.verb == "probe" else ""
        print(mark + to_json(run_verb(options, launch)), flush=True)
        return 0
    except (RequestError, BoxFailure) as error:
        print(to_json({"error": {"kind": error.kind, "message": error.message}}))
    except (OSError, ValueError) as error:
        print(f"runner: {error}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())

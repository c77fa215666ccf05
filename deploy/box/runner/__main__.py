"""`python3 runner.zip <verb> ...`: the agent for Hotlap, the other verbs for people. Answers are lines of JSON."""
from __future__ import annotations

import argparse
import json
import sys
from typing import Any, List

if sys.version_info < (3, 9):
    sys.exit("the runner needs Python 3.9 or newer, this is " + sys.version.split()[0])

from agent import Agent
from end_job import cancel_job, forget_job, sweep_jobs
from follow import follow_job
from forker import Starter
from job_folder import read_state
from paths import DEFAULT_ROOT, BoxPaths
from probe import probe
from process_tree import close_to_peers
from protocol import BoxFailure, RequestError, check_job_key, to_json
from python_choice import choose


def parse_arguments(arguments: List[str]) -> argparse.Namespace:
    shared = argparse.ArgumentParser(add_help=False)
    shared.add_argument("--root", default=DEFAULT_ROOT, help="the folder of all runner files (default: %(default)s)")
    shared.add_argument("--instance", default="default", help="which Hotlap the jobs belong to")
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
    add("probe", "describe this machine")
    sweep = add("sweep", "end and remove every job that is not kept")
    sweep.add_argument("--keep", nargs="*", default=[], metavar="JOB_KEY")
    return parser.parse_args(arguments)


def run_verb(options: argparse.Namespace, box: BoxPaths) -> Any:
    if options.verb == "start":
        with open(options.job, encoding="utf-8") as file:
            job = json.load(file)
        seed = int(sys.stdin.readline()) if options.seed_stdin else None
        return {"attached": Starter(box).start(job, seed)}
    if options.verb == "probe":
        return probe(box, choose())
    if options.verb == "sweep":
        return {"removed": sweep_jobs(box, options.keep)}
    job_key = check_job_key(options.job_key)
    if options.verb == "follow":
        return {"result": follow_job(box, job_key, options.start, lambda event: print(to_json(event), flush=True))}
    if options.verb == "cancel":
        return {"found": cancel_job(box, job_key)}
    if options.verb == "forget":
        return {"removed": forget_job(box, job_key)}
    return {"state": read_state(box.job(job_key))}


def main() -> int:
    options = parse_arguments(sys.argv[1:])
    # A seed passes through here on its way to the supervisor.
    close_to_peers()
    try:
        box = BoxPaths.of(options.root, options.instance)
        if options.verb == "agent":
            Agent(box).run()
            return 0
        print(to_json(run_verb(options, box)))
        return 0
    except (RequestError, BoxFailure) as error:
        print(to_json({"error": {"kind": error.kind, "message": error.message}}))
    except (OSError, ValueError) as error:
        print(f"runner: {error}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())

"""What a job asks for as its sandbox: one of three words, or a container."""
from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Union

from wire_fields import Fields, RequestError

SANDBOX_WISHES = ("required", "auto", "off")
ENGINES = ("docker", "podman")
_IMAGE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/:@-]{0,254}")


@dataclass(frozen=True)
class ContainerSpec:
    """A sandbox that is a container; without it nothing is run."""

    engine: str
    image: str


def parse_sandbox(where: str, value: Any) -> Union[str, ContainerSpec]:
    if isinstance(value, str):
        if value not in SANDBOX_WISHES:
            raise RequestError("bad-request", f"{where}: {value!r} is none of {', '.join(SANDBOX_WISHES)}")
        return value
    fields = Fields(where, value)
    container = ContainerSpec(fields.take("engine", (str,)), fields.take("image", (str,)))
    fields.end()
    if container.engine not in ENGINES:
        raise RequestError("bad-request", f"{where}.engine: {container.engine!r} is none of {', '.join(ENGINES)}")
    # It becomes a word of a command: one that begins with a dash would be an option.
    if not _IMAGE.fullmatch(container.image):
        raise RequestError("bad-request", f"{where}.image: {container.image!r} is no name of an image")
    return container

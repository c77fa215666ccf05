"""Reading the objects of the wire strictly: each field is asked for by name and type, and none may be left over."""
from __future__ import annotations

from typing import Any, Dict, List, Optional, Tuple


class RequestError(Exception):
    """A refusal that the other side can read: `kind` is one of protocol.ts's error kinds."""

    def __init__(self, kind: str, message: str):
        super().__init__(message)
        self.kind = kind
        self.message = message


class Fields:
    """Takes the fields of one object one by one, then insists that none is left."""

    def __init__(self, where: str, value: Any):
        if not isinstance(value, dict):
            raise RequestError("bad-request", f"{where}: an object was expected")
        self.where = where
        self.rest = dict(value)

    def take(self, name: str, kinds: Tuple[type, ...]) -> Any:
        if name not in self.rest:
            raise RequestError("bad-request", f"{self.where}.{name}: missing")
        value = self.rest.pop(name)
        # bool is an int for Python, not for the protocol.
        if not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds):
            wanted = " or ".join("null" if kind is type(None) else kind.__name__ for kind in kinds)
            raise RequestError("bad-request", f"{self.where}.{name}: {wanted} was expected")
        return value

    def positive_if_given(self, name: str) -> Optional[int]:
        if name not in self.rest:
            return None
        value = self.take(name, (int,))
        if value < 1:
            raise RequestError("bad-request", f"{self.where}.{name}: a positive number was expected")
        return value

    def texts(self, name: str) -> Dict[str, str]:
        value = self.take(name, (dict,))
        for key, text in value.items():
            if not isinstance(text, str):
                raise RequestError("bad-request", f"{self.where}.{name}[{key!r}]: str was expected")
        return value

    def text_list(self, name: str) -> List[str]:
        value = self.take(name, (list,))
        if not all(isinstance(text, str) and "\0" not in text for text in value):
            raise RequestError("bad-request", f"{self.where}.{name}: a list of str was expected")
        return value

    def seconds(self, name: str) -> float:
        value = self.take(name, (int, float))
        if not 0 < value < 1e7:
            raise RequestError("bad-request", f"{self.where}.{name}: a positive number of seconds was expected")
        return float(value)

    def end(self) -> None:
        if self.rest:
            raise RequestError("bad-request", f"{self.where}: unknown field {sorted(self.rest)[0]!r}")

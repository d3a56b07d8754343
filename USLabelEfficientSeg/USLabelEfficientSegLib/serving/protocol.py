"""Requests and answers as lines of JSON, between a program such as 3D Slicer's panel and a worker that stays.

The worker reads requests from its standard input and writes answers to its standard output, one object a line:

    {"id": 1, "request": "suggest", "study": "C:/studies/prostate", "count": 12}    a request; ids are the program's own
    {"cancel": 1}                                                                   a wish to stop it

    {"protocol": 1, "version": "0.12.0", "pid": 4711}                                once, when the worker can be asked
    {"id": 1, "progress": {"doing": "looking through volumes", "done": 3, "of": 10}}
    {"id": 1, "record": {...}}                                                      a part of the result
    {"id": 1, "end": "done", "result": {...}}                                       each request has one end
    {"id": 1, "end": "failed", "sentence": "..."}                                   cause and remedy
    {"id": 1, "end": "cancelled"}

Requests are answered one after the other. The worker ends when its standard input ends. What is to be kept lies in
files, as the command of the same name leaves them; nothing is ever written into a study.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TextIO

from ..errors import InputError

PROTOCOL = 1
_REMEDY = "send a line of JSON as in the documentation of the command serve"


@dataclass(frozen=True)
class Request:
    """What is asked for.

    Attributes:
        id: of the program.
        verb: what to do.
        arguments: of that.
    """

    id: int
    verb: str
    arguments: Mapping[str, Any]


@dataclass(frozen=True)
class Cancel:
    """The wish that a request be stopped."""

    id: int


def parsed(line: str) -> Request | Cancel:
    """What a line asks for. Raises `InputError` when it is no request."""
    try:
        told = json.loads(line)
    except ValueError as error:
        raise InputError("request", "is no JSON", _REMEDY) from error
    if isinstance(told, dict) and isinstance(told.get("cancel"), int):
        return Cancel(told["cancel"])
    if not isinstance(told, dict) or not isinstance(told.get("id"), int) or not isinstance(told.get("request"), str):
        raise InputError("request", 'has no "id" with a number and "request" with a name', _REMEDY)
    arguments = {name: value for name, value in told.items() if name not in ("id", "request")}
    return Request(told["id"], told["request"], arguments)


class Answers:
    """Writes answers, whole lines whichever thread does.

    Args:
        stream: where to.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._lock = threading.Lock()

    def tell(self, answer: Mapping[str, Any]) -> None:
        """Write an answer. Raises `OSError` when nobody reads it any more."""
        line = json.dumps(answer, allow_nan=False) + "\n"
        with self._lock:
            self._stream.write(line)
            self._stream.flush()

    def progress(self, id: int, doing: str, done: int, of: int) -> None:
        """Tell how far a request is."""
        self.tell({"id": id, "progress": {"doing": doing, "done": done, "of": of}})

    def record(self, id: int, record: Mapping[str, Any]) -> None:
        """Tell a part of the result."""
        self.tell({"id": id, "record": record})

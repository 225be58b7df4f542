"""The sandbox that scripts run in: worker processes of Monty, a Python that reaches neither files nor network.

One pool of workers serves the whole process. It starts with the first script and is closed when the process ends; should
the process be killed, idle workers end as well (they read from a pipe that closes), and busy ones at their time limit.
"""

from __future__ import annotations

import asyncio
import atexit
import json
import os
import re
import signal
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from flowstudio.components.script_source import (
    Limits,
    ScriptError,
    failure_of,
    half_a_character,
    returning_json,
    syntax_fault,
)

if TYPE_CHECKING:
    from pydantic_monty import Monty, OSPolicy, ResourceLimits

Json = Any
Tell = Callable[[str, str, dict[str, Json]], None]
"""Takes a log record: level, message, fields."""

LEVELS: Final = ("debug", "info", "warning", "error")

_LINES: Final = 20_000
_PRINTED: Final = 10_000_000
_RECURSION: Final = 500
_CHECKOUTS_PER_WORKER: Final = 1_000
# What keeps a last line that is an expression from being the result, as it is in a session typed by hand.
_END: Final = "\nreturn None"
# `log` lives in the sandbox and writes its records among what is printed, as lines with a mark. A host object's method
# would be called from outside: 1 ms a line and a thread's hand-over, against 15 µs (Monty 1.4).
_MARK: Final = "\0"
_LOG: Final = """
import json as __json

class __Log:
    def debug(self, message="", /, **fields):
        __say("debug", message, fields)

    def info(self, message="", /, **fields):
        __say("info", message, fields)

    def warning(self, message="", /, **fields):
        __say("warning", message, fields)

    def error(self, message="", /, **fields):
        __say("error", message, fields)

def __say(level, message, fields):
    if not isinstance(message, str):
        try:
            message = __json.dumps(message, ensure_ascii=False, allow_nan=False)
        except (TypeError, ValueError):
            message = repr(message)
    print("\\0" + __json.dumps([level, message, fields], allow_nan=False))

log = __Log()
"""


class _Workers:
    """The worker processes of this process, and the threads that wait for them.

    Monty's own asyncio face is passed by: its threads may still hand over a result while the interpreter ends, which
    aborts the process (in 4 of 10 runs with Monty 1.4), and a call through it takes three times as long.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._pool: Monty | None = None
        self._threads: ThreadPoolExecutor | None = None

    def get(self) -> tuple[Monty, ThreadPoolExecutor]:
        with self._lock:
            if self._pool is None or self._threads is None:
                # Loaded with the first script: the palette loads every component.
                from pydantic_monty import Monty

                count = max(2, os.cpu_count() or 1)
                pool = Monty(min_processes=0, max_processes=count, max_checkouts_per_worker=_CHECKOUTS_PER_WORKER)
                pool.__enter__()
                # Runs after the threads were joined: no call is under way then.
                atexit.register(pool.__exit__, None, None, None)
                self._pool = pool
                # As many threads as workers: none ever waits for a worker.
                self._threads = ThreadPoolExecutor(count, thread_name_prefix="script")
            return self._pool, self._threads


_workers: Final = _Workers()


async def call(code: str, inputs: Mapping[str, Any], *, tell: Tell, now: float, seed: int, limits: Limits) -> Any:
    """What `code`, the body of a function, returns when `inputs` are its names; `log` is added to them.

    Time stands at `now` (seconds since the epoch, UTC) and random numbers follow from `seed`. Print goes to the log at
    level debug. A cancelled call ends at once with its worker, whatever the code does. ScriptError when it fails.
    """
    told = _Told(tell)
    job = _Job(code + _END, _LOG if "log" in code else "", inputs, told.printed, now, seed, limits)
    try:
        value = await _made(job)
    finally:
        told.close()
    if not _has_description(value):
        return value
    # Monty hands over what it cannot (a range, a function) as the text that describes it. Whether such a text is one in
    # truth only the sandbox can tell: the code is run once more on the same inputs, time and chance, its result is
    # written as JSON in there, and nothing of that is logged.
    again = returning_json(code)
    if again is not None:
        try:
            text = await _made(_Job(again, _LOG, inputs, lambda stream, text: None, now, seed, limits))
        except ScriptError as error:
            if error.kind == "RecursionError":
                raise ScriptError("Result", "its lists and objects nest too deep") from None
            raise ScriptError("Result", error.message[:1].lower() + error.message[1:]) from None
        if isinstance(text, str) and _matches(text, value):
            return value
    raise ScriptError("Result", "something in it is no text, number, list or object")


async def _made(job: _Job) -> Any:
    _, threads = _workers.get()
    try:
        return await asyncio.wrap_future(threads.submit(job.make))
    except asyncio.CancelledError:
        job.end()
        raise


class _TooMuchError(Exception):
    """The script writes more to the log than anybody could read."""


class _Job:
    """One call of a script, made in a thread; `end()` ends it from any other."""

    def __init__(
        self,
        code: str,
        before: str,
        inputs: Mapping[str, Any],
        printed: Callable[[str, str], None],
        now: float,
        seed: int,
        limits: Limits,
    ) -> None:
        self._code = code
        self._before = before
        self._inputs = inputs
        self._printed = printed
        self._now = now
        self._seed = seed
        self._limits = limits
        self._lock = threading.Lock()
        self._worker: int | None = None
        self._ended = False
        self._too_much: str | None = None

    def make(self) -> Any:
        """The result as Python values, also such as are no JSON."""
        from pydantic_monty import MontyError

        failure: ScriptError
        try:
            return self._fed()
        except MontyError as error:
            if self._too_much is not None:
                failure = ScriptError("OutputError", self._too_much)
            else:
                failure = failure_of(error, self._code, self._limits, 1 if self._before else 0)
            if failure.kind == "SyntaxError":
                # Told of the code as it was written: the line after its end is ours.
                failure = syntax_fault(self._code.removesuffix(_END)) or failure
        except RecursionError:
            failure = ScriptError("RecursionError", "the data nests lists and objects too deep for a script")
        except UnicodeError:
            failure = half_a_character()
        raise failure

    def _fed(self) -> Any:
        pool, _ = _workers.get()
        bounds: ResourceLimits = {
            "max_feed_duration_secs": self._limits.seconds,
            "max_memory": self._limits.megabytes * 1_000_000,
            "max_recursion_depth": _RECURSION,
            # Nothing in a script waits for the host but sleep, which takes no time.
            "max_suspensions": 10_000,
        }
        policy: OSPolicy = {
            "datetime": datetime.fromtimestamp(self._now, UTC),
            "sleep": "zero",
            "random_start": {"seed": self._seed},
        }
        # A fresh session each call: one that is used again leaks its globals from call to call.
        with pool.checkout(
            limits=bounds, os_policy=policy, script_name="script", assert_message_annotations=False
        ) as session:
            with self._lock:
                if self._ended:
                    return None
                self._worker = session.worker_pid
            try:
                if self._before:
                    session.feed_run(self._before)
                return session.feed_run(self._code, inputs=dict(self._inputs), print_callback=self._listen)
            finally:
                with self._lock:
                    self._worker = None

    def _listen(self, stream: str, text: str) -> None:
        try:
            self._printed(stream, text)
        except _TooMuchError as error:
            # Raised out of here it would be heeded at the end only, and an endless loop goes on until its time is over.
            self._too_much = str(error)
            self.end()

    def end(self) -> None:
        """Ends the worker, whatever it does; the pool replaces it."""
        with self._lock:
            self._ended = True
            if self._worker is not None:
                # It may have ended by itself.
                with suppress(ProcessLookupError):
                    os.kill(self._worker, getattr(signal, "SIGKILL", signal.SIGTERM))


class _Told:
    """What a script says while it runs: read in its thread, handed over to the loop's, until the call is over."""

    def __init__(self, tell: Tell) -> None:
        self._tell = tell
        self._loop = asyncio.get_running_loop()
        self._open = True
        self._begun = ""
        self._characters = 0
        self._lines = 0

    def printed(self, stream: str, text: str) -> None:
        """Takes what was printed, also in the middle of a line."""
        self._characters += len(text)
        if self._characters > _PRINTED:
            raise _TooMuchError(f"log and print write more than {_PRINTED:,} characters")
        *lines, self._begun = (self._begun + text).split("\n")
        self._lines += len(lines)
        if self._lines > _LINES:
            raise _TooMuchError(f"log and print write more than {_LINES:,} lines")
        records = [record for line in lines for record in _records(line)]
        if records:
            self._loop.call_soon_threadsafe(self._deliver, records)

    def _deliver(self, records: list[tuple[str, str, dict[str, Json]]]) -> None:
        # What a worker still had to say when its visit was cancelled belongs to no visit any more.
        if self._open:
            for record in records:
                self._tell(*record)

    def close(self) -> None:
        """Called on the loop: all that was handed over before the call ended has been delivered by then."""
        if self._begun:
            self._deliver([("debug", self._begun, {})])
        self._open = False


def _records(line: str) -> list[tuple[str, str, dict[str, Json]]]:
    """A printed line as records: what was begun to be printed, and what `log` wrote after it."""
    printed, mark, record = line.partition(_MARK)
    if mark:
        try:
            level, message, fields = json.loads(record)
        except ValueError:
            mark = ""
        else:
            if level in LEVELS and isinstance(message, str) and isinstance(fields, dict):
                return [*([("debug", printed, {})] if printed else []), (level, message, fields)]
    return [("debug", line, {})]


_DESCRIPTION: Final = re.compile(
    r"<[^<>]*>|<[\w ]*function .*>|[A-Za-z_][\w.]*\(.*\)|\[\.\.\.\]|\{\.\.\.\}|\(\.\.\.\)|typing\.\w+.*", re.DOTALL
)


def _has_description(value: Any) -> bool:
    """Whether some text in a result looks like one of Monty's descriptions of what is not JSON."""
    waiting = [value]
    while waiting:
        item = waiting.pop()
        if isinstance(item, str):
            if item[-1:] in (">", ")", "]", "}") and _DESCRIPTION.fullmatch(item):
                return True
            if item.startswith("typing."):
                return True
        elif isinstance(item, dict):
            waiting.extend(item.values())
        elif isinstance(item, (list, tuple)):
            waiting.extend(item)
    return False


def _matches(text: str, value: Any) -> bool:
    try:
        return bool(json.loads(text) == _as_lists(value))
    except (ValueError, RecursionError):
        return False


def _as_lists(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _as_lists(item) for key, item in value.items()}
    return [_as_lists(item) for item in value] if isinstance(value, (list, tuple)) else value

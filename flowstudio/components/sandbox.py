"""The sandbox that scripts run in: worker processes of Monty, a Python that reaches neither files nor network.

One pool serves the whole process. It starts with the first script, and its idle workers end with this process, however
that ends: they read from a pipe that closes then.
"""

from __future__ import annotations

import ast
import asyncio
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from pydantic_monty import AsyncMonty, MontyError, OSPolicy, ResourceLimits

Json = Any
Level = str
Tell = Callable[[Level, str, dict[str, Json]], None]
"""Takes a log record: level, message, fields."""

LEVELS: Final = ("debug", "info", "warning", "error")

# Each call of log.* is one; the library's own bound of 1,000 ends a script that logs a line for each of 2,000 rows.
_MOST_CALLS: Final = 20_000
_RECURSION: Final = 500
_PRINTED: Final = 1_000_000
# What keeps a last line that is an expression from being the result, as it is in a session typed by hand.
_END: Final = "\nreturn None"
_CHECKOUTS_PER_WORKER: Final = 1_000


@dataclass(frozen=True, slots=True)
class Place:
    """A stretch of the code: lines and columns from 1, the end exclusive."""

    line: int
    column: int
    end_line: int
    end_column: int


class ScriptError(Exception):
    """A script did not end well: `kind` is the name of the exception in it, `place` where, innermost."""

    def __init__(self, kind: str, message: str, place: Place | None = None) -> None:
        super().__init__(message)
        self.kind = kind
        self.message = message
        self.place = place


@dataclass(frozen=True, slots=True)
class Limits:
    """What one call may use."""

    seconds: float
    megabytes: int


class _Pool:
    """The workers of this process."""

    def __init__(self) -> None:
        self._pool: AsyncMonty | None = None

    async def get(self) -> AsyncMonty:
        if self._pool is None:
            # Loaded with the first script, as the palette loads every component.
            from pydantic_monty import AsyncMonty

            pool = AsyncMonty(min_processes=0, max_checkouts_per_worker=_CHECKOUTS_PER_WORKER)
            # Entered for the life of the process: nothing starts before the first checkout.
            await pool.__aenter__()
            # Another task may have come first; a pool without workers is nothing to close.
            self._pool = self._pool or pool
        return self._pool


_workers: Final = _Pool()


async def call(code: str, inputs: Mapping[str, Any], *, tell: Tell, now: float, seed: int, limits: Limits) -> Any:
    """What `code`, the body of a function, returns when `inputs` are its names; `log` is added to them.

    Time stands at `now` (seconds since the epoch, UTC) and random numbers follow from `seed`. Print goes to the log at
    level debug. A cancelled call ends at once with its worker, whatever the code does. ScriptError when it fails.
    """
    told = _Told(tell)
    try:
        value = await _feed(code + _END, inputs, told, now, seed, limits)
    finally:
        told.close()
    if not _has_description(value):
        return value
    # Monty hands over what it cannot (a range, a function) as the text that describes it. Whether such a text is one in
    # truth only the sandbox can tell: the code is run once more on the same inputs, time and chance, its result is
    # written as JSON in there, and nothing of that is logged.
    again = _returning_json(code)
    if again is not None:
        try:
            text = await _feed(again, inputs, _Told(_to_nobody), now, seed, limits, "import json as __json")
        except ScriptError as error:
            raise ScriptError("Result", _plain(error.message)) from None
        if isinstance(text, str) and _matches(text, value):
            return value
    raise ScriptError("Result", "something in it is no text, number, list or object")


def _to_nobody(level: str, message: str, fields: dict[str, Json]) -> None:
    """Drops a record: the code runs for the second time."""


def _plain(message: str) -> str:
    return message[:1].lower() + message[1:]


async def _feed(
    code: str,
    inputs: Mapping[str, Any],
    told: _Told,
    now: float,
    seed: int,
    limits: Limits,
    before: str | None = None,
) -> Any:
    from pydantic_monty import ClassInstance, MontyError

    pool = await _workers.get()
    bounds: ResourceLimits = {
        "max_feed_duration_secs": limits.seconds,
        "max_memory": limits.megabytes * 1_000_000,
        "max_recursion_depth": _RECURSION,
        "max_suspensions": _MOST_CALLS,
    }
    policy: OSPolicy = {
        "datetime": datetime.fromtimestamp(now, UTC),
        "sleep": "zero",
        "random_start": {"seed": seed},
    }
    failure: ScriptError | None = None
    try:
        # A fresh session each call: one that is used again leaks its globals from call to call.
        async with pool.checkout(
            limits=bounds, os_policy=policy, script_name="script", assert_message_annotations=False
        ) as session:
            if before is not None:
                await session.feed_run(before)
            given = {**inputs, "log": ClassInstance(_Log(told), allowed_methods=LEVELS)}
            return await session.feed_run(code, inputs=given, print_callback=told.printed)
    except MontyError as error:
        failure = _failure(error, code, limits)
        if failure.kind == "SyntaxError":
            # Told of the code as it was written: the line after its end is ours.
            failure = syntax_fault(code.removesuffix(_END)) or failure
    except RecursionError:
        failure = ScriptError("RecursionError", "the data nests lists and objects too deep for a script")
    except UnicodeError:
        failure = _half_a_character()
    raise failure


def _half_a_character() -> ScriptError:
    return ScriptError(
        "UnicodeError",
        "half of a character (a lone surrogate) is in the data, which a script cannot read; replace it before",
    )


class _Told:
    """What a script says while it runs: handed from Monty's thread to the loop's, until the call is over."""

    def __init__(self, tell: Tell) -> None:
        self._tell = tell
        self._loop = asyncio.get_running_loop()
        self._open = True
        self._begun = ""
        self._printed = 0

    def log(self, level: str, message: str, fields: dict[str, Json]) -> None:
        self._flush()
        self._hand_over(level, message, fields)

    def printed(self, stream: str, text: str) -> None:
        self._printed += len(text)
        if self._printed > _PRINTED:
            raise MemoryError(f"print wrote more than {_PRINTED:,} characters")
        *lines, self._begun = (self._begun + text).split("\n")
        for line in lines:
            self._hand_over("debug", line, {})

    def _flush(self) -> None:
        if self._begun:
            line, self._begun = self._begun, ""
            self._hand_over("debug", line, {})

    def _hand_over(self, level: str, message: str, fields: dict[str, Json]) -> None:
        self._loop.call_soon_threadsafe(self._deliver, level, message, fields)

    def _deliver(self, level: str, message: str, fields: dict[str, Json]) -> None:
        # What a worker still had to say when its visit was cancelled belongs to no visit any more.
        if self._open:
            self._tell(level, message, fields)

    def close(self) -> None:
        """Called on the loop: all that was handed over before the call ended has been delivered by then."""
        if self._begun and self._open:
            self._tell("debug", self._begun, {})
        self._open = False


class _Log:
    """What a script sees as `log`."""

    def __init__(self, told: _Told) -> None:
        self._told = told

    def debug(self, message: Any = "", **fields: Any) -> None:
        self._say("debug", message, fields)

    def info(self, message: Any = "", **fields: Any) -> None:
        self._say("info", message, fields)

    def warning(self, message: Any = "", **fields: Any) -> None:
        self._say("warning", message, fields)

    def error(self, message: Any = "", **fields: Any) -> None:
        self._say("error", message, fields)

    def _say(self, level: str, message: Any, fields: dict[str, Any]) -> None:
        from flowstudio.components.bodies import BodyError, json_bytes, not_json

        for name, value in fields.items():
            found = next(not_json(value), None)
            if found is not None:
                raise TypeError(f"log fields are JSON: {name} holds {found[1]}")
        if not isinstance(message, str):
            try:
                message = json_bytes(message).decode()
            except BodyError:
                message = str(message)
        self._told.log(level, message, fields)


def _failure(error: MontyError, code: str, limits: Limits) -> ScriptError:
    from pydantic_monty import MontyCrashedError, MontyRuntimeError, MontySyntaxError

    if isinstance(error, MontyCrashedError):
        if error.timed_out:
            return _too_long(limits)
        return ScriptError("Crash", "the process that ran the script ended; it may have used too much memory")
    kind, message = type(error.exception()).__name__, str(error)
    if isinstance(error, (MontyRuntimeError, MontySyntaxError)):
        kind, _, message = error.display("type-msg").partition(": ")
    if kind == "UnicodeEncodeError" and "surrogates" in message:
        return _half_a_character()
    if kind == "TimeoutError" and "time limit exceeded" in message:
        return _too_long(limits)
    if kind == "MemoryError":
        told = message if message.startswith("print wrote") else f"the script uses more than {limits.megabytes:,} MB"
        return ScriptError(kind, told, _place(error, code))
    if kind == "RecursionError":
        return ScriptError(kind, "functions call each other too deep, or without end", _place(error, code))
    if kind == "RuntimeError" and "suspension" in message:
        return ScriptError(kind, f"the script logs more than {_MOST_CALLS:,} lines", _place(error, code))
    if kind == "NotImplementedError" and message.startswith("The monty syntax parser"):
        return ScriptError("SyntaxError", _unsupported(message), _place(error, code))
    if kind == "ModuleNotFoundError":
        message += ", or scripts may not use it"
    if kind == "KeyError":
        message = repr(message)
    if kind == "AttributeError" and (slip := _SLIP.fullmatch(message)):
        message += f"; write [{slip[1]!r}]"
    return ScriptError(kind, message, _place(error, code))


_SLIP: Final = re.compile(r"'dict' object has no attribute '(\w+)'")


def _too_long(limits: Limits) -> ScriptError:
    return ScriptError("TimeoutError", f"the script takes longer than {limits.seconds:g} s")


def _unsupported(message: str) -> str:
    return message.replace("The monty syntax parser does not yet support ", "scripts do not have ")


def _place(error: MontyError, code: str) -> Place | None:
    """Where it failed, within the lines that the author wrote."""
    frames = error.traceback() if hasattr(error, "traceback") else []
    if not frames:
        return None
    frame = frames[-1]
    lines = code.split("\n")
    # The last line is ours: what is missing there is missing at the end of the author's.
    if frame.line >= len(lines):
        line = max(1, len(lines) - 1)
        end = len(lines[line - 1].rstrip("\r")) + 1
        return Place(line, max(1, end - 1), line, end)
    end_line = min(frame.end_line, max(frame.line, len(lines) - 1))
    end_column = frame.end_column if end_line == frame.end_line else len(lines[end_line - 1]) + 1
    return Place(frame.line, frame.column, end_line, end_column)


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


def _returning_json(code: str) -> str | None:
    """The code with each result written as JSON; None where this Python cannot read the code."""
    code = code.replace("\r\n", "\n").replace("\r", "\n")
    try:
        tree = ast.parse(code)
    except (SyntaxError, ValueError, RecursionError):
        return None
    lines = [line.encode() for line in code.split("\n")]
    returns = sorted(
        (node.value for node in _returns(tree.body) if node.value is not None),
        key=lambda node: (node.lineno, node.col_offset),
        reverse=True,
    )
    for node in returns:
        end = (node.end_lineno or node.lineno) - 1
        tail = node.end_col_offset or 0
        lines[end] = lines[end][:tail] + b"), allow_nan=False)" + lines[end][tail:]
        start = node.lineno - 1
        lines[start] = lines[start][: node.col_offset] + b"__json.dumps((" + lines[start][node.col_offset :]
    return b"\n".join([*lines, b"return 'null'"]).decode()


def _returns(body: list[ast.stmt]) -> list[ast.Return]:
    """The returns of the code itself, not those of functions in it."""
    found: list[ast.Return] = []
    waiting: list[ast.AST] = list(body)
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Return):
            found.append(node)
        elif not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda)):
            waiting.extend(child for child in ast.iter_child_nodes(node) if not isinstance(child, ast.expr))
    return found


def _doubtful(node: ast.AST) -> bool:
    """Whether Monty 1.4 may lack this; code without such a node is known to be readable."""
    match node:
        case ast.ClassDef():
            return bool(node.bases or node.keywords or node.decorator_list) or any(
                getattr(member, "decorator_list", ()) for member in node.body
            )
        case ast.ImportFrom():
            return bool(node.level) or any(name.name == "*" for name in node.names)
        case ast.comprehension():
            return bool(node.is_async)
    return type(node).__name__ in _LACKING


_LACKING: Final = frozenset(
    {"AsyncFor", "AsyncWith", "Delete", "TryStar", "TypeAlias", "Yield", "YieldFrom", "TemplateStr", "Interpolation"}
)


@lru_cache(maxsize=256)
def syntax_fault(code: str) -> ScriptError | None:
    """Why `code` cannot be a script, or None; nothing of it is run.

    Plain code is read by this Python alone, in no time. Monty itself, in a process of its own, is asked where this
    Python finds a fault, because its version may be older, and where something stands that Monty may lack.
    """
    try:
        tree = ast.parse(code)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return _asked(code)
    if any(map(_doubtful, ast.walk(tree))):
        return _asked(code)
    wrapped = ast.parse("async def script(): pass")
    function = wrapped.body[0]
    assert isinstance(function, ast.AsyncFunctionDef)
    function.body = tree.body or function.body
    try:
        # Finds what parsing does not: `break` outside of a loop. Monty finds it only when it gets there.
        compile(wrapped, "script", "exec")
    except SyntaxError as error:
        return ScriptError("SyntaxError", error.msg, _place_of(error, code))
    except (ValueError, RecursionError):
        return _asked(code)
    return None


def _place_of(error: SyntaxError, code: str) -> Place | None:
    if error.lineno is None or error.offset is None:
        return None
    # Of a tree, columns are counted in bytes.
    line = code.split("\n")[error.lineno - 1].encode()
    column = len(line[: error.offset - 1].decode(errors="replace")) + 1
    whole = len(line.decode(errors="replace")) + 1
    end = whole
    if error.end_offset is not None and error.end_lineno == error.lineno:
        end = len(line[: error.end_offset - 1].decode(errors="replace")) + 1
    return Place(error.lineno, column, error.lineno, max(end, column))


def _asked(code: str) -> ScriptError | None:
    from pydantic_monty import Monty, MontyError

    # The first line ends the call before anything of the code is done: it is read, no more.
    fed = f"return None\n{code}"
    with Monty(min_processes=0) as pool, pool.checkout(limits={"max_feed_duration_secs": 5.0}) as session:
        try:
            session.feed_run(fed)
        except MontyError as error:
            found = _failure(error, fed + "\n", Limits(5, 100))
        except UnicodeError:
            return _half_a_character()
        else:
            return None
    if found.place is not None:
        place = found.place
        found.place = Place(max(1, place.line - 1), place.column, max(1, place.end_line - 1), place.end_column)
    return found

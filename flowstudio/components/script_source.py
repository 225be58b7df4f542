"""A script's code and its failures: what is wrong with it before it runs, and where it failed when it ran."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pydantic_monty import Frame, MontyError


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


def half_a_character() -> ScriptError:
    """What is told of text that has no form in UTF-8."""
    return ScriptError(
        "UnicodeError",
        "half of a character (a lone surrogate) is in the data, which a script cannot read; replace it before",
    )


def failure_of(error: MontyError, code: str, limits: Limits, feed: int) -> ScriptError:
    """What a failure says of the code that was fed as number `feed` of its session."""
    from pydantic_monty import MontyCrashedError, MontyRuntimeError, MontySyntaxError

    if isinstance(error, MontyCrashedError):
        if error.timed_out:
            return _too_long(limits)
        return ScriptError("Crash", "the process that ran the script ended; it may have used too much memory")
    kind, message = type(error.exception()).__name__, str(error)
    place = None
    if isinstance(error, (MontyRuntimeError, MontySyntaxError)):
        kind, _, message = error.display("type-msg").partition(": ")
        place = _place(error.traceback(), code, feed)
    if kind == "UnicodeEncodeError" and "surrogates" in message:
        return half_a_character()
    if kind == "TimeoutError" and "time limit exceeded" in message:
        return _too_long(limits)
    match kind:
        case "MemoryError":
            message = f"the script uses more than {limits.megabytes:,} MB"
        case "RecursionError":
            message = "functions call each other too deep, or without end"
        case "ModuleNotFoundError":
            message += ", or scripts may not use it"
        case "KeyError":
            message = repr(message)
        case "AttributeError" if slip := _SLIP.fullmatch(message):
            message += f"; write [{slip[1]!r}]"
        case "NotImplementedError" if message.startswith(_LACKS):
            kind, message = "SyntaxError", message.replace(_LACKS, "scripts do not have ")
    return ScriptError(kind, message, place)


_SLIP: Final = re.compile(r"'dict' object has no attribute '(\w+)'")
_LACKS: Final = "The monty syntax parser does not yet support "


def _too_long(limits: Limits) -> ScriptError:
    return ScriptError("TimeoutError", f"the script takes longer than {limits.seconds:g} s")


def _place(frames: list[Frame], code: str, feed: int) -> Place | None:
    """Where it failed: the innermost place in the author's own lines, the last line of `code` being ours."""
    if not frames:
        return None
    own = [frame for frame in frames if frame.filename == f"<python-input-{feed}>"]
    frame = (own or frames)[-1]
    lines = code.split("\n")
    if frame.line >= len(lines):
        line = max(1, len(lines) - 1)
        end = len(lines[line - 1].rstrip("\r")) + 1
        return Place(line, max(1, end - 1), line, end)
    end_line = min(frame.end_line, max(frame.line, len(lines) - 1))
    end_column = frame.end_column if end_line == frame.end_line else len(lines[end_line - 1]) + 1
    return Place(frame.line, frame.column, end_line, end_column)


def returning_json(code: str) -> str | None:
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
            found = failure_of(error, fed + "\n", Limits(5, 100), 0)
        except UnicodeError:
            return half_a_character()
        else:
            return None
    if found.place is not None:
        place = found.place
        found.place = Place(max(1, place.line - 1), place.column, max(1, place.end_line - 1), place.end_column)
    return found

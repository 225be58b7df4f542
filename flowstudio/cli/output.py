"""What commands print, and the exit status that follows: results on standard output, everything else on standard error."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any, Final, NoReturn

import typer

from flowstudio.errors import ExpressionError, FlowStudioError, InvalidInputError, Problem
from flowstudio.flow.model import canonical_bytes

GOOD: Final = 0
FAILED: Final = 1
WRONG_INPUT: Final = 2
INTERRUPTED: Final = 130


def command(function: Any) -> typer.Typer:
    """A command of its own, without shell completion and rich frames."""
    app = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)
    app.command(epilog=None)(function)
    return app


def guarded(app: typer.Typer, name: str, arguments: Sequence[str]) -> int:
    """Calls a command; what is wrong with the input becomes lines and an exit status, never a traceback."""
    wants_json = "--json" in arguments
    try:
        status = app(list(arguments), prog_name=name, standalone_mode=False)
    except InvalidInputError as error:
        return refused(error.problems, wants_json)
    except ExpressionError as error:
        say(str(error))
        return WRONG_INPUT
    except FlowStudioError as error:
        say(f"{name}: {error}")
        return FAILED
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        # Whoever read our output has seen enough; the interpreter must not complain about it at the end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return GOOD
    except Exception as error:
        told = _usage_fault(error)
        if told is None:
            raise
        say(f"{name}: {told}")
        return WRONG_INPUT
    return status if isinstance(status, int) else GOOD


def _usage_fault(error: Exception) -> str | None:
    """The sentence of a wrong command line; None for any other error."""
    # typer brings its own copy of click from 0.16 on, so the class cannot be named by import.
    if not any(base.__name__ in ("ClickException", "Abort") for base in type(error).__mro__):
        return None
    message = error.format_message() if hasattr(error, "format_message") else str(error) or "stopped"
    return f"{message.rstrip('.')}; --help shows how it is called"


def say(line: str) -> None:
    """A message to a person."""
    print(line, file=sys.stderr, flush=True)


def print_json(document: Any) -> None:
    """The one JSON document of `--json`, in the form of our files."""
    sys.stdout.buffer.write(canonical_bytes(document))
    sys.stdout.flush()


def print_value(value: Any) -> None:
    """A value for people: text as it is, anything else as JSON."""
    if isinstance(value, str):
        print(value.encode(errors="replace").decode())
    else:
        print(json.dumps(value, ensure_ascii=False, indent=2))


def problem_line(problem: Problem) -> str:
    """`FILE: STEP.FIELD: what, why, what to do`."""
    place = ".".join(part for part in (problem.step, problem.field) if part)
    if not place and problem.path:
        place = ".".join(map(str, problem.path))
    told = ", ".join(part.rstrip(".") for part in (problem.what, problem.why, problem.remedy) if part)
    mark = "warning: " if problem.severity == "warning" else ""
    return ": ".join(part for part in (problem.file, place, mark + told) if part)


def show_problems(problems: Iterable[Problem]) -> None:
    """Problems for people, one a line."""
    for problem in problems:
        say(problem_line(problem))


def refused(problems: Iterable[Problem], wants_json: bool) -> int:
    """The answer to wrong input."""
    problems = list(problems)
    show_problems(problems)
    if wants_json:
        print_json({"status": "invalid", "problems": [problem.to_json() for problem in problems]})
    return WRONG_INPUT


def in_file(problems: Iterable[Problem], file: str) -> list[Problem]:
    """The same problems, said of a file."""
    return [problem if problem.file else replace(problem, file=file) for problem in problems]


def wrong(what: str, why: str = "", remedy: str = "", field: str | None = None) -> NoReturn:
    """Refuses the input with one problem."""
    raise InvalidInputError(Problem(what, why, remedy, field=field))

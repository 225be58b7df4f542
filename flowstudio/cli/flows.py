"""The commands that work on flow files: run, validate, eval, diff, export."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import IO, TYPE_CHECKING, Annotated, Any, Final

import typer

from flowstudio.cli.arguments import json_argument
from flowstudio.cli.output import (
    FAILED,
    GOOD,
    WRONG_INPUT,
    command,
    in_file,
    print_json,
    print_value,
    refused,
    say,
    show_problems,
    wrong,
)
from flowstudio.errors import ExpressionError, InvalidInputError, Problem, StoreError
from flowstudio.expressions.nothing import MISSING
from flowstudio.flow.called import among, beside
from flowstudio.flow.files import flow_from_document, read_flow, read_json, read_sample
from flowstudio.flow.model import ABSENT, Flow
from flowstudio.sdk.registry import Registry
from flowstudio.trace.events import AttemptFailed, Event, Logged
from flowstudio.trace.limits import Limited
from flowstudio.trace.payloads import canonical

if TYPE_CHECKING:
    from flowstudio.engine.bound import BoundPlan
    from flowstudio.runtime.broadcast import Broadcast
    from flowstudio.sdk.message import Message
    from flowstudio.templates.instance import Bound, Instance
    from flowstudio.templates.version import Version

Json = Any

JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON document")]
PayloadOption = Annotated[str | None, typer.Option("--payload", metavar="JSON|@FILE|-", help="The payload; - reads it")]
VarsOption = Annotated[str | None, typer.Option("--vars", metavar="@FILE", help="Values of variables, or a customer")]


def run(
    file: Annotated[str, typer.Argument(help="A flow or a template")],
    trigger: Annotated[
        str | None, typer.Option(metavar="STEP", help="Start here; needed with several triggers")
    ] = None,
    payload: PayloadOption = None,
    meta: Annotated[str | None, typer.Option(metavar="JSON|@FILE", help="The message's metadata")] = None,
    vars: VarsOption = None,  # noqa: A002 - the option's name
    set: Annotated[list[str] | None, typer.Option(metavar="NAME=VALUE", help="One variable's value")] = None,  # noqa: A002
    secret: Annotated[
        list[str] | None, typer.Option(metavar="CONNECTION.FIELD=ENV", help="A login's field, from the environment")
    ] = None,
    trace: Annotated[str | None, typer.Option(metavar="FILE", help="Write one JSON line per event")] = None,
    data: Annotated[
        str | None, typer.Option(metavar="DIR", help="Record the run, its payloads too, in this data directory")
    ] = None,
    json: JsonOption = False,
) -> int:
    """Run a flow once. Without --payload it takes the sample beside the file, else null.

    Example: flowstudio run customer-sync.flow.json --payload @order.json --set min_total=50
    """
    from flowstudio.templates.instance import bind

    version, origin = _version_of(file)
    instance = _instance(version.flow, vars, set or (), secret or ())
    try:
        bound = bind(version, instance)
        return _run(bound, origin, trigger, payload, meta, trace, data, json)
    except InvalidInputError as error:
        return refused(in_file(error.problems, file), json)


def _run(
    given: Bound,
    origin: Path | None,
    trigger: str | None,
    payload: str | None,
    meta: str | None,
    trace: str | None,
    data: str | None,
    json: bool,
) -> int:
    from flowstudio.engine.runner import Result, Runner, new_run_id, starting_step
    from flowstudio.plan.compile import compile_flow
    from flowstudio.runtime.launch import launched
    from flowstudio.sdk.message import Message

    registry = Registry.from_entry_points()
    plan = compile_flow(given.flow, registry, among(given.flows) if origin is None else beside(origin))
    start = starting_step(plan, trigger)
    told: Json = ABSENT if payload is None else json_argument(payload, "--payload")
    if told is ABSENT and origin is not None:
        several = len(plan.triggers) > 1
        told = read_sample(origin, start if several else None)
    message = Message(None if told is ABSENT else told, _meta(meta))

    async def whole() -> Result:
        recorders: list[Any] = [_Console()]
        async with AsyncExitStack() as stack:
            bound = await stack.enter_async_context(
                launched(
                    plan,
                    registry,
                    variables=given.values,
                    logins=given.connections,
                    customer=given.customer,
                    folder=None if origin is None else origin.parent,
                )
            )
            if trace is not None:
                recorders.append(stack.enter_context(_traced(trace)))
            run = new_run_id()
            if data is not None:
                recorders.append(stack.enter_context(_recorded(Path(data), bound, run, start, message, origin)))
            return await Runner(bound, start, message, run=run, recorders=recorders).run()

    result = asyncio.run(whole())
    if json:
        print_json(result.to_json())
    else:
        for output in result.outputs:
            print_value(output.payload)
        filtered = f", {result.filtered} filtered" if result.filtered else ""
        say(f"{result.status}: {result.visits} visits{filtered}, {result.duration_ms:.0f} ms (run {result.run})")
    if result.error is not None:
        tries = f" after {result.error.attempts} tries" if result.error.attempts > 1 else ""
        say(f"{result.error.step} failed{tries}: {result.error.message}")
    return GOOD if result.status == "succeeded" else FAILED


class _Console:
    """Shows a run's own log lines while it runs."""

    every_visit = False

    def record(self, event: Event) -> None:
        if isinstance(event, Logged):
            fields = "".join(f" {name}={_short(value)}" for name, value in event.fields.items())
            say(f"{event.level:<7} {event.step}: {_one_line(event.message)}{fields}")
        elif isinstance(event, AttemptFailed):
            again = f"; again in {event.wait:.1f} s"
            say(f"warning {event.step}: try {event.attempt} failed: {_one_line(event.error.message)}{again}")


def _short(value: Json) -> str:
    return _one_line(canonical(value).decode())


def _one_line(text: str) -> str:
    # A log line is one line, and what others wrote must not move the cursor of a terminal.
    return "".join(sign if sign.isprintable() else repr(sign)[1:-1] for sign in text)


class _TraceLines:
    """Writes one JSON line per event."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file

    def record(self, event: Event) -> None:
        self._file.write(canonical(event.to_json()) + b"\n")


@contextmanager
def _traced(path: str) -> Iterator[Limited]:
    """A recorder that writes a trace to a file."""
    try:
        file = open(path, "wb")  # noqa: SIM115 - only its opening is tried
    except OSError as error:
        raise StoreError(f"the trace cannot be written to {path}: {error.strerror}; choose another place") from None
    with file:
        lines = Limited(_TraceLines(file))
        try:
            yield lines
        finally:
            lines.close()


@contextmanager
def _recorded(
    folder: Path, bound: BoundPlan, run: str, trigger: str, message: Message, origin: Path | None
) -> Iterator[Broadcast]:
    """A recorder that keeps the run and its payloads in a data directory."""
    from flowstudio.runtime.broadcast import Broadcast
    from flowstudio.runtime.history import EventRecord, begin_record
    from flowstudio.stores.payloads import PayloadStore
    from flowstudio.stores.runs import RunStore

    with closing(PayloadStore(folder)) as payloads, closing(RunStore(folder)) as history:
        record = begin_record(
            history,
            payloads,
            bound,
            run=run,
            trigger=trigger,
            payload=message.payload,
            started_at=time.time(),
            path=None if origin is None else os.path.abspath(origin),
        )
        broadcast = Broadcast(bound.plan, payloads, record.told)
        broadcast.also = EventRecord(record, broadcast.ref).record
        try:
            yield broadcast
        finally:
            record.flush()


def _version_of(file: str) -> tuple[Version, Path | None]:
    """What a file holds, a flow as if it had just been published, and where its samples lie (a template has none)."""
    from flowstudio.templates.version import Version, read_template

    document = read_json(file)
    kind = document.get("format") if isinstance(document, dict) else None
    if isinstance(kind, str) and kind.startswith("flowstudio/template@"):
        return read_template(file), None
    flow = flow_from_document(document, file)
    return Version({"id": flow.id}, flow), Path(file)


def _instance(flow: Flow, values: str | None, single: Sequence[str], secrets: Sequence[str]) -> Instance:
    """What the command line says of the customer: `--vars`, over it `--set` and `--secret`."""
    from flowstudio.flow.values import read_value
    from flowstudio.templates.instance import Instance, instance_from_document, unknown

    told = Instance() if values is None else instance_from_document(json_argument(values, "--vars"), flow)
    given = dict(told.values)
    logins = {slot: _resolved(slot, login) for slot, login in told.connections.items()}
    for assignment in single:
        name, equals, text = assignment.partition("=")
        if not equals:
            wrong(f"--set {assignment} gives no value", remedy="write --set NAME=VALUE", field=name)
        if name not in flow.variables:
            raise InvalidInputError(unknown("variable", name, flow.variables, ("variables", name)))
        given[name] = read_value(name, flow.variables[name], text)
    for assignment in secrets:
        slot, part, source = _secret_argument(assignment)
        logins.setdefault(slot, {})[part] = _from_environment(source, f"--secret {slot}.{part}")
    return replace(told, values=given, connections=logins)


def _resolved(slot: str, login: Mapping[str, Json]) -> dict[str, Json]:
    """A login whose fields `env:NAME` and `file:PATH` are read; anything else is the value."""
    fields: dict[str, Json] = {}
    for part, value in login.items():
        kind, _, place = value.partition(":") if isinstance(value, str) else ("", "", "")
        if kind == "env":
            value = _from_environment(place, f"{slot}.{part}")
        elif kind == "file":
            try:
                value = Path(place).read_text().rstrip("\n")
            except (OSError, UnicodeDecodeError) as error:
                wrong(f"{place} cannot be read", f"{slot}.{part} reads it: {error}", "correct the path")
        fields[part] = value
    return fields


def _from_environment(name: str, reader: str) -> str:
    if name not in os.environ:
        wrong(f"the environment has no {name}", f"{reader} reads it", f"export {name}=…")
    return os.environ[name]


def _secret_argument(assignment: str) -> tuple[str, str, str]:
    place, equals, source = assignment.partition("=")
    slot, dot, fieldname = place.partition(".")
    if not (equals and dot and slot and fieldname and source):
        wrong(f"--secret {assignment} is incomplete", remedy="write --secret CONNECTION.FIELD=ENVIRONMENT_VARIABLE")
    return slot, fieldname, source


def _meta(text: str | None) -> dict[str, Json]:
    if text is None:
        return {}
    told = json_argument(text, "--meta")
    if not isinstance(told, dict):
        wrong("--meta is no object", remedy='write such as {"trigger": {"headers": {}}}')
    return told


def validate(
    files: Annotated[list[str], typer.Argument(help="Flow files")],
    json: JsonOption = False,
) -> int:
    """Say what is wrong with flow files, or nothing. Warnings are shown and do not fail.

    Example: flowstudio validate flows/*.flow.json
    """
    from flowstudio.plan.compile import problems_of

    registry = Registry.from_entry_points()
    found: list[Problem] = []
    for file in files:
        try:
            version, origin = _version_of(file)
        except InvalidInputError as error:
            found += in_file(error.problems, file)
        else:
            called = among(version.flows) if origin is None else beside(origin)
            found += in_file(problems_of(version.flow, registry, called), file)
    invalid = any(problem.severity == "error" for problem in found)
    show_problems(found)
    if json:
        status = "invalid" if invalid else "valid"
        print_json({"status": status, "problems": [problem.to_json() for problem in found]})
    return WRONG_INPUT if invalid else GOOD


def evaluate(
    expression: Annotated[str, typer.Argument(help="JSONata")],
    payload: PayloadOption = None,
    vars: VarsOption = None,  # noqa: A002 - the option's name
    json: JsonOption = False,
) -> int:
    """Evaluate an expression; nothing prints nothing.

    Example: flowstudio eval '$sum(lines.price)' --payload @order.json
    """
    from flowstudio.expressions.language import VisitClock, compile_expression
    from flowstudio.templates.instance import Instance, instance_from_document

    given = Instance() if vars is None else instance_from_document(json_argument(vars, "--vars"))
    told = MISSING if payload is None else json_argument(payload, "--payload")
    names: dict[str, Json] = {"vars": dict(given.values), "meta": {}, "steps": {}}
    if given.customer is not None:
        names["customer"] = {"id": given.customer, "name": given.name or given.customer}
    try:
        value = compile_expression(expression).evaluate(told, names, VisitClock(time.time(), time.time_ns()))
    except ExpressionError as error:
        return _expression_fault(expression, error, json)
    if json:
        print_json({} if value is MISSING else {"value": value})
    elif value is not MISSING:
        print_value(value)
    return GOOD


def _expression_fault(expression: str, error: ExpressionError, json: bool) -> int:
    say(error.message if not error.code else f"{error.code}: {error.message}")
    if error.position is not None and "\n" not in expression:
        say(f"  {expression}")
        say(f"  {' ' * error.position}^")
    if error.remedy:
        say(error.remedy)
    if json:
        told = {
            "code": error.code,
            "message": error.message,
            "position": error.position,
            "remedy": error.remedy or None,
        }
        print_json({"error": told})
    return WRONG_INPUT


def diff(
    a: Annotated[str, typer.Argument(help="The flow before")],
    b: Annotated[str, typer.Argument(help="The flow after")],
    json: JsonOption = False,
) -> int:
    """Compare two flows by step and field. Usable as git's external diff.

    Example: flowstudio diff old.flow.json new.flow.json
    """
    from flowstudio.flow.diff import diff as compared

    changes = compared(_side(a), _side(b))
    if json:
        print_json(changes.to_json())
    else:
        for line in changes.lines():
            print(line)
    return GOOD


def _side(file: str) -> Flow:
    version, origin = _version_of(file)
    return version.flow if origin is None else read_flow(origin, arranged=False).flow


def export(
    flow: Annotated[str, typer.Argument(help="A flow file")],
    output: Annotated[str | None, typer.Option("-o", "--output", metavar="FILE", help="Write it here")] = None,
    version: Annotated[
        str | None, typer.Option(metavar="X.Y.Z", help="The version's number; default: the next")
    ] = None,
    notes: Annotated[str, typer.Option(metavar="TEXT", help="What is new in it")] = "",
    json: JsonOption = False,
) -> int:
    """Publish a flow as a template version: a file that never changes, without secrets and samples.

    Example: flowstudio export customer-sync.flow.json --version 1.0.0 --notes "First version"
    """
    from flowstudio.plan.bundle import bundled
    from flowstudio.plan.compile import inspect
    from flowstudio.templates.version import next_version, publish, template_path, write_template

    source = read_flow(flow, arranged=False).flow
    plan, problems = inspect(source, Registry.from_entry_points(), beside(Path(flow)))
    problems = in_file(problems, flow)
    if plan is None:
        return refused(problems, json)
    folder = Path(output).parent if output else Path(flow).parent
    source, flows = bundled(plan)
    made = publish(source, version or next_version(folder, source.id, source), notes, flows)
    target = Path(output) if output else template_path(folder, made)
    write_template(target, made)
    if json:
        print_json({"file": str(target), "id": made.id, "version": made.version, "hash": made.hash})
    else:
        show_problems(problems)
        print(f"{target}: {made.id} {made.version} ({made.hash[:12]})")
    return GOOD


APPS: Final = {
    "run": command(run),
    "validate": command(validate),
    "eval": command(evaluate),
    "diff": command(diff),
    "export": command(export),
}

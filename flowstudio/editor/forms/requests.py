"""cURL commands in the editor: one that is pasted becomes a request step with its connection, a step becomes a command."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urlencode, urlsplit

from flowstudio.editor.document import Document
from flowstudio.editor.forms.expression import as_expression
from flowstudio.editor.forms.logins import SECRET_VALUES
from flowstudio.editor.forms.preview import Previewed
from flowstudio.editor.forms.surroundings import Surroundings
from flowstudio.editor.workspace import Workspace
from flowstudio.errors import ExpressionError
from flowstudio.expressions.braces import braces_of
from flowstudio.expressions.names import rename_variable, rename_variable_in_text
from flowstudio.flow.edits import AddStep, Edit, Move, SetConfig, SetConnection, SetStep, SetVariable, Several
from flowstudio.flow.model import Flow, Json, Slot, Variable
from flowstudio.importers.curl import CurlRequest, Login, read_curl, write_curl
from flowstudio.plan.literals import free_name
from flowstudio.sdk.registry import Registry
from flowstudio.trace.redact import MASK

HTTP: Final = "http@1"
"""The component that a command becomes."""

_OWN: Final = ("method", "url", "query", "headers", "body", "body_type", "connection")
"""The settings that a command tells; a step that it is pasted into keeps the others."""


@dataclass(frozen=True, slots=True)
class PastedRequest:
    """What pasting a command does: the edit, and beside it what belongs into no flow.

    `logins` are (slot, field, value) for the test logins, those of secret variables among them.
    """

    step: str
    edit: Edit
    logins: tuple[tuple[str, str, str], ...] = ()
    remarks: tuple[str, ...] = ()


@dataclass(slots=True)
class _Parts:
    edits: list[Edit] = field(default_factory=list)
    logins: list[tuple[str, str, str]] = field(default_factory=list)


def paste_curl(
    document: Document,
    workspace: Workspace,
    registry: Registry,
    command: str,
    *,
    step: str | None = None,
    place: tuple[float, float] | None = None,
) -> PastedRequest:
    """Makes a request step of a cURL command, or changes the step `step`, as one step of undo.

    CurlError says why the text is no command that can be taken. The caller shows the remarks.
    """
    found = pasted_request(document.flow, workspace, registry, read_curl(command), step=step, place=place)
    document.end_series()
    if document.apply(found.edit):
        for slot, name, value in found.logins:
            workspace.set_login(slot, name, value)
    document.end_series()
    return found


def pasted_request(
    flow: Flow,
    workspace: Workspace,
    registry: Registry,
    request: CurlRequest,
    *,
    step: str | None = None,
    place: tuple[float, float] | None = None,
) -> PastedRequest:
    """What pasting a request does to a flow."""
    parts = _Parts()
    config = dict(request.config)
    for name in request.variables:
        if name not in flow.variables:
            parts.edits.append(SetVariable(name, Variable("text", title=_title(name), required=True)))
    for name, value in request.secrets.items():
        chosen = _secret_name(flow, workspace, name, value)
        if chosen not in flow.variables:
            parts.edits.append(SetVariable(chosen, Variable("secret", title=_title(name), required=True)))
        if value:
            parts.logins.append((SECRET_VALUES, chosen, value))
        if chosen != name:
            config = {key: _renamed(part, key, name, chosen) for key, part in config.items()}
    if request.login is not None:
        config["connection"] = _slot_for(flow, workspace, registry, request.login, str(config["url"]), parts)
    key = step
    if key is None:
        key = free_name("request", flow.steps)
        parts.edits.append(AddStep(key, HTTP, config, _step_name(config)))
        if place is not None:
            parts.edits.append(Move({key: place}))
    else:
        kept = {name: part for name, part in flow.steps[key].config.items() if name not in _OWN}
        parts.edits.append(SetConfig(key, (), {**config, **kept}))
    if request.timeout is not None:
        parts.edits.append(SetStep(key, "timeout", request.timeout))
    if request.attempts is not None:
        retry = dict(flow.steps[key].retry or {}) if step is not None else {}
        parts.edits.append(SetStep(key, "retry", {**retry, "attempts": request.attempts}))
    return PastedRequest(key, Several("paste a cURL command", tuple(parts.edits)), tuple(parts.logins), request.remarks)


def _secret_name(flow: Flow, workspace: Workspace, name: str, value: str) -> str:
    """The variable that a secret goes into: one of that name that holds it or nothing yet, else a new one."""
    known = flow.variables.get(name)
    if known is None:
        return name
    given = workspace.login(SECRET_VALUES, [name]).get(name)
    if known.type == "secret" and (not value or given in (None, value)):
        return name
    return free_name(name, flow.variables)


def _renamed(part: Json, key: str, old: str, new: str) -> Json:
    if isinstance(part, Mapping):
        return {name: _renamed(value, key, old, new) for name, value in part.items()}
    if not isinstance(part, str):
        return part
    return rename_variable(part, old, new) if key == "body" else rename_variable_in_text(part, old, new)


def _slot_for(flow: Flow, workspace: Workspace, registry: Registry, login: Login, url: str, parts: _Parts) -> str:
    """The slot that a login goes into: one that holds the same already, else a new one named after the host."""
    given = {name: value for name, value in login.fields.items() if value}
    names = [spec.name for spec in registry.connection(login.kind).fields]
    for name, slot in flow.connections.items():
        if slot.type == login.kind and given and workspace.login(name, names) == given:
            return name
    host = urlsplit(url).hostname if "{{" not in url.split("/")[2:3] else None
    host = (host or "").removeprefix("www.").removeprefix("api.")
    name = free_name(host.partition(".")[0] or login.kind, flow.connections)
    parts.edits.append(SetConnection(name, Slot(login.kind, title=host or registry.connection(login.kind).title)))
    parts.logins += [(name, each, value) for each, value in given.items()]
    return name


def _step_name(config: Mapping[str, Json]) -> str:
    """What a new step is called: `POST orders`."""
    path = urlsplit(str(config["url"])).path.strip("/").split("/")[-1]
    method = str(config.get("method", "GET"))
    return f"{method} {path}" if path and "{" not in path and "}" not in path else f"{method} request"


def _title(name: str) -> str:
    return name.replace("_", " ").capitalize()


def copy_curl(around: Surroundings, on_command: Callable[[str, str], None]) -> None:
    """Makes a cURL command of the request step on show, its settings evaluated on the sample; secrets are `$NAME`.

    `on_command` is called with the command, later, or with nothing and the reason why the settings give no request.
    """
    step = around.step
    if step is None:
        return
    config = around.flow.steps[step].config

    def came(result: Previewed) -> None:
        if isinstance(result.value, Mapping):
            on_command(_command(around, config, result.value), "")
        else:
            on_command("", result.reason or "Run the step before to see its fields")

    try:
        source = request_source(config)
    except ExpressionError as error:
        on_command("", error.message)
        return
    around.preview(source, came)


def request_source(config: Mapping[str, Json]) -> str:
    """An expression that gives what the settings of a request step say on a message."""
    parts = [f'"url": {_source(config.get("url", ""))}']
    for key in ("query", "headers"):
        entries = config.get(key)
        if isinstance(entries, Mapping) and entries:
            inner = ", ".join(f"{_quoted(name)}: {_source(text)}" for name, text in entries.items())
            parts.append(f'"{key}": {{{inner}}}')
    body = config.get("body")
    if isinstance(body, str) and body.strip():
        parts.append(f'"body": ({body})')
    elif config.get("method", "GET") in ("POST", "PUT", "PATCH"):
        parts.append('"body": $')
    return "{" + ", ".join(parts) + "}"


def _source(text: Json) -> str:
    if not isinstance(text, str):
        return "null"
    return f"({as_expression(text)})" if "{{" in text or braces_of(text) is not None else _quoted(text)


def _quoted(text: str) -> str:
    return as_expression(text.replace("{{", r"\{{")) if text else '""'


def _command(around: Surroundings, config: Mapping[str, Json], value: Mapping[str, Json]) -> str:
    headers = {name: str(text) for name, text in dict(value.get("headers") or {}).items() if text is not None}
    query = {name: str(text) for name, text in dict(value.get("query") or {}).items() if text is not None}
    body = value.get("body")
    body_type = config.get("body_type", "json")
    if body_type == "form" and isinstance(body, Mapping):
        headers.setdefault("Content-Type", "application/x-www-form-urlencoded")
    slot = config.get("connection")
    if isinstance(slot, str) and slot in around.flow.connections:
        _add_login(around, slot, headers, query)
    url = str(value.get("url", ""))
    if query:
        url += ("&" if "?" in url else "?") + urlencode(query)
    if body_type == "form" and isinstance(body, Mapping):
        body = urlencode(dict(body), doseq=True)
    return write_curl({"method": config.get("method", "GET"), "url": url, "headers": headers, "body": body}, mask=MASK)


def _add_login(around: Surroundings, slot: str, headers: dict[str, str], query: dict[str, str]) -> None:
    """Adds what a connection sends along: masked, for a command holds no secret."""
    kind = around.flow.connections[slot].type
    if kind == "bearer":
        headers["Authorization"] = f"Bearer {MASK}"
    elif kind == "basic":
        headers["Authorization"] = f"Basic {MASK}"
    elif kind == "api-key":
        given = around.workspace.login(slot, ["name", "in"])
        target = query if given.get("in") == "query" else headers
        target[given.get("name", "X-API-Key")] = MASK

"""The control API of a host, below `/api/v1`: instances put in place, listed and paused, runs looked at and resumed."""

from __future__ import annotations

import asyncio
import hmac
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from flowstudio.errors import FlowStudioError, InvalidInputError
from flowstudio.runtime.answers import json_answer
from flowstudio.runtime.host import Host
from flowstudio.runtime.lookup import Lookup
from flowstudio.runtime.reviving import resume
from flowstudio.runtime.webserver import Incoming, Outgoing
from flowstudio.stores.journal import HostedRun
from flowstudio.templates.table import CUSTOMERS_FORMAT, entries_of
from flowstudio.trace.canonical import canonical, parse
from flowstudio.trace.events import iso

Json = Any
Scope = Literal["read", "deploy", "admin"]

_log = logging.getLogger(__name__)

SCOPES: Final[tuple[Scope, ...]] = ("read", "deploy", "admin")
"""Each may do what those before it may."""
TOKENS: Final[Mapping[str, Scope]] = {
    "FLOWSTUDIO_API_TOKEN_READ": "read",
    "FLOWSTUDIO_API_TOKEN_DEPLOY": "deploy",
    "FLOWSTUDIO_API_TOKEN": "admin",
}
"""The variables of the environment that hold the tokens, and what each allows."""
BASE: Final = "/api/v1"
_MOST: Final = 1_000


@dataclass(frozen=True, slots=True)
class _Route:
    method: str
    path: str
    """With names in braces; the last one may hold slashes where nothing follows."""
    scope: Scope
    title: str
    answer: Callable[[Control, Mapping[str, str], Incoming], Awaitable[Outgoing]]
    query: tuple[str, ...] = ()
    body: str = ""
    """What the body is, as OpenAPI says it: the name of one of its schemas."""

    def match(self, parts: Sequence[str]) -> dict[str, str] | None:
        """The named parts of a path, None where it is another one."""
        own = self.path.strip("/").split("/")
        if len(own) != len(parts):
            return None
        named = {}
        for mine, given in zip(own, parts, strict=True):
            if mine.startswith("{"):
                named[mine[1:-1]] = given
            elif mine != given:
                return None
        return named


class Control:
    """Answers the control API's requests. Off (404) where `tokens` is empty; `changed` hears of changed instances."""

    def __init__(self, host: Host, tokens: Mapping[str, Scope], changed: Callable[[], Awaitable[None]]) -> None:
        self._host = host
        self._tokens = dict(tokens)
        self._changed = changed
        self._lookup: Lookup | None = None

    def close(self) -> None:
        """Ends the use of what was opened to look at runs."""
        if self._lookup is not None:
            self._lookup.close()

    async def answer(self, incoming: Incoming) -> Outgoing:
        """The answer to a request below `/api/v1`."""
        if not self._tokens:
            return json_answer(
                404, {"error": "the control API is off; set FLOWSTUDIO_API_TOKEN and start the host anew"}
            )
        scope = self._scope(incoming)
        if scope is None:
            return json_answer(
                401, {"error": "give a token: Authorization: Bearer TOKEN"}, {"www-authenticate": "Bearer"}
            )
        parts = incoming.path.removeprefix(BASE).strip("/").split("/")
        allowed = []
        for route in ROUTES:
            named = route.match(parts)
            if named is None:
                continue
            if route.method != incoming.method:
                allowed.append(route.method)
                continue
            if SCOPES.index(scope) < SCOPES.index(route.scope):
                return json_answer(403, {"error": f"this token may {scope}, and this asks for {route.scope}"})
            try:
                return await route.answer(self, named, incoming)
            except InvalidInputError as error:
                return json_answer(422, {"problems": [problem.to_json() for problem in error.problems]})
            except LookupError as error:
                return json_answer(404, {"error": str(error.args[0] if error.args else error)})
            except FlowStudioError as error:
                return json_answer(503, {"error": str(error)}, {"retry-after": "5"})
        if allowed:
            return json_answer(405, {"error": f"use {' or '.join(allowed)} here"}, {"allow": ", ".join(allowed)})
        return json_answer(404, {"error": "nothing is at this address"})

    def _scope(self, incoming: Incoming) -> Scope | None:
        kind, _, given = incoming.headers.get("authorization", "").partition(" ")
        found: Scope | None = None
        # All of them are compared: the time taken tells nothing of which came near.
        for token, scope in self._tokens.items():
            if hmac.compare_digest(token.encode(), given.strip().encode(errors="surrogatepass")):
                found = scope
        return found if kind.lower() == "bearer" else None

    async def put_instance(self, named: Mapping[str, str], incoming: Incoming) -> Outgoing:
        """Puts an instance in place, or changes it."""
        try:
            given = parse(incoming.body or b"{}")
        except ValueError:
            return json_answer(400, {"error": "the body is no JSON"})
        if not isinstance(given, dict):
            return json_answer(400, {"error": "the body is a JSON object with values, connections, overrides"})
        number = given.pop("version", None)
        fleet = self._host.fleet
        known = fleet.catalogue.instance(named["customer"], named["template"])
        number = number or (known.version if known is not None else None)
        version = fleet.version(named["template"], None if number is None else str(number))
        document = {"format": CUSTOMERS_FORMAT, "customers": [{**given, "customer": named["customer"]}]}
        read = entries_of(canonical(document), "the request.json", version)
        if read.faults:
            return json_answer(422, {"problems": [fault.to_json() for fault in read.faults]})
        found = await asyncio.to_thread(fleet.compare, version, read.entries, elsewhere=False)
        if found.faults:
            return json_answer(422, found.to_json(applied=False))
        await asyncio.to_thread(fleet.apply, version, found)
        await self._changed()
        return json_answer(201 if found.create else 200, found.to_json(applied=True))

    async def remove_instance(self, named: Mapping[str, str], incoming: Incoming) -> Outgoing:
        """Removes an instance with what its customer gave."""
        removed = await asyncio.to_thread(self._host.fleet.remove, [(named["customer"], named["template"])])
        await self._changed()
        return json_answer(200, {"removed": removed})

    async def instances(self, named: Mapping[str, str], incoming: Incoming) -> Outgoing:
        """All instances as they stand."""
        found = self._host.fleet.instances(self._host.runs.outcomes(self._host.now()), incoming.query.get("template"))
        return json_answer(200, [each.to_json() for each in found])

    async def pause(self, named: Mapping[str, str], incoming: Incoming) -> Outgoing:
        """Pauses an instance."""
        return await self._paused(named, paused=True)

    async def go_on(self, named: Mapping[str, str], incoming: Incoming) -> Outgoing:
        """Lets a paused instance go on."""
        return await self._paused(named, paused=False)

    async def _paused(self, named: Mapping[str, str], *, paused: bool) -> Outgoing:
        changed = self._host.fleet.pause([(named["customer"], named["template"])], paused=paused)
        await self._changed()
        return json_answer(200, {"changed": bool(changed)})

    async def runs(self, named: Mapping[str, str], incoming: Incoming) -> Outgoing:
        """Runs, the newest first."""
        query = incoming.query
        customer, slash, template = query.get("instance", "").partition("/")
        try:
            limit, offset = int(query.get("limit", "100")), int(query.get("offset", "0"))
        except ValueError:
            return json_answer(400, {"error": "limit and offset are numbers"})
        found = self._host.runs.runs(
            (customer, template) if slash else None,
            query.get("status") or None,
            query.get("find", ""),
            max(0, min(limit, _MOST)),
            max(0, offset),
        )
        return json_answer(200, [run_told(run) for run in found])

    async def run(self, named: Mapping[str, str], incoming: Incoming) -> Outgoing:
        """One run."""
        return json_answer(200, run_told(self._found(named["run"])))

    async def trace(self, named: Mapping[str, str], incoming: Incoming) -> Outgoing:
        """What happened in a run, event by event, with references for payloads."""
        events = await self._opened().trace(self._found(named["run"]))
        return json_answer(200, {"total": len(events), "events": events})

    async def payload(self, named: Mapping[str, str], incoming: Incoming) -> Outgoing:
        """A payload by its hash, as traces name it."""
        body = await asyncio.to_thread(self._opened().payload, named["hash"])
        return Outgoing(200, {"content-type": "application/json"}, body)

    async def resume(self, named: Mapping[str, str], incoming: Incoming) -> Outgoing:
        """Goes on with a run that failed."""
        try:
            given = parse(incoming.body or b"{}")
        except ValueError:
            return json_answer(400, {"error": "the body is no JSON"})
        step = given.get("from") if isinstance(given, dict) else None
        runner = await resume(self._host, self._found(named["run"]).run, None if step is None else str(step))
        return json_answer(202, {"run": runner.id})

    async def openapi(self, named: Mapping[str, str], incoming: Incoming) -> Outgoing:
        """This API as an OpenAPI document."""
        return json_answer(200, openapi())

    def _opened(self) -> Lookup:
        """What looks into runs; a host that nobody asks opens no history."""
        if self._lookup is None:
            host = self._host
            self._lookup = Lookup(host.folder, host.fleet, host.seal, host.registry)
        return self._lookup

    def _found(self, run: str) -> HostedRun:
        found = self._host.runs.run(run)
        if found is None:
            raise LookupError(f"there is no run {run}")
        return found


def run_told(run: HostedRun) -> dict[str, Json]:
    """A run as the API tells it."""
    return {
        "run": run.run,
        "instance": run.instance,
        "version": run.version,
        "trigger": run.trigger,
        "label": run.label,
        "status": run.status,
        "started_at": iso(run.started_at),
        "ended_at": None if run.ended_at is None else iso(run.ended_at),
        "visits": run.visits,
        "error": None if run.error is None else dict(run.error),
    }


ROUTES: Final = (
    _Route(
        "PUT",
        "/customers/{customer}/instances/{template}",
        "deploy",
        "Put an instance in place, or change it; what is not named stays as it was",
        Control.put_instance,
        body="Instance",
    ),
    _Route(
        "DELETE",
        "/customers/{customer}/instances/{template}",
        "deploy",
        "Remove an instance with what its customer gave",
        Control.remove_instance,
    ),
    _Route("GET", "/instances", "read", "All instances as they stand", Control.instances, ("template",)),
    _Route("POST", "/instances/{customer}/{template}/pause", "deploy", "Pause an instance", Control.pause),
    _Route("POST", "/instances/{customer}/{template}/resume", "deploy", "Let a paused instance go on", Control.go_on),
    _Route(
        "GET",
        "/runs",
        "read",
        "Runs, the newest first",
        Control.runs,
        ("instance", "status", "find", "limit", "offset"),
    ),
    _Route("GET", "/runs/{run}", "read", "One run", Control.run),
    _Route("GET", "/runs/{run}/trace", "read", "What happened in a run, event by event", Control.trace),
    _Route("GET", "/payloads/{hash}", "read", "A payload by its hash, secrets masked", Control.payload),
    _Route("POST", "/runs/{run}/resume", "deploy", "Go on with a run that failed", Control.resume, body="Resume"),
    _Route("GET", "/openapi.json", "read", "This API as an OpenAPI document", Control.openapi),
)
"""The addresses of the API."""

_SCHEMAS: Final[dict[str, Json]] = {
    "Instance": {
        "type": "object",
        "properties": {
            "version": {"type": "string", "description": "The template's version; else that of before, or the newest"},
            "name": {"type": "string", "description": "What the customer is called"},
            "values": {"type": "object", "description": "Values of variables by name"},
            "connections": {
                "type": "object",
                "description": "Logins by connection: the values of their fields",
                "additionalProperties": {"type": "object", "additionalProperties": {"type": "string"}},
            },
            "overrides": {
                "type": "array",
                "description": "Edits that make the flow another one for this customer; [] takes all back",
                "items": {"type": "object"},
            },
        },
    },
    "Resume": {
        "type": "object",
        "properties": {"from": {"type": "string", "description": "The step to go on at; else where it failed"}},
    },
}


def openapi() -> dict[str, Json]:
    """The API as an OpenAPI document."""
    paths: dict[str, dict[str, Json]] = {}
    for route in ROUTES:
        named = [part[1:-1] for part in route.path.split("/") if part.startswith("{")]
        parameters = [
            {"name": name, "in": place, "required": place == "path", "schema": {"type": "string"}}
            for place, names in (("path", named), ("query", route.query))
            for name in names
        ]
        told: dict[str, Json] = {
            "summary": route.title,
            "description": f"Asks for a token with the scope {route.scope}.",
            "parameters": parameters,
            "responses": {
                "2XX": {"description": "Done", "content": {"application/json": {"schema": {}}}},
                "4XX": {"description": "Why not", "content": {"application/json": {"schema": {"type": "object"}}}},
            },
        }
        if route.body:
            schema = {"$ref": f"#/components/schemas/{route.body}"}
            told["requestBody"] = {"content": {"application/json": {"schema": schema}}}
        paths.setdefault(f"{BASE}{route.path}", {})[route.method.lower()] = told
    return {
        "openapi": "3.1.0",
        "info": {"title": "FlowStudio host", "version": "1"},
        "security": [{"token": []}],
        "paths": paths,
        "components": {"securitySchemes": {"token": {"type": "http", "scheme": "bearer"}}, "schemas": _SCHEMAS},
    }


__all__ = ["BASE", "ROUTES", "SCOPES", "TOKENS", "Control", "Scope", "openapi", "run_told"]

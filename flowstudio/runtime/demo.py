"""The target system that `demo:` values stand for: a small CRM, shop or whatever it is called, on a loopback port.

`demo://crm` becomes `http://127.0.0.1:PORT/crm`. Below a system's name any path is a collection:

    POST   /crm/customers              stores, 201 with {"id": "crm-1001", "status": "created", "name": ...} and Location
    GET    /crm/customers?city=Graz    lists, those alone whose fields have the values asked for
    GET    /crm/customers/crm-1001     reads; PUT replaces, PATCH changes, DELETE removes

A few documents lie there from the beginning, for flows that fetch something: `GET /warehouse/stock.csv`.

A repeated Idempotency-Key gets the first answer once more, and nothing is stored. It forgets all when it ends.
"""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import quote

from flowstudio.errors import StepError
from flowstudio.runtime.webserver import Address, Incoming, Outgoing, WebServer
from flowstudio.trace.payloads import canonical, parse

Json = Any

_FIRST_NUMBER: Final = 1001
_MAX_BODY: Final = 100_000_000

_DOCUMENTS: Final = {
    "warehouse/stock.csv": (
        "text/csv; charset=utf-8",
        """\
sku,name,shelf,stock,minimum
TEE-L,"T-shirt, large",A-03,42,20
TEE-S,"T-shirt, small",A-04,7,20
MUG-WHITE,"Mug, white",B-11,118,40
MUG-BLUE,"Mug, blue",B-12,12,40
BAG-CANVAS,Canvas bag,C-02,35,15
CAP-GREEN,"Cap, green",C-07,3,10
PEN-BLUE,"Fountain pen, blue",D-01,60,25
BOOK-A5,Notebook A5,D-05,240,100
""",
    ),
}
"""What lies there from the beginning, by path: its content type and its text."""


@dataclass(slots=True)
class _System:
    """What one system holds: its collections by path, each from id to record."""

    name: str
    created: int = 0
    collections: dict[str, dict[str, dict[str, Json]]] = field(default_factory=dict)

    def new_id(self) -> str:
        self.created += 1
        return f"{self.name}-{_FIRST_NUMBER + self.created - 1}"


class DemoTarget:
    """A running target: `async with DemoTarget(fail=2) as demo`; its first `fail` requests are answered 503.

    `received` holds every request that came, `repeats` how many of them came once more with a known Idempotency-Key.
    """

    def __init__(self, fail: int = 0, port: int = 0) -> None:
        self.received: list[Incoming] = []
        self.repeats = 0
        self._fail = fail
        self._systems: dict[str, _System] = {}
        self._answers: dict[tuple[str, str, str], Outgoing] = {}
        self._server = WebServer(self._answer, port=port, body_limit=lambda method, path: _MAX_BODY)
        self._address: Address | None = None

    async def __aenter__(self) -> DemoTarget:
        self._address = await self._server.start()
        return self

    async def __aexit__(self, *error: object) -> None:
        # The flow that called it is over: nobody waits for an answer.
        await self._server.stop(grace=0.2)

    @property
    def url(self) -> str:
        """Where it listens, without a final slash."""
        if self._address is None:
            raise RuntimeError("the demo target is not running")
        return self._address.url

    def url_for(self, value: str) -> str:
        """The address that a value beginning with `demo:` stands for."""
        rest = value.removeprefix("demo:").lstrip("/")
        return f"{self.url}/{rest or 'demo'}"

    def records(self, path: str) -> list[Json]:
        """What a collection holds (`crm/customers`), oldest first."""
        name, _, collection = path.strip("/").partition("/")
        system = self._systems.get(name)
        return list(system.collections.get(collection, {}).values()) if system else []

    async def _answer(self, incoming: Incoming) -> Outgoing:
        self.received.append(incoming)
        if self._fail > 0:
            self._fail -= 1
            return _json(503, {"error": "This system is busy; try again"}, {"Retry-After": "0"})
        name, _, path = incoming.path.strip("/").partition("/")
        if not name:
            held = {
                s.name: {path: len(records) for path, records in s.collections.items()} for s in self._systems.values()
            }
            return _json(200, {"systems": held, "requests": len(self.received)})
        key = (incoming.method, incoming.path, incoming.headers.get("idempotency-key", ""))
        if key[2] and key in self._answers:
            self.repeats += 1
            return self._answers[key]
        try:
            answer = self._act(self._systems.setdefault(name, _System(name)), path, incoming)
        except (ValueError, StepError):
            answer = _json(400, {"error": "The body is no JSON, or nests too deep; name another Content-Type"})
        if key[2] and answer.status < 400:
            self._answers[key] = answer
        return answer

    def _act(self, system: _System, path: str, incoming: Incoming) -> Outgoing:
        document = _DOCUMENTS.get(f"{system.name}/{path}")
        if document is not None and incoming.method in ("GET", "HEAD"):
            return Outgoing(200, {"Content-Type": document[0]}, document[1].encode())
        parent, _, last = path.rpartition("/")
        siblings = system.collections.get(parent, {})
        if last in siblings:
            return self._act_on_record(siblings, last, incoming)
        if incoming.method == "POST":
            return self._create(system, path, _content(incoming))
        collection = system.collections.get(path)
        if incoming.method in ("GET", "HEAD") and (collection is not None or not last.startswith(f"{system.name}-")):
            wanted = incoming.query.items()
            records = [r for r in (collection or {}).values() if all(_text(r.get(k)) == v for k, v in wanted)]
            return _json(200, records)
        if incoming.method in ("GET", "HEAD", "PUT", "PATCH", "DELETE"):
            return _json(404, {"error": f"There is no {last or 'record'} here"})
        return _json(405, {"error": f"{incoming.method} is not known here"}, {"Allow": "GET, POST, PUT, PATCH, DELETE"})

    def _create(self, system: _System, path: str, content: Json) -> Outgoing:
        identity = system.new_id()
        record = _record(identity, content)
        system.collections.setdefault(path, {})[identity] = record
        told = {"id": identity, "status": "created"}
        if "name" in record:
            told["name"] = record["name"]
        place = [quote(part) for part in (system.name, path, identity) if part]
        return _json(201, told, {"Location": "/" + "/".join(place)})

    def _act_on_record(self, records: dict[str, dict[str, Json]], identity: str, incoming: Incoming) -> Outgoing:
        if incoming.method in ("PUT", "PATCH"):
            changed = _record(identity, _content(incoming))
            records[identity] = changed if incoming.method == "PUT" else {**records[identity], **changed}
        elif incoming.method == "DELETE":
            del records[identity]
            return Outgoing(204)
        elif incoming.method not in ("GET", "HEAD"):
            return _json(405, {"error": f"{incoming.method} is not known here"}, {"Allow": "GET, PUT, PATCH, DELETE"})
        return _json(200, records[identity])


async def serve(port: int = 0, fail: int = 0, announce: Callable[[str], None] | None = None) -> None:
    """Runs a demo target until it is cancelled; `announce` is told its address once it listens."""
    async with DemoTarget(fail=fail, port=port) as demo:
        if announce is not None:
            announce(demo.url)
        await asyncio.Event().wait()


def _content(incoming: Incoming) -> Json:
    """A body as JSON: what says so is read, text stays text, anything else becomes base64. ValueError if it lies."""
    if not incoming.body:
        return None
    kind = incoming.headers.get("content-type", "application/json").partition(";")[0].strip().lower()
    if kind.endswith("json"):
        return parse(incoming.body)
    try:
        return {"content_type": kind, "text": incoming.body.decode()}
    except UnicodeDecodeError:
        return {"content_type": kind, "base64": base64.b64encode(incoming.body).decode()}


def _record(identity: str, content: Json) -> dict[str, Json]:
    """What is kept: the content under an id of this system; one that came along becomes `external_id`."""
    if not isinstance(content, dict):
        return {"id": identity} if content is None else {"id": identity, "value": content}
    record = {"id": identity, **content}
    if "id" in content and content["id"] != identity:
        record = {**record, "id": identity, "external_id": content["id"]}
    return record


def _text(value: Json) -> str:
    return value if isinstance(value, str) else canonical(value).decode()


def _json(status: int, value: Json, headers: dict[str, str] | None = None) -> Outgoing:
    return Outgoing(status, {"Content-Type": "application/json", **(headers or {})}, canonical(value))

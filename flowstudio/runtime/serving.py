"""Serves a host over HTTP: webhooks, the control API, and what a supervisor asks; until it is told to stop."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import sys
import time
from collections.abc import Callable, Mapping
from typing import Any, Final

from flowstudio.errors import FlowStudioError
from flowstudio.runtime.answers import json_answer
from flowstudio.runtime.control import Control, Scope
from flowstudio.runtime.host import Host
from flowstudio.runtime.reviving import go_on, resume
from flowstudio.runtime.schedules import Schedules
from flowstudio.runtime.webserver import Address, Incoming, Limits, Outgoing, WebServer

Json = Any

_log = logging.getLogger(__name__)

LOOKS_EVERY: Final = 0.3
"""Seconds between two looks at what is deployed, and at what others ask for."""
GRACE: Final = 20.0
"""Seconds that runs under way have to end when the host stops; the others go on when it comes again."""
MOST_CONNECTIONS: Final = 4_000
KEPT_DAYS: Final = 30.0
_DAY: Final = 86_400.0
_SWEPT_EVERY: Final = 3_600.0
_CONTROL_BYTES: Final = 4_000_000
_SLOW: Final = 8.0
"""Seconds after which a sender that says nothing is cut off."""
_STRANGER_BYTES: Final = 65_536


class Serving:
    """A host that is open, with its web server, its schedules, and an eye on the catalogue."""

    def __init__(
        self, host: Host, tokens: Mapping[str, Scope], address: str, port: int, public: str | None = None
    ) -> None:
        self._host = host
        self._control = Control(host, tokens, self._changed)
        self._public = public
        limits = Limits(header_seconds=_SLOW, body_seconds=_SLOW, connections=MOST_CONNECTIONS)
        self._server = WebServer(self._answer, address, port, limits, self._body_limit)
        self._begun = time.time()
        self._is_ready = False
        self._watching = contextlib.AsyncExitStack()

    async def start(self, told: Callable[[Address], object] = lambda address: None) -> None:
        """Opens the host, goes on with what was under way, and listens. `told` hears where."""
        _let_open(2 * MOST_CONNECTIONS)
        address = await self._server.start()
        try:
            self._host.base_url = (self._public or address.url).rstrip("/")
            await self._host.open()
        except BaseException:
            await self._server.stop(0)
            raise
        gone_on = await go_on(self._host)
        if gone_on:
            _log.warning("Going on with %d runs that were under way when the host before ended", gone_on)
        self._schedules = Schedules(self._host)
        self._is_ready = True
        for work in (self._schedules.run(), self._watch(), self._sweep()):
            self._watching.push_async_callback(_ended, asyncio.ensure_future(work))
        told(address)

    async def stop(self, grace: float = GRACE) -> None:
        """Takes nothing more in, lets what is under way end, and closes the host."""
        self._is_ready = False
        begun = time.monotonic()
        await self._watching.aclose()
        await self._server.stop(grace / 2)
        self._control.close()
        await self._host.close(max(0.0, grace - (time.monotonic() - begun)))

    async def _answer(self, incoming: Incoming) -> Outgoing:
        path = incoming.path
        if path.startswith("/in/"):
            if not self._is_ready:
                return json_answer(503, {"error": "the host is not ready"}, {"retry-after": "1"})
            return await self._host.webhook(incoming)
        if path == "/healthz":
            return json_answer(200, {"status": "alive"})
        if path == "/readyz":
            return self._ready()
        if path == "/metrics":
            return Outgoing(200, {"content-type": "text/plain; version=0.0.4; charset=utf-8"}, self._metrics().encode())
        if path.startswith("/api/v1/") and self._is_ready:
            return await self._control.answer(incoming)
        return json_answer(404, {"error": "nothing is at this address"})

    def _body_limit(self, method: str, path: str) -> int:
        if path.startswith("/in/") and self._is_ready:
            limit = self._host.body_limit(path)
            return _STRANGER_BYTES if limit is None else limit
        return _CONTROL_BYTES if path.startswith("/api/v1/") else _STRANGER_BYTES

    def _ready(self) -> Outgoing:
        if not self._is_ready:
            return json_answer(503, {"status": "not ready"})
        if self._host.journal.trouble is not None:
            return json_answer(503, {"status": "the journal cannot be written"})
        return json_answer(200, {"status": "ready"})

    def _metrics(self) -> str:
        host = self._host
        lines = [
            "# TYPE flowstudio_up_seconds gauge",
            f"flowstudio_up_seconds {time.time() - self._begun:.0f}",
        ]
        if self._is_ready:
            lines += [
                "# TYPE flowstudio_instances gauge",
                f'flowstudio_instances{{state="ready"}} {len(host.instances)}',
                f'flowstudio_instances{{state="resting"}} {len(host.resting)}',
                "# TYPE flowstudio_runs_under_way gauge",
                f"flowstudio_runs_under_way {len(host.under_way)}",
                "# TYPE flowstudio_journal_writes gauge",
                f"flowstudio_journal_writes {int(host.journal.trouble is None)}",
            ]
            for kind, name in (("message", "messages"), ("run", "runs"), ("schedule", "schedules")):
                counted = [(key[1], count) for key, count in sorted(host.counted.items()) if key[0] == kind]
                if counted:
                    lines.append(f"# TYPE flowstudio_{name}_total counter")
                lines += [f'flowstudio_{name}_total{{how="{how}"}} {count}' for how, count in counted]
        return "\n".join((*lines, ""))

    async def _watch(self) -> None:
        """Takes up what others change in the catalogue, and does what they ask for."""
        while True:
            await asyncio.sleep(LOOKS_EVERY)
            try:
                if await self._host.refresh():
                    self._schedules.take_up()
                for run, step in self._host.fleet.catalogue.asked():
                    self._host.fleet.catalogue.answer(run, await self._resumed(run, step))
            except FlowStudioError as error:
                _log.error("What is deployed cannot be looked at: %s", error)

    async def _changed(self) -> None:
        """Somebody changed an instance through this very host."""
        if await self._host.refresh(anyway=True):
            self._schedules.take_up()

    async def _resumed(self, run: str, step: str | None) -> str:
        try:
            await resume(self._host, run, step)
        except FlowStudioError as error:
            return str(error)
        return ""

    async def _sweep(self) -> None:
        """Forgets, now and then, what is old."""
        while True:
            now = time.time()
            try:
                await asyncio.to_thread(
                    self._host.journal.sweep, now - KEPT_DAYS * _DAY, now - _DAY, int((now - 3 * _DAY) // 3_600)
                )
            except FlowStudioError as error:
                _log.error("Old runs cannot be forgotten: %s", error)
            await asyncio.sleep(_SWEPT_EVERY)


def _let_open(files: int) -> None:
    """Lets this process have so many files and connections open, as far as the system allows it."""
    if sys.platform == "win32":
        return
    import resource

    now, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = files if most == resource.RLIM_INFINITY else min(files, most)
    if now != resource.RLIM_INFINITY and now < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, most))


async def _ended(task: asyncio.Future[None]) -> None:
    task.cancel()
    await asyncio.wait({task})


__all__ = ["GRACE", "KEPT_DAYS", "Serving"]

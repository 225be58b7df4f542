"""A host in trouble: a full disk, a locked or read-only folder, a target that is away; nothing acknowledged is lost."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import socket
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from flowstudio.flow.model import Flow, Step, Variable, Wire
from flowstudio.runtime.answers import json_answer
from flowstudio.runtime.host import Host
from flowstudio.runtime.reviving import go_on
from flowstudio.runtime.webserver import Incoming, Outgoing, WebServer
from flowstudio.stores.host_runs import HostRuns
from tests.hosting import REGISTRY, HostWorld

FLOW = Flow(
    "orders",
    "Orders",
    steps={
        "receive": Step("webhook@1", config={"path": "new"}),
        "push": Step("http@1", config={"method": "POST", "url": "{{ $vars.url }}", "body": "$"}),
    },
    wires=(Wire("receive", "push"),),
    variables={"url": Variable("url", required=True)},
)


@pytest.fixture
def world(tmp_path: Path) -> HostWorld:
    return HostWorld(tmp_path)


def hosted(world: HostWorld, watched: Callable[[Host], Awaitable[None]]) -> None:
    """Opens a host in this process, lets the test watch it, and closes it."""

    async def whole() -> None:
        # It says on its log what is wrong, and that is wanted here.
        logging.getLogger("flowstudio").setLevel(logging.CRITICAL)
        host = Host(world.data, REGISTRY, world.environ)
        await host.open()
        await go_on(host)
        try:
            await watched(host)
        finally:
            await host.close()

    try:
        asyncio.run(whole())
    finally:
        logging.getLogger("flowstudio").setLevel(logging.NOTSET)


async def sent(host: Host, payload: object) -> Outgoing:
    body = json.dumps(payload).encode()
    return await host.webhook(Incoming("POST", "/in/acme/orders/new", {}, {"content-type": "application/json"}, body))


async def ended(host: Host) -> None:
    while host.under_way:
        await asyncio.wait(set(host.under_way.values()))
        await asyncio.sleep(0)


class Sink:
    """A target in the same loop that answers at once, or holds everybody back."""

    def __init__(self) -> None:
        self.bodies: list[object] = []
        self.open = asyncio.Event()
        self.open.set()
        self._server = WebServer(self._answer)

    async def _answer(self, incoming: Incoming) -> Outgoing:
        self.bodies.append(json.loads(incoming.body))
        await self.open.wait()
        return json_answer(200, {})

    async def __aenter__(self) -> str:
        return (await self._server.start()).url

    async def __aexit__(self, *error: object) -> None:
        await self._server.stop(0)


@pytest.mark.slow
def test_a_full_disk_refuses_what_is_new_and_keeps_what_was_taken(world: HostWorld) -> None:
    async def watched(host: Host) -> None:
        sink = Sink()
        async with sink as url:
            await given(host, url)
            pages = host.journal._database.rows("pragma page_count")[0][0]
            sink.open.clear()
            (before,) = [await sent(host, {"id": 0, "text": "x" * 20_000})]
            host.journal._database.rows(f"pragma max_page_count = {pages + 12}")
            answers = [await sent(host, {"id": number, "text": "y" * 20_000}) for number in range(1, 6)]
            assert {answer.status for answer in answers[2:]} == {503}
            assert host.journal.trouble is not None
            assert "the disk is full" in str(host.journal.trouble)
            # What was under way waits for the disk, and is not lost.
            sink.open.set()
            host.journal._database.rows("pragma max_page_count = 100000")
            await ended(host)
            for _ in range(100):
                if host.journal.trouble is None:
                    break
                await asyncio.sleep(0.05)
            assert host.journal.trouble is None
            taken = [json.loads(answer.body)["run"] for answer in (before, *answers) if answer.status == 202]
            assert (await sent(host, {"id": 9})).status == 202
            await ended(host)
            await asyncio.sleep(0.2)
            runs = {run.run: run.status for run in host.runs.runs()}
            assert {runs[run] for run in taken} == {"succeeded"}
            assert len(runs) == len(taken) + 1
            assert sorted(body["id"] for body in sink.bodies) == [*range(len(taken)), 9]  # type: ignore[index]

    world.deploy(FLOW, {"acme": {}})
    hosted(world, watched)


async def given(host: Host, url: str) -> None:
    """Gives the one customer the address of the target."""
    version = host.fleet.version("orders")
    from flowstudio.templates.table import Entry

    found = host.fleet.compare(version, [Entry(1, "acme", values={"url": url})])
    host.fleet.apply(version, found)
    await host.refresh(anyway=True)


@pytest.mark.slow
def test_a_journal_that_another_program_locks_is_waited_for(world: HostWorld) -> None:
    async def watched(host: Host) -> None:
        sink = Sink()
        async with sink as url:
            await given(host, url)
            other = sqlite3.connect(world.data / "journal.db", isolation_level=None)
            host.journal._database.rows("pragma busy_timeout = 100")
            other.execute("begin immediate")
            refused = await sent(host, {"id": 1})
            assert (refused.status, refused.headers["retry-after"]) == (503, "5")  # type: ignore[call-overload,index]
            assert "in use by another program" in str(host.journal.trouble)
            other.execute("rollback")
            other.close()
            while (answer := await sent(host, {"id": 2})).status == 503:
                await asyncio.sleep(0.05)
            assert answer.status == 202
            await ended(host)
            assert [body["id"] for body in sink.bodies] == [2]  # type: ignore[index]

    world.deploy(FLOW, {"acme": {}})
    hosted(world, watched)


@pytest.mark.skipif(sys.platform == "win32", reason="permissions are other ones there")
@pytest.mark.slow
def test_a_folder_that_may_not_be_written_is_told_in_words(world: HostWorld) -> None:
    world.data.mkdir()
    world.data.chmod(0o555)
    world.folder.chmod(0o755)
    # As somebody who may not write everywhere, and who may not read this checkout either: all is loaded before.
    code = f"""
import asyncio, os, pathlib
from flowstudio.errors import StoreError
from flowstudio.runtime.host import Host
from flowstudio.sdk.registry import Registry
host = Host(pathlib.Path({str(world.data)!r}), Registry.from_entry_points())
if os.geteuid() == 0:
    os.setgroups([])
    os.setgid(65534)
    os.setuid(65534)
try:
    asyncio.run(host.open())
except StoreError as error:
    print(error)
"""
    for folder in (world.folder, *world.folder.parents):
        if (
            folder.stat().st_uid == os.geteuid()
            and folder.is_relative_to(tempfile.gettempdir())
            and folder.name != "tmp"
        ):
            folder.chmod(0o755)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    world.data.chmod(0o755)
    assert "host.lock cannot be opened (Permission denied); check the folder's permissions" in done.stdout, done.stderr


def test_a_target_that_is_away_makes_dead_letters_that_go_on_when_it_is_back(world: HostWorld) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    world.deploy(FLOW, {"acme": {"values": {"url": f"http://127.0.0.1:{port}"}}})

    async def away(host: Host) -> None:
        assert (await sent(host, {"id": 1})).status == 202
        await ended(host)

    hosted(world, away)
    runs = HostRuns(world.data)
    (run,) = runs.runs(status="failed")
    assert run.error is not None
    assert run.error["step"] == "push"
    assert runs.outcomes(run.started_at)["acme", "orders"].failing

    async def back(host: Host) -> None:
        from flowstudio.runtime.reviving import resume

        sink = Sink()
        async with sink as url:
            await given(host, url)
            await resume(host, run.run)
            await ended(host)
            assert sink.bodies == [{"id": 1}]

    hosted(world, back)
    assert [each.status for each in runs.runs()] == ["succeeded"]
    assert not runs.outcomes(run.started_at)["acme", "orders"].failing
    runs.close()

"""The commands of a host: serve, and resume runs of it."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import sys
import time
from pathlib import Path
from typing import Annotated, Final

import typer

from flowstudio.cli.output import FAILED, GOOD, WRONG_INPUT, command, say, wrong
from flowstudio.errors import InvalidInputError, SecretStoreError
from flowstudio.runtime.control import TOKENS, Scope
from flowstudio.runtime.host import LOCK, Host
from flowstudio.runtime.reviving import resume as resume_run
from flowstudio.runtime.serving import GRACE, Serving
from flowstudio.runtime.webserver import Address
from flowstudio.sdk.registry import Registry
from flowstudio.stores.catalogue import Catalogue
from flowstudio.stores.host_runs import HostRuns
from flowstudio.stores.locks import FileLock
from flowstudio.stores.places import data_dir

Data = Annotated[
    str | None, typer.Option("--data", metavar="DIR", help="The data directory; else FLOWSTUDIO_DATA, else the user's.")
]

_PORT: Final = 8420
_ANSWER_SECONDS: Final = 10.0
_ASKED_EVERY: Final = 0.1


def serve(
    data: Data = None,
    bind: Annotated[
        str, typer.Option("--bind", metavar="ADDRESS:PORT", help="Where to listen; port 0 takes a free one.")
    ] = f"127.0.0.1:{_PORT}",
    public: Annotated[
        str | None,
        typer.Option("--public-url", metavar="URL", help="Where senders reach it, where a proxy stands before it."),
    ] = None,
    grace: Annotated[
        float,
        typer.Option("--grace", metavar="SECONDS", min=0, help="How long runs under way may take to end at a stop."),
    ] = GRACE,
    quiet: Annotated[bool, typer.Option("--quiet", help="Log only what wants a person.")] = False,
) -> int:
    """Serve the instances of a data directory: webhooks, schedules, and the control API.

    A message is answered once it is on the disk, and what a crash breaks off goes on at the next start. The control API is
    on where FLOWSTUDIO_API_TOKEN is set (or FLOWSTUDIO_API_TOKEN_READ and FLOWSTUDIO_API_TOKEN_DEPLOY for less). SIGTERM
    and Ctrl+C end it gracefully.

    Example: flowstudio serve --data /srv/flows --bind 0.0.0.0:8420
    """
    address, port = _address(bind)
    logging.basicConfig(
        level=logging.WARNING if quiet else logging.INFO,
        format="%(asctime)s %(levelname)-7s %(message)s",
        stream=sys.stderr,
    )
    host = Host(data_dir(data), Registry.from_entry_points())
    tokens: dict[str, Scope] = {os.environ[name]: scope for name, scope in TOKENS.items() if os.environ.get(name)}
    try:
        with asyncio.Runner(loop_factory=_loop()) as runner:
            runner.run(_served(Serving(host, tokens, address, port, public), host, grace))
    except SecretStoreError as error:
        say(str(error))
        return WRONG_INPUT
    return GOOD


def _loop() -> type[asyncio.AbstractEventLoop] | None:
    if sys.platform == "win32":
        return None
    import uvloop

    return uvloop.Loop


async def _served(serving: Serving, host: Host, grace: float) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in ("SIGTERM", "SIGINT"):
        with contextlib.suppress(NotImplementedError, AttributeError):  # Windows knows neither
            loop.add_signal_handler(getattr(signal, name), stop.set)

    def told(address: Address) -> None:
        ready, resting = len(host.instances), len(host.resting)
        others = f", {resting} rest" if resting else ""
        say(f"Serving {host.folder} at {address.url}: {ready} instance{'' if ready == 1 else 's'} ready{others}")

    await serving.start(told)
    await stop.wait()
    say("Stopping: nothing more is taken in, runs under way have their time to end.")
    await serving.stop(grace)


def resume(
    runs: Annotated[list[str] | None, typer.Argument(metavar="RUN...", help="Runs that failed.")] = None,
    step: Annotated[
        str | None, typer.Option("--from", metavar="STEP", help="Go on at this step; else where it failed.")
    ] = None,
    instance: Annotated[
        str | None, typer.Option("--instance", metavar="INSTANCE", help="All failed runs of CUSTOMER/TEMPLATE.")
    ] = None,
    data: Data = None,
) -> int:
    """Go on with runs of a host that failed, with the values that their customers have now.

    What was done is not done again; a request that is sent again carries the same Idempotency-Key. A host that serves the
    data directory does it; without one this command does, and waits for the end.

    Example: flowstudio resume --instance acme/customer-sync
    """
    folder = data_dir(data)
    names = _failed(folder, runs or [], instance)
    lock = FileLock(folder / LOCK)
    if lock.take():
        lock.release()
        return asyncio.run(_resumed_here(folder, names, step))
    return _resumed_there(folder, names, step)


def _failed(folder: Path, runs: list[str], instance: str | None) -> list[str]:
    if not runs and instance is None:
        wrong(
            "nothing is named", "resume needs to know what", "name runs, or --instance CUSTOMER/TEMPLATE", field="RUN"
        )
    with contextlib.closing(HostRuns(folder)) as store:
        names = list(dict.fromkeys(runs))
        if instance is not None:
            customer, _, template = instance.partition("/")
            found = store.runs((customer, template), "failed", limit=1_000_000)
            names += [run.run for run in reversed(found) if run.run not in names]
            if not found:
                say(f"{instance} has no failed run.")
    return names


async def _resumed_here(folder: Path, names: list[str], step: str | None) -> int:
    host = Host(folder, Registry.from_entry_points())
    await host.open()
    bad = 0
    try:
        for name in names:
            try:
                await resume_run(host, name, step)
            except InvalidInputError as error:
                say(str(error))
                bad += 1
        while host.under_way:
            await asyncio.wait(set(host.under_way.values()))
    finally:
        await host.close()
    with contextlib.closing(HostRuns(folder)) as store:
        for name in names:
            run = store.run(name)
            if run is not None and run.status == "failed":
                bad += 1
            if run is not None:
                why = f": {run.error['message']}" if run.error else ""
                say(f"{name} {run.status}{why}")
    return FAILED if bad else GOOD


def _resumed_there(folder: Path, names: list[str], step: str | None) -> int:
    bad = 0
    with contextlib.closing(Catalogue(folder)) as catalogue:
        for name in names:
            catalogue.ask(name, step)
        until = time.monotonic() + _ANSWER_SECONDS + len(names) * 0.05
        waiting = list(names)
        while waiting and time.monotonic() < until:
            for name in list(waiting):
                answer = catalogue.answered(name)
                if answer is None:
                    continue
                waiting.remove(name)
                bad += bool(answer)
                say(answer or f"{name} goes on")
            time.sleep(_ASKED_EVERY)  # noqa: TID251 - another process answers, and tells nobody
        for name in waiting:
            catalogue.withdraw(name)
            say(f"{name}: the host did not answer; look at its log")
    return FAILED if bad or waiting else GOOD


def _address(bind: str) -> tuple[str, int]:
    host, colon, port = bind.rpartition(":")
    if not colon or not host or not port.isdecimal() or int(port) > 65_535:
        wrong(
            f"{bind!r} is no address to listen at",
            "it is ADDRESS:PORT",
            "write such as 127.0.0.1:8420 or 0.0.0.0:80",
            field="bind",
        )
    return host.strip("[]"), int(port)


APPS: Final = {"serve": command(serve), "resume": command(resume)}

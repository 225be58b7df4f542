"""The command that lists the runs of a data directory: those that were recorded, and those of a host."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from flowstudio.cli.output import GOOD, command, print_json, say, wrong
from flowstudio.errors import StoreError
from flowstudio.stores.host_runs import HostRuns
from flowstudio.stores.payloads import PayloadStore
from flowstudio.stores.places import data_dir
from flowstudio.stores.run_search import RunsHolding
from flowstudio.stores.runs import FILE, RunStore, Sought
from flowstudio.trace.events import iso

Json = Any

_SHOWN: Final = 50
_TOLD: Final = (
    "run",
    "flow",
    "name",
    "label",
    "status",
    "trigger",
    "started_at",
    "duration_ms",
    "visits",
    "filtered",
    "error",
    "parent",
    "edited",
    "kept",
)
"""What `--json` tells of a run."""


def runs(
    failed: Annotated[bool, typer.Option("--failed", help="Those that failed alone.")] = False,
    find: Annotated[
        str, typer.Option("--find", metavar="TEXT", help="Those with this in label, flow, id, steps or error.")
    ] = "",
    values: Annotated[
        bool, typer.Option("--values", help="Look for the text of --find in the payloads instead.")
    ] = False,
    flow: Annotated[str | None, typer.Option("--flow", metavar="ID", help="Those of one flow alone.")] = None,
    instance: Annotated[
        str | None, typer.Option("--instance", metavar="INSTANCE", help="Those of CUSTOMER/TEMPLATE on a host alone.")
    ] = None,
    limit: Annotated[int, typer.Option("--limit", metavar="N", min=1, help="At most so many, the newest.")] = _SHOWN,
    data: Annotated[
        str | None,
        typer.Option("--data", metavar="DIR", help="The data directory; else FLOWSTUDIO_DATA, else the user's."),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> int:
    """List runs, the newest first: those of the editor, of run --data, and of a host.

    A fork stands behind its run, set in. A host's run that failed can be resumed.

    Example: flowstudio runs --failed --find "no answer"
    """
    folder = data_dir(data)
    if data is not None and not folder.is_dir():
        wrong(f"there is no data directory {folder}", remedy="correct --data", field="data")
    if values and not find:
        wrong("--values has nothing to look for", remedy="say what by --find", field="find")
    sought = Sought("" if values else find, "failed" if failed else None, flow)
    recorded = instance is None and (folder / FILE).exists()
    total, found = _found(folder, sought, find if values else "", limit) if recorded else (0, [])
    if not values:
        hosted = _hosted(folder, sought, _instance(instance), limit)
        known = {run["run"] for run in hosted}
        # One of a host that was opened to be looked at is in both.
        found = [run for run in found if run["run"] not in known]
        total += len(hosted)
        found = _newest_first(hosted, found)[:limit]
    if json:
        print_json([_told(run) for run in found])
    elif found:
        _table(found)
        if total > len(found):
            say(f"{total - len(found):,} more; --limit {total} shows them.")
    else:
        chosen = failed or find or flow or instance
        say("No run fits." if chosen else f"No run is recorded in {folder} yet. The editor and run --data record them.")
    return GOOD


def _found(folder: Path, sought: Sought, value: str, limit: int) -> tuple[int, list[dict[str, Json]]]:
    """How many runs there are, and the first of them."""
    try:
        with contextlib.closing(RunStore(folder)) as store:
            if not value:
                page = store.runs(sought.find, sought.status, 0, limit, flow=sought.flow)
                return page["total"], page["runs"]
            with contextlib.closing(PayloadStore(folder)) as payloads:
                holding = RunsHolding(store, payloads, sought, value)
                _look_through(holding)
                hits = holding.page(0, limit)
                told = store.told([run for run, _ in hits])
                return len(holding), [{**told[run], "found": place} for run, place in hits if run in told]
    except StoreError as error:
        wrong(str(error).rstrip("."), field="data")


def _hosted(folder: Path, sought: Sought, instance: tuple[str, str] | None, limit: int) -> list[dict[str, Json]]:
    """The runs of a host, told as recorded ones are."""
    try:
        with contextlib.closing(HostRuns(folder)) as store:
            found = store.runs(instance, sought.status, sought.find, limit)
    except StoreError as error:
        wrong(str(error).rstrip("."), field="data")
    return [
        {
            "run": run.run,
            "instance": run.instance,
            "flow": run.template,
            "name": run.instance,
            "label": run.label,
            "status": run.status,
            "trigger": run.trigger,
            "started_at": run.started_at,
            "duration_ms": None if run.ended_at is None else (run.ended_at - run.started_at) * 1_000,
            "visits": run.visits,
            "filtered": None,
            "error": run.error,
            "parent": None,
            "edited": False,
            "kept": False,
        }
        for run in found
        if sought.flow in (None, run.template)
    ]


def _newest_first(hosted: list[dict[str, Json]], recorded: list[dict[str, Json]]) -> list[dict[str, Json]]:
    """Both in one list; a fork stays behind its run."""
    found: list[dict[str, Json]] = []
    waiting = list(hosted)
    for run in recorded:
        while waiting and not run["parent"] and waiting[0]["started_at"] >= run["started_at"]:
            found.append(waiting.pop(0))
        found.append(run)
    return found + waiting


def _instance(named: str | None) -> tuple[str, str] | None:
    if named is None:
        return None
    customer, slash, template = named.partition("/")
    if not slash or not customer or not template:
        wrong(
            f"{named!r} names no instance",
            "an instance is CUSTOMER/TEMPLATE",
            "write such as acme/customer-sync",
            field="instance",
        )
    return customer, template


def _look_through(holding: RunsHolding) -> None:
    if not sys.stderr.isatty():
        holding.grow()
        return
    with typer.progressbar(length=100, label="Looking through payloads", file=sys.stderr) as bar:
        while not holding.complete:
            holding.grow(0.2)
            bar.update(int(holding.share * 100) - bar.pos)


def _told(run: Mapping[str, Json]) -> dict[str, Json]:
    told = {name: run[name] for name in _TOLD} | {"started_at": iso(run["started_at"])}
    told["instance"] = run.get("instance")
    return {**told, "found": run["found"]} if "found" in run else told


def _table(found: Sequence[Mapping[str, Json]]) -> None:
    rows = [("RUN", "STARTED", "STATUS", "FLOW", "LABEL", "VISITS", "TOOK", "ERROR")]
    for run in found:
        error = run["error"] or {}
        step = f"{error['step']}: " if error.get("step") else ""
        marks = "".join(f", {word}" for word in ("edited", "kept") if run[word])
        rows.append(
            (
                f"{'  ' if run['parent'] else ''}{run['run']}",
                time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(run["started_at"])),
                f"{run['status']}{marks}",
                _line(run["name"], 30),
                _line(run["label"], 30),
                "" if run["visits"] is None else f"{run['visits']:,}",
                "" if run["duration_ms"] is None else f"{run['duration_ms']:,.0f} ms",
                _line(f"{step}{error.get('message') or ''}", 80),
            )
        )
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def _line(text: str, longest: int) -> str:
    """A text on one line; what others wrote must not move the cursor of a terminal."""
    line = "".join(sign if sign.isprintable() else " " for sign in text)
    return line if len(line) <= longest else f"{line[: longest - 1]}…"


APPS: Final = {"runs": command(runs)}

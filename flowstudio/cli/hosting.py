"""The commands for many customers: deploy a template, list the instances, pause them, remove them."""

from __future__ import annotations

import asyncio
import contextlib
import sys
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from flowstudio.cli.arguments import json_argument
from flowstudio.cli.output import GOOD, WRONG_INPUT, command, print_json, say, wrong
from flowstudio.errors import SecretStoreError
from flowstudio.runtime.fleet import Fleet, Name, Standing
from flowstudio.sdk.registry import Registry
from flowstudio.stores.host_runs import HostRuns
from flowstudio.stores.places import data_dir
from flowstudio.templates.deployment import Deployment
from flowstudio.templates.table import read_customers

if TYPE_CHECKING:
    from flowstudio.runtime.everyone import Group

Json = Any

Data = Annotated[
    str | None, typer.Option("--data", metavar="DIR", help="The data directory; else FLOWSTUDIO_DATA, else the user's.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]

_LONG: Final = 50
"""From so many entries on a bar shows how far the work is."""


def deploy(
    template: Annotated[str, typer.Argument(metavar="TEMPLATE", help="A template's file, its id, or ID@X.Y.Z.")],
    customers: Annotated[str, typer.Option("--customers", metavar="FILE", help="The customers, as CSV or JSON.")],
    data: Data = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be done, and do nothing.")] = False,
    json: AsJson = False,
) -> int:
    """Deploy a template to the customers of a file.

    Every cell is checked first; where one is wrong, nothing is done. What the file does not name stays as it was, and
    running it again changes nothing.

    Example: flowstudio deploy customer-sync-1.0.0.template.json --customers customers.csv
    """
    with _fleet(data) as fleet:
        version = fleet.template(template)
        read = read_customers(customers, version)
        if read.faults:
            found = Deployment(version.id, version.version, (), read.faults)
        else:
            with _bar(len(read.entries)) as told:
                found = fleet.compare(version, read.entries, told)
        if found.faults:
            for fault in found.faults:
                say(f"{customers}: {fault}")
            say(f"Nothing was deployed: {_count(len(found.faults), 'cell')} to correct in {customers}.")
            if json:
                print_json(found.to_json(applied=False))
            return WRONG_INPUT
        if not json:
            _show(found)
        if not dry_run:
            fleet.apply(version, found)
        if json:
            print_json(found.to_json(applied=not dry_run))
        else:
            print("Nothing was done: --dry-run." if dry_run else "Deployed.")
    return GOOD


def instances(
    data: Data = None,
    template: Annotated[
        str | None, typer.Option("--template", metavar="ID", help="Those of one template alone.")
    ] = None,
    json: AsJson = False,
) -> int:
    """List the instances and how each fares, what wants a person first.

    Example: flowstudio instances --template customer-sync
    """
    with _fleet(data) as fleet, contextlib.closing(HostRuns(data_dir(data))) as runs:
        found = fleet.instances(runs.outcomes(time.time()), template)
    if json:
        print_json([each.to_json() for each in found])
    elif found:
        _table(found)
    else:
        say("There are no instances yet. flowstudio deploy makes them.")
    return GOOD


def preview(
    template: Annotated[str, typer.Argument(metavar="TEMPLATE", help="A template's file, its id, or ID@X.Y.Z.")],
    payload: Annotated[str, typer.Option("--payload", metavar="JSON|@FILE|-", help="The payload.")],
    trigger: Annotated[
        str | None, typer.Option("--trigger", metavar="STEP", help="The trigger, where there are several.")
    ] = None,
    data: Data = None,
    json: AsJson = False,
) -> int:
    """Show what one payload would do for every customer. Nothing is sent.

    Each instance runs up to its requests; those that would send the same stand together.

    Example: flowstudio preview customer-sync --payload @customer.json
    """
    from flowstudio.runtime.everyone import everyone

    value = json_argument(payload, "--payload")
    with _fleet(data) as fleet:
        version = fleet.template(template)
        count = len(fleet.catalogue.instances(version.id))
        with _bar(count) as told:
            groups = asyncio.run(
                everyone(fleet, Registry.from_entry_points(), version, value, trigger=trigger, told=told)
            )
    if json:
        print_json([group.to_json() for group in groups])
    elif not groups:
        say(f"{version.id} has no instances yet. flowstudio deploy makes them.")
    for group in () if json else groups:
        _show_group(group)
    return GOOD


def _show_group(group: Group) -> None:
    """`187 send: push POST {{ $vars.crm_url }}/customers`, and who they are."""
    who = ", ".join(group.instances[:5]) + (f" and {len(group.instances) - 5} more" if len(group.instances) > 5 else "")
    what = group.why
    if group.requests:
        sent = [each["request"] if isinstance(each["request"], dict) else {} for each in group.requests]
        what = "; ".join(
            f"{each['step']} {request.get('method', each['kind'])} {request.get('url', '')}".rstrip()
            for each, request in zip(group.requests, sent, strict=True)
        )
    print(f"{len(group.instances):>5} {group.outcome}{f': {what}' if what else ''}")
    if group.differs:
        print(f"        differs in {', '.join(group.differs[:6])}")
    print(f"        {who}")


def pause(
    named: Annotated[list[str], typer.Argument(metavar="INSTANCE...", help="CUSTOMER/TEMPLATE.")],
    data: Data = None,
) -> int:
    """Pause instances: their webhooks answer 503 and their schedules rest until resume-instance.

    Example: flowstudio pause acme/customer-sync
    """
    with _fleet(data) as fleet:
        changed = fleet.pause(_names(named), paused=True)
    say(f"Paused {_count(changed, 'instance')}." + _already(len(set(named)) - changed, "paused"))
    return GOOD


def resume_instance(
    named: Annotated[list[str], typer.Argument(metavar="INSTANCE...", help="CUSTOMER/TEMPLATE.")],
    data: Data = None,
) -> int:
    """Let paused instances go on.

    Example: flowstudio resume-instance acme/customer-sync
    """
    with _fleet(data) as fleet:
        changed = fleet.pause(_names(named), paused=False)
    say(f"{_count(changed, 'instance')} may run again." + _already(len(set(named)) - changed, "not paused"))
    return GOOD


def remove(
    named: Annotated[list[str], typer.Argument(metavar="INSTANCE...", help="CUSTOMER/TEMPLATE.")],
    data: Data = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> int:
    """Remove instances with what their customers gave, their logins too. Their runs stay in the history.

    Example: flowstudio remove acme/customer-sync --yes
    """
    names = _names(named)
    if not yes:
        if not sys.stdin.isatty():
            wrong("nothing was removed", "nobody is there to be asked", "write --yes if it is meant")
        typer.confirm(f"Remove {_count(len(names), 'instance')} with all that was given?", abort=True, err=True)
    with _fleet(data) as fleet:
        removed = fleet.remove(names)
    say(f"Removed {_count(removed, 'instance')}.")
    return GOOD


@contextlib.contextmanager
def _fleet(data: str | None) -> Iterator[Fleet]:
    fleet = Fleet(data_dir(data), Registry.from_entry_points())
    try:
        yield fleet
    except SecretStoreError as error:
        say(str(error))
        raise typer.Exit(WRONG_INPUT) from None
    finally:
        fleet.close()


def _names(named: list[str]) -> list[Name]:
    found = []
    for each in dict.fromkeys(named):
        customer, slash, template = each.partition("/")
        if not slash or not customer or not template:
            wrong(f"{each!r} names no instance", "an instance is CUSTOMER/TEMPLATE", "write such as acme/customer-sync")
        found.append((customer, template))
    return found


@contextlib.contextmanager
def _bar(length: int) -> Iterator[Callable[[int], object]]:
    if length < _LONG or not sys.stderr.isatty():
        yield lambda done: None
        return
    with typer.progressbar(length=length, label="Checking", file=sys.stderr) as bar:
        yield lambda done: bar.update(done - bar.pos)


def _show(found: Deployment) -> None:
    needing = [entry for entry in found.entries if entry.needs]
    print(
        f"{found.template} {found.version}: {len(found.create)} to create, {len(found.change)} to change,"
        f" {found.same} the same, {len(needing)} in need of setup"
    )
    for entry in found.create:
        print(f"  + {entry.customer}/{found.template}")
    for entry in found.change:
        print(f"  ~ {entry.customer}/{found.template}")
        for change in entry.changes:
            told = change.to_json()
            print(f"      {change.field}: {_shown(told['from'])} → {_shown(told['to'])}")
    for entry in needing:
        print(f"  ! {entry.customer}/{found.template} needs {', '.join(entry.needs)}")


def _shown(value: Json) -> str:
    if value is None:
        return "nothing"
    if isinstance(value, list):
        return _count(len(value), "entry", "entries")
    return value if isinstance(value, str) else str(value)


def _table(found: list[Standing]) -> None:
    rows = [("INSTANCE", "STATUS", "VERSION", "RUNS 24H", "ERRORS", "LAST RUN", "LAST ERROR")]
    for each in found:
        error, last = each.outcomes.last_error, each.outcomes.last_run
        version = each.deployed.version
        rows.append(
            (
                each.deployed.id,
                each.status if not each.needs else f"{each.status}: {', '.join(map(str, each.needs))}",
                version if each.newest == version else f"{version} ({each.newest} is newer)",
                str(sum(each.outcomes.runs)),
                str(sum(each.outcomes.errors)),
                time.strftime("%Y-%m-%d %H:%M", time.localtime(last)) if last is not None else "never",
                f"{error['step']}: {error['message']}"[:60] if error is not None else "",
            )
        )
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def _already(count: int, what: str) -> str:
    return f" {_count(count, 'instance')} {'was' if count == 1 else 'were'} {what} already." if count > 0 else ""


def _count(number: int, noun: str, plural: str = "") -> str:
    return f"{number} {noun if number == 1 else plural or noun + 's'}"


APPS: Final = {
    "deploy": command(deploy),
    "instances": command(instances),
    "preview": command(preview),
    "pause": command(pause),
    "resume-instance": command(resume_instance),
    "remove": command(remove),
}

"""The instances of a data directory: deployed from files with real stores, and never a secret outside the secret store."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from flowstudio.errors import InvalidInputError, SecretStoreError
from flowstudio.flow.model import Flow, Slot, Step, Variable, Wire
from flowstudio.runtime.fleet import Fleet
from flowstudio.sdk.registry import Registry
from flowstudio.stores.secrets import KEY_VARIABLE, new_key
from flowstudio.templates.deployment import Deployment
from flowstudio.templates.standing import Outcomes
from flowstudio.templates.table import read_customers
from flowstudio.templates.version import Version, publish, write_template

REGISTRY = Registry.from_entry_points()
FLOW = Flow(
    "sync",
    "Sync",
    steps={
        "start": Step("manual@1"),
        "push": Step("http@1", config={"url": "{{ $vars.url }}/x", "connection": "crm"}),
    },
    wires=(Wire("start", "push"),),
    variables={
        "url": Variable("url", required=True),
        "pin": Variable("secret"),
        "size": Variable("integer", default=1),
    },
    connections={"crm": Slot("bearer", required=True)},
)
VERSION = publish(FLOW, "1.0.0", "The first")


class World:
    """A data directory, a fleet on it, and files to deploy."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.environ = {KEY_VARIABLE: new_key(), "ACME": "t0ken-of-acme"}
        self.fleet = Fleet(folder / "data", REGISTRY, self.environ)

    def compare(self, text: str, version: Version = VERSION, name: str = "customers.csv") -> Deployment:
        path = self.folder / name
        path.write_text(text, encoding="utf-8")
        read = read_customers(path, version)
        assert not read.faults
        return self.fleet.compare(version, read.entries)

    def deploy(self, text: str, version: Version = VERSION, name: str = "customers.csv") -> Deployment:
        found = self.compare(text, version, name)
        self.fleet.apply(version, found)
        return found

    def stored(self) -> bytes:
        """All bytes in the data directory."""
        return b"".join(path.read_bytes() for path in sorted((self.folder / "data").iterdir()))


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path)
    yield made
    made.fleet.close()


ACME = "customer,name,url,pin,connection.crm.token\nacme,Acme,https://acme.test,9876,env:ACME\n"


def test_what_was_given_comes_back_bound(world: World) -> None:
    found = world.deploy(ACME)
    assert [entry.customer for entry in found.create] == ["acme"]
    (deployed,) = world.fleet.catalogue.instances()
    bound = world.fleet.bound(deployed)
    assert bound.values == {"url": "https://acme.test", "pin": "9876", "size": 1}
    assert bound.connections == {"crm": {"token": "t0ken-of-acme"}}
    assert bound.customer == {"id": "acme", "name": "Acme"}
    assert not bound.needs


def test_secrets_lie_in_the_secret_store_alone(world: World) -> None:
    world.deploy(ACME)
    stored = world.stored()
    assert b"https://acme.test" in stored
    for secret in (b"t0ken-of-acme", b"9876"):
        assert secret not in stored
    assert sorted(world.fleet.secrets.some(world.fleet.secrets.names()).values()) == ["9876", "t0ken-of-acme"]


def test_deploying_again_changes_nothing_on_disk(world: World) -> None:
    world.deploy(ACME)
    before = world.fleet.catalogue.instances(), world.fleet.secrets.names()
    again = world.deploy(ACME)
    assert (again.create, again.change, again.same) == ([], [], 1)
    assert (world.fleet.catalogue.instances(), world.fleet.secrets.names()) == before


def test_a_changed_secret_takes_the_place_of_the_old_one(world: World) -> None:
    world.deploy(ACME)
    world.environ["ACME"] = "another"
    found = world.deploy(ACME)
    assert [change.field for change in found.change[0].changes] == ["connections.crm.token"]
    assert sorted(world.fleet.secrets.some(world.fleet.secrets.names()).values()) == ["9876", "another"]
    assert world.fleet.bound(world.fleet.catalogue.instances()[0]).connections == {"crm": {"token": "another"}}


def test_logins_that_cannot_be_read_are_named_by_cell(world: World, tmp_path: Path) -> None:
    (tmp_path / "token").write_text("from-a-file\n", encoding="utf-8")
    text = (
        "customer,url,connection.crm.token\na,https://a.test,env:NOBODY\n"
        f"b,https://b.test,file:{tmp_path / 'gone'}\nc,https://c.test,file:{tmp_path / 'token'}\n"
    )
    found = world.compare(text)
    assert [str(fault).partition(", set")[0].partition(" (")[0] for fault in found.faults] == [
        "row 2, connection.crm.token: the environment has no NOBODY",
        f"row 3, connection.crm.token: {tmp_path / 'gone'} cannot be read",
    ]
    assert found.entries[2].instance.connections == {"crm": {"token": "from-a-file"}}
    with pytest.raises(ValueError, match="faults"):
        world.fleet.apply(VERSION, found)


def test_without_a_key_nothing_is_done(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.fleet.close()
    del world.environ[KEY_VARIABLE]
    world.fleet = Fleet(tmp_path / "data", REGISTRY, world.environ)
    found = world.compare(ACME)
    with pytest.raises(SecretStoreError, match=KEY_VARIABLE):
        world.fleet.apply(VERSION, found)
    assert world.fleet.catalogue.instances() == []
    world.deploy("customer,url\nplain,https://plain.test\n")
    assert [each.customer for each in world.fleet.catalogue.instances()] == ["plain"]
    world.fleet.close()


def test_overrides_are_compiled_with_their_flow(world: World) -> None:
    def entry(expression: str) -> str:
        edits = [
            {"edit": "AddStep", "step": "only", "component": "filter@1", "config": {"condition": expression}},
            {"edit": "AddWire", "wire": "start -> only"},
        ]
        customer: dict[str, Any] = {"customer": "acme", "values": {"url": "https://a.test"}, "overrides": edits}
        return json.dumps({"format": "flowstudio/customers@1", "customers": [customer]})

    broken = world.compare(entry("total >"), name="c.json")
    (fault,) = broken.faults
    assert (fault.row, fault.column) == (1, "overrides[0]")
    world.deploy(entry("total > 1"), name="c.json")
    (deployed,) = world.fleet.catalogue.instances()
    assert world.fleet.bound(deployed).flow.steps["only"].config == {"condition": "total > 1"}


def test_a_flow_that_may_not_run_is_not_deployed(world: World) -> None:
    broken = Version({**VERSION.document}, Flow("sync", "Sync", steps={"start": Step("nobody.knows@1")}))
    with pytest.raises(InvalidInputError, match=r"nobody\.knows"):
        world.fleet.compare(broken, [])


def test_a_template_is_named_by_file_id_or_version(world: World, tmp_path: Path) -> None:
    path = tmp_path / "sync-1.0.0.template.json"
    write_template(path, VERSION)
    assert world.fleet.template(str(path)) == VERSION
    with pytest.raises(InvalidInputError, match="there is no template sync in the catalogue"):
        world.fleet.template("sync")
    world.deploy(ACME)
    world.fleet.catalogue.add(publish(FLOW, "1.1.0"))
    assert world.fleet.template("sync").version == "1.1.0"
    assert world.fleet.template("sync@1.0.0") == VERSION
    with pytest.raises(InvalidInputError, match=r"no version 7\.0\.0"):
        world.fleet.template("sync@7.0.0")


def test_instances_tell_how_they_stand_what_wants_a_person_first(world: World) -> None:
    rows = "".join(f"{name},https://{name}.test,t\n" for name in ("a-fine", "b-fails", "c-rests", "e-old"))
    world.deploy(f"customer,url,connection.crm.token\n{rows}d-lacks,,\n")
    newer = publish(FLOW, "1.1.0")
    rows = "".join(f"{name},,\n" for name in ("a-fine", "b-fails", "c-rests", "d-lacks"))
    world.deploy(f"customer,url,connection.crm.token\n{rows}", newer)
    world.fleet.pause([("c-rests", "sync")], paused=True)
    failed = Outcomes(1.0, True, last_error={"step": "push", "message": "401"})
    found = world.fleet.instances({("b-fails", "sync"): failed, ("c-rests", "sync"): failed})
    assert [(each.deployed.customer, each.status) for each in found] == [
        ("b-fails", "failing"),
        ("d-lacks", "needs setup"),
        ("c-rests", "paused"),
        ("e-old", "behind"),
        ("a-fine", "active"),
    ]
    told = found[1].to_json()
    assert (told["instance"], told["needs"], told["version"]) == ("d-lacks/sync", ["url", "connection crm"], "1.1.0")
    assert len(told["runs_24h"]) == len(told["errors_24h"]) == 24


def test_those_that_there_are_not_are_named_and_nothing_is_done(world: World) -> None:
    world.deploy(ACME)
    for do in (
        lambda: world.fleet.pause([("acme", "sync"), ("nobody", "sync")], paused=True),
        lambda: world.fleet.remove([("acme", "sync"), ("nobody", "sync")]),
    ):
        with pytest.raises(InvalidInputError, match="no instance nobody/sync"):
            do()
    assert not world.fleet.catalogue.instances()[0].paused


def test_who_is_removed_leaves_no_secret(world: World) -> None:
    world.deploy(ACME)
    assert world.fleet.remove([("acme", "sync")]) == 1
    assert world.fleet.catalogue.instances() == []
    assert world.fleet.secrets.names() == []

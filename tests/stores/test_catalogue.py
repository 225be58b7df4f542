"""The catalogue: versions that never change, instances that are kept all or none."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from flowstudio.errors import InvalidInputError, StoreError
from flowstudio.flow.edits import SetConfig
from flowstudio.flow.model import Flow, Step, Variable
from flowstudio.stores.catalogue import FILE, Catalogue, Deployed
from flowstudio.templates.version import Version, publish

FLOW = Flow("sync", "Sync", steps={"start": Step("manual@1")}, variables={"size": Variable("integer", default=2**70)})


def version(number: str, name: str = "Sync") -> Version:
    return publish(Flow("sync", name, steps=FLOW.steps, variables=FLOW.variables), number, f"notes of {number}")


@pytest.fixture
def catalogue(tmp_path: Path) -> Iterator[Catalogue]:
    made = Catalogue(tmp_path)
    yield made
    made.close()


def test_versions_are_kept_as_they_were_published(catalogue: Catalogue) -> None:
    for number in ("1.0.0", "1.10.0", "1.9.0", "2.0.0-rc.1"):
        assert catalogue.add(version(number))
    assert not catalogue.add(version("1.9.0"))
    assert [each.version for each in catalogue.published("sync")] == ["2.0.0-rc.1", "1.10.0", "1.9.0", "1.0.0"]
    assert catalogue.newest("sync") == "2.0.0-rc.1"
    assert catalogue.newest("other") is None
    assert catalogue.version("sync", "1.9.0") == version("1.9.0")
    assert catalogue.published()[0].notes == "notes of 2.0.0-rc.1"
    with pytest.raises(LookupError, match=r"no version 3\.0\.0 of sync"):
        catalogue.version("sync", "3.0.0")


def test_a_version_never_changes(catalogue: Catalogue) -> None:
    catalogue.add(version("1.0.0"))
    with pytest.raises(InvalidInputError, match="another one"):
        catalogue.add(version("1.0.0", "Another"))
    assert catalogue.version("sync", "1.0.0").flow.name == "Sync"


def test_instances_come_back_as_they_were_put(catalogue: Catalogue) -> None:
    catalogue.add(version("1.0.0"))
    acme = Deployed(
        "acme",
        "Acme",
        "sync",
        "1.0.0",
        {"size": 2**70, "rate": 1.5, "none": None},
        {"crm": {"token": "instance/acme/token"}},
        (SetConfig("start", ("sample",), {"a": [1]}),),
    )
    beta = Deployed("beta", "Beta", "sync", "1.0.0", paused=True)
    catalogue.put([beta, acme])
    found = catalogue.instances()
    assert [each.id for each in found] == ["acme/sync", "beta/sync"]
    assert (found[0].values, found[0].logins, found[0].overrides) == (acme.values, acme.logins, acme.overrides)
    assert [each.paused for each in found] == [False, True]
    assert catalogue.instance("acme", "sync") == found[0]
    assert catalogue.instance("acme", "other") is None
    assert catalogue.instances("other") == []


def test_instances_are_kept_all_or_none(catalogue: Catalogue) -> None:
    catalogue.add(version("1.0.0"))
    with pytest.raises(Exception, match="FOREIGN KEY"):
        catalogue.put([Deployed("acme", "Acme", "sync", "1.0.0"), Deployed("beta", "Beta", "sync", "9.9.9")])
    assert catalogue.instances() == []


def test_instances_are_paused_and_removed_by_name(catalogue: Catalogue) -> None:
    catalogue.add(version("1.0.0"))
    catalogue.put([Deployed(name, name, "sync", "1.0.0") for name in ("a", "b", "c")])
    names = [("a", "sync"), ("b", "sync"), ("nobody", "sync")]
    assert catalogue.pause(names, paused=True) == 2
    assert catalogue.pause(names, paused=True) == 0
    assert catalogue.pause([("a", "sync")], paused=False) == 1
    assert [each.paused for each in catalogue.instances()] == [False, True, False]
    assert catalogue.remove(names) == 2
    assert [each.customer for each in catalogue.instances()] == ["c"]


def test_a_second_process_sees_what_the_first_has_done(catalogue: Catalogue, tmp_path: Path) -> None:
    other = Catalogue(tmp_path)
    seen = other.seen
    catalogue.add(version("1.0.0"))
    catalogue.put([Deployed("acme", "Acme", "sync", "1.0.0")])
    assert other.seen != seen
    assert [each.id for each in other.instances()] == ["acme/sync"]
    other.close()


def test_a_damaged_file_is_told(tmp_path: Path) -> None:
    (tmp_path / FILE).write_bytes(b"no database" * 100)
    with pytest.raises(StoreError, match="damaged"):
        Catalogue(tmp_path)

"""What a customers file changes: created, changed, the same; what it does not name stays."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from flowstudio.errors import Problem
from flowstudio.flow.edits import SetConfig
from flowstudio.flow.model import Flow, Slot, Step, Variable
from flowstudio.templates.deployment import HIDDEN, Deployment, Existing, compare
from flowstudio.templates.instance import Bound, Instance
from flowstudio.templates.table import Entry
from flowstudio.templates.version import Version, publish

FLOW = Flow(
    "sync",
    "Sync",
    steps={"start": Step("manual@1"), "wait": Step("delay@1", config={"seconds": 1})},
    variables={
        "url": Variable("url", required=True),
        "size": Variable("integer", default=10),
        "pin": Variable("secret"),
    },
    connections={"crm": Slot("bearer", required=True)},
)
VERSION = publish(FLOW, "1.0.0")


def given_before(entries: Mapping[str, Entry]) -> dict[str, Existing]:
    return {name: Existing("1.0.0", entry.instance()) for name, entry in entries.items()}


def shown(found: Deployment, *, applied: bool = False) -> Any:
    return found.to_json(applied=applied)


def test_new_ones_are_created_and_say_what_they_need() -> None:
    found = compare(VERSION, [Entry(2, "acme", "Acme", {"url": "https://a.test"}), Entry(3, "beta")], {})
    assert shown(found) == {
        "template": "sync",
        "version": "1.0.0",
        "create": ["acme/sync", "beta/sync"],
        "change": [],
        "same": 0,
        "needs_setup": ["acme/sync", "beta/sync"],
        "problems": [],
        "applied": False,
    }
    assert [entry.needs for entry in found.entries] == [("connection crm",), ("url", "connection crm")]


def test_changes_are_told_by_field_and_secrets_are_not_shown() -> None:
    before = Instance("acme", "Acme", {"url": "https://a.test", "pin": "1234"}, {"crm": {"token": "old"}})
    entry = Entry(2, "acme", "Acme Ltd", {"size": 2**70, "pin": "5678"}, {"crm": {"token": "new", "user": "me"}})
    found = compare(VERSION, [entry], {"acme": Existing("0.9.0", before)})
    (change,) = shown(found)["change"]
    assert change["changes"] == [
        {"field": "version", "from": "0.9.0", "to": "1.0.0"},
        {"field": "name", "from": "Acme", "to": "Acme Ltd"},
        {"field": "values.pin", "from": HIDDEN, "to": HIDDEN},
        {"field": "values.size", "from": None, "to": 2**70},
        {"field": "connections.crm.token", "from": HIDDEN, "to": HIDDEN},
        {"field": "connections.crm.user", "from": None, "to": HIDDEN},
    ]
    assert not any(secret in repr(change) for secret in ("old", "new", "1234", "5678"))
    assert found.entries[0].instance.values == {"url": "https://a.test", "size": 2**70, "pin": "5678"}


def test_what_the_file_does_not_name_stays_and_an_empty_list_of_overrides_clears() -> None:
    edit = SetConfig("wait", ("seconds",), 5)
    before = {"acme": Existing("1.0.0", Instance("acme", "Acme", {"url": "https://a.test"}, overrides=(edit,)))}
    assert compare(VERSION, [Entry(2, "acme")], before).same == 1
    cleared = compare(VERSION, [Entry(2, "acme", overrides=())], before)
    assert shown(cleared)["change"][0]["changes"] == [{"field": "overrides", "from": [edit.to_document()], "to": []}]
    assert compare(VERSION, [], before).entries == ()


def test_what_a_newer_version_does_not_ask_for_any_more_goes() -> None:
    newer = publish(replace(FLOW, variables={"url": FLOW.variables["url"]}, connections={}), "2.0.0")
    before = {
        "acme": Existing("1.0.0", Instance("acme", None, {"url": "https://a.test", "size": 3}, {"crm": {"token": "x"}}))
    }
    found = compare(newer, [Entry(2, "acme")], before)
    assert [change.field for change in found.change[0].changes] == ["version", "values.size", "connections.crm.token"]
    assert found.entries[0].instance == Instance("acme", None, {"url": "https://a.test"}, {})
    assert not found.entries[0].needs


def test_overrides_that_do_not_fit_name_their_row() -> None:
    edits = (SetConfig("wait", ("seconds",), 5), SetConfig("gone", ("seconds",), 5))
    found = compare(VERSION, [Entry(7, "acme", overrides=edits)], {})
    (fault,) = found.faults
    assert (fault.row, fault.column) == (7, "overrides[1]")
    assert "gone" in fault.reason


def test_a_flow_with_overrides_is_looked_at_as_a_whole() -> None:
    looked: list[Bound] = []

    def check(bound: Bound) -> list[Problem]:
        looked.append(bound)
        return [Problem("it waits too long", "5 s", "wait less"), Problem("a remark", severity="warning")]

    plain, changed = Entry(2, "acme"), Entry(3, "beta", overrides=(SetConfig("wait", ("seconds",), 5),))
    found = compare(VERSION, [plain, changed], {}, check)
    assert [bound.flow.steps["wait"].config for bound in looked] == [{"seconds": 5}]
    assert [str(fault) for fault in found.faults] == [
        "row 3, overrides[0]: with its overrides: it waits too long, 5 s, wait less"
    ]


def test_progress_is_told() -> None:
    told: list[int] = []
    compare(VERSION, [Entry(row, f"c{row}") for row in range(3)], {}, told=told.append)
    assert told == [1, 2, 3]


ENTRIES = st.lists(
    st.builds(
        Entry,
        st.just(1),
        st.sampled_from(["acme", "beta", "gamma"]),
        st.none() | st.sampled_from(["A", "B"]),
        st.dictionaries(st.just("size"), st.integers()) | st.just({"url": "https://a.test"}),
        st.dictionaries(st.just("crm"), st.dictionaries(st.just("token"), st.sampled_from(["x", "y"]))),
        st.none()
        | st.lists(st.builds(SetConfig, st.just("wait"), st.just(("seconds",)), st.integers(1, 9))).map(tuple),
    ),
    unique_by=lambda entry: entry.customer,
)


def done(version: Version, entries: list[Entry], before: dict[str, Existing]) -> dict[str, Existing]:
    """What there is after the entries were deployed."""
    found = compare(version, entries, before)
    assert not found.faults
    return {**before, **{each.customer: Existing(version.version, each.instance) for each in found.entries}}


@given(ENTRIES, ENTRIES)
def test_deploying_again_changes_nothing_and_others_are_left_alone(first: list[Entry], second: list[Entry]) -> None:
    before = done(VERSION, first, {})
    after = done(VERSION, second, before)
    again = compare(VERSION, second, after)
    assert (again.create, again.change, again.same) == ([], [], len(second))
    named = {entry.customer for entry in second}
    assert all(after[name] == before[name] for name in before if name not in named)

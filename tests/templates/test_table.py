"""Every faulty cell of a customers file is named by row, column, reason and remedy."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowstudio.errors import FileError
from flowstudio.flow.edits import RemoveStep, SetStep
from flowstudio.flow.files import read_flow
from flowstudio.flow.model import Slot, Variable, canonical_bytes
from flowstudio.resources import resource
from flowstudio.templates.instance import Instance, bind
from flowstudio.templates.table import Customers, Entry, read_customers
from flowstudio.templates.version import publish

EXAMPLE = read_flow(resource("examples", "customer-sync.flow.json")).flow
FLOW = replace(
    EXAMPLE,
    variables={**EXAMPLE.variables, "tags": Variable("list"), "pin": Variable("secret")},
    connections={**EXAMPLE.connections, "shop.eu": Slot("basic")},
)
VERSION = publish(EXAMPLE, "1.0.0")


def read(folder: Path, content: object, flow=FLOW) -> Customers:
    is_text = isinstance(content, str | bytes)
    path = folder / ("c.csv" if is_text else "c.json")
    path.write_bytes(content.encode() if isinstance(content, str) else content if is_text else canonical_bytes(content))
    return read_customers(path, flow)


def entries(*customers: object) -> dict[str, object]:
    return {"format": "flowstudio/customers@1", "customers": list(customers)}


def cells(found: Customers) -> list[tuple[int, str]]:
    return [(fault.row, fault.column) for fault in found.faults]


def test_the_example_has_two_customers_with_different_values():
    found = read_customers(resource("examples", "customer-sync.customers.json"), VERSION)
    assert not found.faults
    acme, casa = found.entries
    assert (acme.customer, casa.customer) == ("acme", "casa-verde")
    for entry in found.entries:
        alone = json.loads(resource("examples", f"customer-sync.{entry.customer}.json").read_bytes())
        assert alone == {"customer": entry.customer, "name": entry.name, "values": entry.values}
        assert not bind(VERSION, entry.instance()).needs
    sample = json.loads(resource("examples", "customer-sync.sample.json").read_bytes())
    total = sum(order["qty"] * order["price"] for order in sample["orders"])
    below = json.loads(resource("examples", "customer-sync.below-minimum.sample.json").read_bytes())
    assert acme.values["min_total"] < 100 < total < casa.values["min_total"]
    assert sum(order["qty"] * order["price"] for order in below["orders"]) < acme.values["min_total"]


def test_cells_are_read_by_the_type_of_their_variable(tmp_path):
    found = read(
        tmp_path,
        "customer,name,crm_url,min_total,tags,connection.crm.token,connection.shop.eu.username\r\n"
        'acme,"Acme, Inc.",https://crm.example,50.5,"[""a"", 1]",env:ACME_TOKEN,ann\r\n'
        "\r\n"
        'casa-verde,,,,,"file:/run/secrets/x",\r\n',
    )
    assert found.faults == ()
    assert found.entries == (
        Entry(
            2,
            "acme",
            "Acme, Inc.",
            {"crm_url": "https://crm.example", "min_total": 50.5, "tags": ["a", 1]},
            {"crm": {"token": "env:ACME_TOKEN"}, "shop.eu": {"username": "ann"}},
        ),
        Entry(4, "casa-verde", None, {}, {"crm": {"token": "file:/run/secrets/x"}}),
    )


@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_a_spreadsheet_may_write_its_own_separator_and_mark(tmp_path, separator):
    text = "\ufeff" + "\n".join(separator.join(row) for row in (["customer", "min_total"], ["acme", "5"]))
    assert read(tmp_path, text).entries == (Entry(2, "acme", None, {"min_total": 5}),)


def test_every_faulty_cell_of_a_table_is_named(tmp_path):
    found = read(
        tmp_path,
        "customer,name,min_total,crm_url,pin,min_totl,connection.crn.token,connection.crm,min_total,,connection.crm.token\n"
        "Acme,A,many,crm.example,,,,,,,\n"
        "casa,B,1,https://x.example,,,,,,,env:\n"
        ",C,2,,,,,,,,\n"
        "casa,D,3,,,,,,,,,extra\n",
    )
    told = {(fault.row, fault.column): fault for fault in found.faults}
    assert list(told) == [
        (1, "min_totl"),
        (1, "connection.crn.token"),
        (1, "connection.crm"),
        (1, "min_total"),
        (1, "column 10"),
        (2, "customer"),
        (2, "min_total"),
        (2, "crm_url"),
        (3, "connection.crm.token"),
        (4, "customer"),
        (5, "column 12"),
        (5, "customer"),
    ]
    assert told[1, "min_totl"].remedy == "did you mean min_total?"
    assert told[1, "connection.crn.token"].remedy == "did you mean crm?"
    assert told[1, "connection.crm"].remedy == "write connection.NAME.FIELD"
    assert told[2, "min_total"].reason == 'Smallest order total is not a number, it is the text "many"'
    assert told[2, "crm_url"].remedy == "did you mean https://crm.example?"
    assert told[5, "customer"].reason == "casa stands in row 3 already"
    assert all(fault.reason and fault.remedy for fault in found.faults)
    assert found.faults[0].to_json().keys() == {"row", "column", "reason", "remedy"}


def test_a_table_without_customers_column_says_that_alone(tmp_path):
    found = read(tmp_path, "name,min_total\nA,1\nB,many\n")
    assert cells(found) == [(1, "customer")]


def test_what_is_missing_is_no_fault(tmp_path):
    needy = replace(FLOW, variables={"x": Variable("text", required=True)})
    assert not read(tmp_path, "customer,x\nacme,\n", needy).faults
    assert not read(tmp_path, entries({"customer": "acme"}), needy).faults


@pytest.mark.parametrize(
    ("data", "fault"),
    [
        (b"", "empty"),
        (b'customer,name\nacme,"open', "row 2 cannot be read"),
        (b"customer\nacm\xe9\n", "save it as CSV UTF-8"),
    ],
)
def test_a_table_that_is_none_is_refused(tmp_path, data, fault):
    with pytest.raises(FileError, match=fault):
        read(tmp_path, data)


def test_an_entry_tells_what_it_names_from_what_it_does_not(tmp_path):
    found = read(
        tmp_path,
        entries(
            {"customer": "acme", "overrides": []},
            {"customer": "casa", "values": {"crm_url": None, "min_total": 5}},
            {"customer": "dina", "overrides": [{"edit": "SetStep", "step": "push", "field": "timeout", "value": 5}]},
        ),
    )
    assert not found.faults
    acme, casa, dina = found.entries
    assert (acme.overrides, casa.overrides) == ((), None)
    before = Instance(
        "casa", "Casa", {"crm_url": "https://old.example"}, {"crm": {"token": "env:A"}}, (RemoveStep("log"),)
    )
    assert casa.instance(before) == replace(before, values={"crm_url": "https://old.example", "min_total": 5})
    assert acme.instance(before).overrides == ()
    assert dina.instance().overrides == (SetStep("push", "timeout", 5),)
    more = Entry(1, "casa", None, connections={"crm": {"user": "x"}})
    assert more.instance(before).connections == {"crm": {"token": "env:A", "user": "x"}}


def test_every_faulty_part_of_an_entry_is_named(tmp_path):
    found = read(
        tmp_path,
        entries(
            {"customer": "acme", "values": {"min_total": "5", "nobody": 1}, "connections": {"crn": {}}},
            {"customer": "Not An Id", "name": 3},
            {"customer": "casa", "connections": {"crm": {"token": 5}}, "vlues": {}},
            {
                "customer": "dina",
                "overrides": [{"edit": "RemoveStep", "step": "log"}, {"edit": "RemoveStep", "step": "log"}],
            },
            {"customer": "emil", "overrides": [{"edit": "RemoveStep"}]},
            {"name": "nobody"},
            "acme",
            {"customer": "acme"},
        ),
    )
    assert cells(found) == [
        (1, "nobody"),
        (1, "min_total"),
        (1, "connection.crn"),
        (2, "customer"),
        (2, "name"),
        (3, "vlues"),
        (3, "connection.crm.token"),
        (4, "overrides[1]"),
        (5, "overrides[0]"),
        (6, "customer"),
        (7, "customer"),
        (8, "customer"),
    ]


@pytest.mark.parametrize(
    ("document", "fault"),
    [
        ([], "not a customers file"),
        ({"format": "flowstudio/customers@2", "customers": []}, "newer FlowStudio"),
        ({"format": "flowstudio/customers@1"}, "customers is missing"),
        ({"format": "flowstudio/customers@1", "customers": {}}, "customers is an object"),
    ],
)
def test_a_file_that_holds_no_customers_is_refused(tmp_path, document, fault):
    with pytest.raises(FileError, match=fault):
        read(tmp_path, document)


def test_no_secret_is_told(tmp_path):
    hush = "hush-hush"
    for content in (
        f"customer,connection.crm.token\nNo Id,{hush}\n",
        entries(
            {"customer": "a", "values": {"pin": [hush]}}, {"customer": "b", "connections": {"crm": {"token": [hush]}}}
        ),
    ):
        found = read(tmp_path, content)
        assert found.faults
        assert hush not in "".join(map(str, found.faults))


@given(st.binary(max_size=80), st.sampled_from(["c.csv", "c.json", "c"]))
def test_random_bytes_are_customers_or_refused(tmp_path_factory, data, name):
    path = tmp_path_factory.mktemp("tables") / name
    path.write_bytes(data)
    try:
        read_customers(path, FLOW)
    except FileError:
        return


@given(st.lists(st.lists(st.sampled_from(["", "acme", "5", "x", '"', "\ud7ff", "a\nb"]), max_size=4), max_size=4))
def test_any_table_is_read(tmp_path_factory, rows):
    path = tmp_path_factory.mktemp("tables") / "c.csv"
    quoted = [",".join('"' + cell.replace('"', '""') + '"' for cell in row) for row in rows]
    path.write_text("\n".join(["customer,min_total,crm_url", *quoted]))
    found = read_customers(path, FLOW)
    assert all(entry.customer == "acme" or entry.customer in ("5", "x") for entry in found.entries)

"""A version never changes: it is published without secrets and samples, and refused when it was tampered with."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowstudio.errors import FileError, InvalidInputError
from flowstudio.flow.edits import AddStep, RemoveVariable, SetConfig, SetConnection, SetNote, SetStep, SetVariable
from flowstudio.flow.files import read_flow
from flowstudio.flow.model import Flow, Note, Slot, Variable, canonical_bytes
from flowstudio.resources import resource
from flowstudio.templates.version import (
    breaking,
    diff,
    is_version,
    next_version,
    precedence,
    publish,
    raised,
    read_template,
    template_path,
    versions_in,
    write_template,
)
from tests.builders import flow

EXAMPLE = read_flow(resource("examples", "customer-sync.flow.json")).flow


def refused(*arguments, **options) -> list[str]:
    with pytest.raises(InvalidInputError) as error:
        publish(*arguments, **options)
    return [str(problem) for problem in error.value.problems]


def test_a_version_is_written_and_read_as_it_is(tmp_path):
    called = replace(flow("called=flow-called -> map"), id="called")
    version = publish(
        EXAMPLE,
        "1.2.0",
        "First",
        {"called": called},
        pages=[
            {"title": "CRM", "hint": "h", "fields": [{"variable": "crm_url", "required": True}, {"connection": "crm"}]}
        ],
        locked=["steps.push.config.url", ["steps", "odd.id"]],
        opened=["steps"],
    )
    path = template_path(tmp_path, version)
    assert path.name == "customer-sync-1.2.0.template.json"
    write_template(path, version)
    assert path.read_bytes() == canonical_bytes(json.loads(path.read_bytes()))
    assert list(json.loads(path.read_bytes())) == ["format", "id", "version", "notes", "hash", "flow", "flows", "pages", "locked", "open"]  # fmt: skip
    again = read_template(path)
    assert again == version
    assert (again.id, again.version, again.notes) == ("customer-sync", "1.2.0", "First")
    assert again.flow.to_document() == EXAMPLE.to_document()
    assert again.flows == {"called": called}
    assert again.locked == (("steps", "push", "config", "url"), ("steps", "odd.id"))
    assert again.open == (("steps",),)
    assert again.pages[0]["title"] == "CRM"


def test_samples_and_layout_stay_behind():
    drawn = flow("start -> map", start={"sample": {"iban": "DE00"}, "other": 1}).with_layout(EXAMPLE.layout)
    version = publish(drawn, "1.0.0")
    assert version.flow.steps["start"].config == {"other": 1}
    assert "DE00" not in canonical_bytes(version.to_document()).decode()
    assert not version.flow.layout.steps
    assert version.hash == publish(SetConfig("start", ("sample",), 2).apply(drawn), "1.0.0").hash
    assert drawn.content_hash() == version.flow.content_hash()
    alone = publish(flow("start", start={"sample": 1}), "1.0.0")
    assert alone.document["flow"]["steps"] == {"start": {"component": "manual@1"}}


@pytest.mark.parametrize(
    "version", ["1", "1.0", "v1.0.0", "1.0.0.0", "01.0.0", "1.0.0-", "1.0.0-01", "", "1.0.0 ", "１.0.0"]
)
def test_a_number_that_is_none_is_refused(version):
    assert not is_version(version)
    assert "version" in refused(EXAMPLE, version)[0]


def test_secrets_and_wrong_defaults_are_refused_all_at_once():
    drawn = SetConfig("push", ("headers", "Authorization"), "Bearer abcdefghijklmnop1234").apply(EXAMPLE)
    drawn = SetVariable("pin", Variable("secret", default="hush")).apply(drawn)
    drawn = SetVariable("min_total", Variable("number", default="many")).apply(drawn)
    called = replace(flow("called=flow-called -> push", push={"headers": {"X-Api-Key": "a1b2c3d4e5"}}), id="called")
    told = refused(drawn, "1.0.0", flows={"called": called})
    assert len(told) == 4
    assert "headers.Authorization looks like a secret" in told[0]
    assert "the default of min_total is not a number" in told[1]
    assert "the secret variable pin has a default" in told[2]
    assert "X-Api-Key looks like a secret" in told[3]
    assert not any("abcdefghij" in line or "hush" in line or "a1b2c3" in line for line in told)


@pytest.mark.parametrize(
    ("options", "fault"),
    [
        ({"pages": [{"hint": "no title"}]}, "pages[0].title is missing"),
        ({"pages": [{"title": "x", "fields": [{"variable": "nobody"}]}]}, "no such variable"),
        ({"pages": [{"title": "x", "fields": [{}]}]}, "a variable or a connection"),
        ({"locked": [3]}, "locked[0] is the number 3"),
        ({"opened": [""]}, "open[0] is an empty text"),
        ({"flows": {"other": flow("called=flow-called")}}, "put it under its id"),
    ],
)
def test_what_belongs_to_no_template_is_refused(options, fault):
    assert fault in "\n".join(refused(EXAMPLE, "1.0.0", **options))


def test_an_id_that_fits_no_address_is_refused():
    assert "web addresses" in refused(replace(EXAMPLE, id="a/b"), "1.0.0")[0]


@given(st.data())
def test_any_change_of_the_content_is_noticed(tmp_path_factory, data):
    path = tmp_path_factory.mktemp("templates") / "t.template.json"
    document = publish(EXAMPLE, "1.0.0", "notes").to_document()
    place, key = document, data.draw(st.sampled_from([k for k in document if k not in ("format", "hash")]))
    while isinstance(place[key], dict) and place[key] and data.draw(st.booleans()):
        place = place[key]
        key = data.draw(st.sampled_from(list(place)))
    place[key] = data.draw(st.sampled_from([None, "other", 7, {"other": 1}]).filter(lambda value: value != place[key]))
    path.write_bytes(canonical_bytes(document))
    with pytest.raises(FileError, match="changed after it was published"):
        read_template(path)


def test_a_signature_is_outside_the_hash_and_kept(tmp_path):
    path = tmp_path / "t.template.json"
    document = {**publish(EXAMPLE, "1.0.0").to_document(), "signature": "c2lnbmVk"}
    path.write_bytes(canonical_bytes(document))
    assert read_template(path).to_document() == document


@pytest.mark.parametrize(
    ("document", "fault"),
    [
        ([], "not a template"),
        ({"format": "flowstudio/flow@1"}, "not a template"),
        ({"format": "flowstudio/template@2"}, "newer FlowStudio"),
        ({"format": "flowstudio/template@1"}, "names no hash"),
        ({"format": "flowstudio/template@1", "hash": "0" * 64}, "changed after it was published"),
    ],
)
def test_what_is_no_template_is_refused(tmp_path, document, fault):
    path = tmp_path / "t.template.json"
    path.write_bytes(canonical_bytes(document))
    with pytest.raises(FileError) as error:
        read_template(path)
    assert fault in str(error.value)
    assert error.value.problems[0].file == str(path)


def test_a_published_number_is_taken(tmp_path):
    path = tmp_path / "t.template.json"
    version = publish(EXAMPLE, "1.0.0")
    write_template(path, version)
    before = path.stat().st_mtime_ns
    write_template(path, version)
    assert path.stat().st_mtime_ns == before
    with pytest.raises(InvalidInputError, match="never changes"):
        write_template(path, publish(SetStep("push", "timeout", 5).apply(EXAMPLE), "1.0.0"))
    assert read_template(path) == version


def test_versions_sort_as_semantic_versioning_says():
    order = ["1.0.0-alpha", "1.0.0-alpha.1", "1.0.0-alpha.beta", "1.0.0-beta.2", "1.0.0-beta.11", "1.0.0-rc.1", "1.0.0", "1.0.1", "1.9.0", "1.10.0", "2.0.0"]  # fmt: skip
    assert all(precedence(older) < precedence(newer) for older, newer in pairwise(order))
    assert precedence("1.0.0+a") == precedence("1.0.0+b")
    with pytest.raises(ValueError, match="no version number"):
        precedence("1")


def test_the_next_number_follows_what_is_in_the_folder(tmp_path):
    assert next_version(tmp_path, "customer-sync", EXAMPLE) == "1.0.0"
    for number in ("1.9.0", "1.10.0", "1.2.0"):
        version = publish(EXAMPLE, number)
        write_template(template_path(tmp_path, version), version)
    Path(tmp_path / "customer-sync-2-9.0.0.template.json").write_bytes(b"another template")
    assert versions_in(tmp_path, "customer-sync") == ["1.2.0", "1.9.0", "1.10.0"]
    assert next_version(tmp_path, "customer-sync") == "1.11.0"
    assert next_version(tmp_path, "customer-sync", SetNote("n", Note("x")).apply(EXAMPLE)) == "1.10.1"
    assert next_version(tmp_path, "customer-sync", AddStep("x", "map@1").apply(EXAMPLE)) == "1.11.0"
    assert next_version(tmp_path / "nowhere", "customer-sync") == "1.0.0"


def changed(*edits) -> Flow:
    after = EXAMPLE
    for edit in edits:
        after = edit.apply(after)
    return after


@pytest.mark.parametrize(
    ("edit", "sentence"),
    [
        (RemoveVariable("min_total"), "the variable min_total is gone"),
        (SetVariable("min_total", Variable("text")), "the variable min_total is of another type"),
        (SetVariable("new", Variable("url", required=True)), "the variable new must be given"),
        (SetVariable("min_total", Variable("number", required=True)), "the variable min_total must be given"),
        (SetConnection("crm", Slot("bearer", required=True)), "the connection crm must be given"),
        (SetConnection("crm", Slot("basic")), "the connection crm is of another type"),
    ],
)
def test_where_customers_must_answer_again_the_major_number_rises(edit, sentence):
    assert sentence in breaking(diff(EXAMPLE, changed(edit)))
    assert raised(publish(EXAMPLE, "1.2.3"), changed(edit)) == "2.0.0"
    assert raised(publish(EXAMPLE, "0.2.3"), changed(edit)) == "0.3.0"


@pytest.mark.parametrize(
    ("edit", "number"),
    [
        (SetVariable("new", Variable("url", required=True, default="https://example.com")), "1.3.0"),
        (SetVariable("new", Variable("url")), "1.3.0"),
        (SetStep("push", "timeout", 5), "1.3.0"),
        (SetStep("push", "name", "Post"), "1.2.4"),
        (SetNote("n2", Note("x")), "1.2.4"),
    ],
)
def test_where_nothing_breaks_a_smaller_number_rises(edit, number):
    assert breaking(diff(EXAMPLE, changed(edit))) == []
    assert raised(publish(EXAMPLE, "1.2.3"), changed(edit)) == number
    assert raised(publish(EXAMPLE, "1.3.0-rc.1"), changed(edit)) == "1.3.0"

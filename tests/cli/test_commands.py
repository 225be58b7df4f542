"""The commands as a person and a script meet them: what they print, where, and their exit status."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from flowstudio import __version__
from flowstudio.cli import flows
from flowstudio.cli.main import COMMANDS
from flowstudio.flow.model import canonical_bytes
from flowstudio.resources import resource
from flowstudio.stores.payloads import PayloadStore
from flowstudio.stores.runs import RunStore
from flowstudio.trace.limits import Limited
from tests.builders import flow
from tests.cli.conftest import Run

EXAMPLE = str(resource("examples", "customer-sync.flow.json"))
SAMPLE = str(resource("examples", "customer-sync.sample.json"))
BELOW = str(resource("examples", "customer-sync.below-minimum.sample.json"))


def edited(tmp_path: Path, change: Callable[[dict[str, Any]], object]) -> str:
    """A copy of the example with a change."""
    document = json.loads(Path(EXAMPLE).read_text())
    change(document)
    path = tmp_path / "edited.flow.json"
    path.write_text(json.dumps(document))
    return str(path)


def test_the_example_succeeds_against_the_demo_target(call: Run) -> None:
    printed = call("run", EXAMPLE, "--payload", f"@{SAMPLE}", "--json")
    assert printed.status == 0
    answer = printed.json
    assert (answer["status"], answer["filtered"], answer["visits"], answer["error"]) == ("succeeded", 0, 6, None)
    assert [out["step"] for out in answer["outputs"]] == ["log"]
    assert answer["outputs"][0]["meta"]["status"] == 201
    assert "CRM answered status=201" in printed.err


def test_the_sample_beside_the_file_is_taken_without_a_payload(call: Run) -> None:
    assert call("run", EXAMPLE, "--json").json["visits"] == 6


def test_a_payload_that_does_not_qualify_is_filtered(call: Run) -> None:
    printed = call("run", EXAMPLE, "--payload", f"@{BELOW}", "--json")
    assert printed.status == 0
    assert (printed.json["filtered"], printed.json["outputs"]) == (1, [])


def test_a_dead_target_fails_with_step_reason_and_tries(call: Run, tmp_path: Path) -> None:
    def quick(document: dict[str, Any]) -> None:
        document["steps"]["push"]["retry"] = {"attempts": 3, "backoff": 0}

    trace = tmp_path / "trace.jsonl"
    file = edited(tmp_path, quick)
    dead = ("--set", "crm_url=http://127.0.0.1:9")
    printed = call("run", file, "--payload", f"@{SAMPLE}", *dead, "--trace", str(trace), "--json")
    assert printed.status == 1
    error = printed.json["error"]
    assert (error["step"], error["address"], error["attempts"]) == ("push", "push", 3)
    assert "127.0.0.1:9" in error["message"]
    events = [json.loads(line) for line in trace.read_text().splitlines()]
    assert [e["attempt"] for e in events if e["event"] == "AttemptFailed"] == [1, 2]
    assert [e["event"] for e in events if e["event"].startswith("Run")] == ["RunStarted", "RunFinished"]
    assert all({"event", "at", "run"} <= set(e) for e in events)
    assert "push failed after 3 tries" in printed.err


def test_variables_are_set_by_their_type(call: Run, tmp_path: Path) -> None:
    def show(document: dict[str, Any]) -> None:
        document["steps"] = {
            "start": {"component": "manual@1"},
            "show": {"component": "map@1", "config": {"expression": "$vars.min_total + 1"}},
        }
        document["wires"] = ["start -> show"]
        document.pop("groups")

    file = edited(tmp_path, show)
    assert call("run", file, "--set", "min_total=41").out == "42\n"
    wrong = call("run", file, "--set", "min_total=many", "--json")
    assert wrong.status == 2
    assert wrong.json["problems"][0]["path"] == ["variables", "min_total"]
    assert "a number" in wrong.err


def test_values_come_from_a_file_or_from_a_customers_entry(call: Run, tmp_path: Path) -> None:
    customers = json.loads(resource("examples", "customer-sync.customers.json").read_text())["customers"]
    filtered = []
    for entry in customers:
        path = tmp_path / f"{entry['customer']}.json"
        path.write_text(json.dumps(entry))
        filtered.append(call("run", EXAMPLE, "--vars", f"@{path}", "--json").json["filtered"])
    assert sorted(filtered) == [0, 1]


def test_a_required_variable_without_a_value_is_wrong_input(call: Run, tmp_path: Path) -> None:
    file = edited(tmp_path, lambda document: document["variables"]["crm_url"].pop("default"))
    printed = call("run", file)
    assert printed.status == 2
    assert "--set crm_url=VALUE" in printed.err
    assert call("validate", file).status == 0


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("{", "JSON"),
        ("[1]", "not a flow"),
        ('{"format": "flowstudio/flow@9"}', "newer"),
        ('{"format": "flowstudio/flow@1", "id": "x", "name": "x"}', "steps"),
    ],
)
def test_a_broken_file_is_wrong_input_and_its_place_is_told(call: Run, tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "broken.flow.json"
    path.write_text(text)
    for command in ("run", "validate"):
        printed = call(command, str(path), "--json")
        assert printed.status == 2
        assert printed.json["status"] == "invalid"
        assert str(path) in printed.err
        assert says in printed.err


def test_the_trace_of_a_very_long_run_has_its_ends_and_says_what_it_leaves_out(
    call: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(flows, "Limited", partial(Limited, visits=10, ends=2))
    steps = {
        "start": {"component": "manual@1"},
        "each": {"component": "split@1", "config": {"items": "[1..100]"}},
        "set": {"component": "map@1", "config": {"expression": "$ * 2"}},
    }
    file, trace = tmp_path / "long.flow.json", tmp_path / "trace.jsonl"
    document = {"format": "flowstudio/flow@1", "id": "long", "name": "Long", "steps": steps}
    file.write_text(json.dumps({**document, "wires": ["start -> each", "each -> set"]}))
    printed = call("run", str(file), "--trace", str(trace), "--json")
    assert (printed.status, printed.json["visits"]) == (0, 102)
    events = [json.loads(line) for line in trace.read_text().splitlines()]
    started = [event["input"] for event in events if event["event"] == "VisitStarted" and event["step"] == "set"]
    assert started == [*range(1, 9), 99, 100]
    assert [event["event"] for event in events[-2:]] == ["LeftOut", "RunFinished"]
    assert (events[-2]["steps"]["set"]["visits"], events[-2]["final"]) == (90, True)


def test_a_missing_file_is_told_without_a_traceback(call: Run) -> None:
    printed = call("run", "nowhere.flow.json")
    assert printed.status == 2
    assert "nowhere.flow.json" in printed.err
    assert "Traceback" not in printed.err


def test_a_bad_expression_is_a_problem_with_step_and_field(call: Run, tmp_path: Path) -> None:
    def spoil(document: dict[str, Any]) -> None:
        document["steps"]["qualify"]["config"]["condition"] = "active and ("

    file = edited(tmp_path, spoil)
    printed = call("validate", file)
    assert printed.status == 2
    assert f"{file}: qualify.condition:" in printed.err


def test_several_triggers_need_a_name(call: Run, tmp_path: Path) -> None:
    def second(document: dict[str, Any]) -> None:
        document["steps"]["by-hand"] = {"component": "manual@1"}
        document["wires"].append("by-hand -> stamp")

    file = edited(tmp_path, second)
    assert "--trigger" in call("run", file).err
    assert call("run", file, "--trigger", "by-hand", "--payload", f"@{SAMPLE}", "--json").json["visits"] == 6


def test_validate_shows_warnings_and_is_content(call: Run) -> None:
    printed = call("validate", EXAMPLE, "--json")
    assert printed.status == 0
    assert printed.json["status"] == "valid"
    assert [(p["step"], p["severity"]) for p in printed.json["problems"]] == [("receive", "warning")]


@pytest.mark.parametrize(
    ("arguments", "out"),
    [
        (("1 + 1",), "2\n"),
        (("a", "--payload", '{"a": "text"}'), "text\n"),
        (("nothing.here", "--payload", "{}"), ""),
        (("nothing.here", "--payload", "{}", "--json"), "{}\n"),
        (("null", "--json"), '{\n  "value": null\n}\n'),
    ],
)
def test_eval_prints_the_value_and_nothing_for_nothing(call: Run, arguments: tuple[str, ...], out: str) -> None:
    printed = call("eval", *arguments)
    assert (printed.status, printed.out) == (0, out)


def test_eval_tells_position_and_remedy_of_a_slip(call: Run) -> None:
    printed = call("eval", "first + last", "--payload", '{"first": "a", "last": "b"}', "--json")
    assert printed.status == 2
    assert "&" in printed.json["error"]["remedy"]
    broken = call("eval", "a +", "--json")
    assert broken.status == 2
    assert isinstance(broken.json["error"]["position"], int)


def test_diff_names_what_changed_and_is_content(call: Run, tmp_path: Path) -> None:
    def change(document: dict[str, Any]) -> None:
        document["steps"]["push"]["timeout"] = 60

    file = edited(tmp_path, change)
    printed = call("diff", EXAMPLE, file)
    assert printed.status == 0
    assert "timeout" in printed.out
    assert call("diff", EXAMPLE, EXAMPLE).out == ""


def test_components_lists_what_there_is(call: Run) -> None:
    listed = call("components", "--json").json
    keys = {entry["key"] for entry in listed}
    assert {"http@1", "webhook@1", "map@1", "filter@1", "script@1", "log@1"} <= keys
    assert all({"key", "title", "category", "ports"} <= set(entry) for entry in listed)
    assert "url" in call("components", "http").out


@pytest.mark.parametrize("name", ["flow", "layout", "template", "customers", "edit", "http", "set@1"])
def test_schema_prints_a_json_schema(call: Run, name: str) -> None:
    assert call("schema", name).json["$schema"] == "https://json-schema.org/draft/2020-12/schema"


def test_export_writes_a_version_that_runs_as_a_customer(call: Run, tmp_path: Path) -> None:
    target = tmp_path / "customer-sync-1.0.0.template.json"
    printed = call("export", EXAMPLE, "-o", str(target), "--version", "1.0.0", "--notes", "First")
    assert printed.status == 0
    template = json.loads(target.read_text())
    assert (template["format"], template["version"], template["notes"]) == ("flowstudio/template@1", "1.0.0", "First")
    ran = call("run", str(target), "--payload", f"@{SAMPLE}", "--json")
    assert (ran.status, ran.json["status"]) == (0, "succeeded")
    assert call("export", EXAMPLE, "-o", str(target), "--version", "1.0.0").status != 0 or (
        json.loads(target.read_text()) == template
    )


def test_the_program_tells_its_version_and_its_commands(call: Run) -> None:
    assert call("--version").out == f"FlowStudio {__version__}\n"
    page = call("--help")
    assert all(name in page.out for name in COMMANDS)


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_every_command_has_help_with_an_example(call: Run, name: str) -> None:
    printed = call(name, "--help")
    assert printed.status == 0
    assert "Example:" in printed.out


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("valdate",), "did you mean validate?"),
        (("some.flow.json",), "flowstudio run some.flow.json"),
        (("run",), "--help"),
        (("run", EXAMPLE, "--colour"), "--help"),
        (("run", EXAMPLE, "--set", "min_total"), "NAME=VALUE"),
        (("run", EXAMPLE, "--set", "mintotal=5"), "min_total"),
        (("run", EXAMPLE, "--secret", "crm.token=FLOWSTUDIO_TEST_UNSET"), "FLOWSTUDIO_TEST_UNSET"),
        (("run", EXAMPLE, "--payload", "{"), "--payload"),
        (("run", EXAMPLE, "--payload", "@nowhere.json"), "nowhere.json"),
        (("run", EXAMPLE, "--trigger", "push"), "no trigger"),
    ],
)
def test_a_wrong_command_line_is_told_in_a_sentence(call: Run, arguments: tuple[str, ...], says: str) -> None:
    printed = call(*arguments)
    assert printed.status == 2
    assert says in printed.err
    assert "Traceback" not in printed.err


def test_a_secret_is_nowhere(call: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CRM_TOKEN", "tok-3f9a77b1c2")
    trace = tmp_path / "trace.jsonl"
    given = ("--secret", "crm.token=CRM_TOKEN", "--trace", str(trace), "--json")
    printed = call("run", EXAMPLE, "--payload", '{"active": true, "orders": [{"qty": 1, "price": 500}]}', *given)
    assert printed.status == 0
    assert "tok-3f9a77b1c2" not in printed.out + printed.err + trace.read_text()


def test_a_login_in_an_address_is_masked_in_the_trace(call: Run, tmp_path: Path) -> None:
    file = edited(tmp_path, lambda document: document["steps"]["push"].pop("retry"))
    trace = tmp_path / "trace.jsonl"
    dead = "crm_url=http://user:secretpw@127.0.0.1:9/x"
    printed = call("run", file, "--payload", f"@{SAMPLE}", "--set", dead, "--trace", str(trace))
    assert printed.status == 1
    assert "•••@127.0.0.1:9/x/customers" in trace.read_text()
    assert "secretpw" not in printed.out + printed.err + trace.read_text()


class TestCalledFlows:
    @pytest.fixture
    def folder(self, tmp_path: Path) -> Path:
        inner = flow("flow-called -> shout=map", shout={"expression": "$uppercase(name) & $vars.mark"})
        outer = flow(
            "manual -> sub=call -> last=map", sub={"flow": "parts/inner.flow.json"}, last={"expression": '{"said": $}'}
        )
        (tmp_path / "parts").mkdir()
        for path, drawn, name in (
            (tmp_path / "parts" / "inner.flow.json", inner, "inner"),
            (tmp_path / "outer.flow.json", outer, "outer"),
        ):
            document = {**drawn.to_document(), "id": name, "variables": {"mark": {"type": "text", "default": "!"}}}
            path.write_bytes(canonical_bytes(document))
        return tmp_path

    def test_a_flow_runs_with_the_flow_that_it_calls_and_so_does_its_template(self, call: Run, folder: Path) -> None:
        outer = str(folder / "outer.flow.json")
        assert call("validate", outer).out == ""
        assert json.loads(call("run", outer, "--payload", '{"name": "ada"}').out) == {"said": "ADA!"}
        template = str(folder / "t.template.json")
        assert call("export", outer, "-o", template, "--version", "1.0.0").status == 0
        document = json.loads(Path(template).read_text())
        assert list(document["flows"]) == ["inner"]
        assert document["flow"]["steps"]["sub"]["config"]["flow"] == "inner"
        (folder / "parts" / "inner.flow.json").unlink()
        printed = call("run", template, "--payload", '{"name": "ada"}', "--set", "mark=?")
        assert json.loads(printed.out) == {"said": "ADA?"}

    def test_a_fault_in_the_called_flow_is_told_with_its_file(self, call: Run, folder: Path) -> None:
        inner = folder / "parts" / "inner.flow.json"
        inner.write_text(inner.read_text().replace("$uppercase(name)", "$uppercase(name"))
        printed = call("validate", "--json", str(folder / "outer.flow.json"))
        assert printed.status == 2
        (problem,) = printed.json["problems"]
        assert (problem["file"], problem["step"], problem["field"]) == (str(inner), "shout", "expression")

    def test_one_that_is_not_there_is_named(self, call: Run, folder: Path) -> None:
        (folder / "parts" / "inner.flow.json").unlink()
        printed = call("run", str(folder / "outer.flow.json"))
        assert printed.status == 2
        assert "there is no flow parts/inner.flow.json" in printed.err


def test_a_run_is_recorded_with_its_payloads_in_a_data_directory(call: Run, tmp_path: Path) -> None:
    data = tmp_path / "data"
    printed = call("run", EXAMPLE, "--data", str(data), "--json")
    store, payloads = RunStore(data), PayloadStore(data)
    try:
        (run,) = store.runs()["runs"]
        assert (run["run"], run["status"], run["flow"]) == (printed.json["run"], "succeeded", "customer-sync")
        visits = store.visits(run["run"])
        assert [visit["step"] for visit in visits] == ["receive", "stamp", "qualify", "shape", "push", "log"]
        assert payloads.get(visits[3]["output"]["hash"])["name"] == f"{run['label']}"
        assert [line["message"] for line in store.lines(run["run"])] == ["CRM answered"]
    finally:
        store.close()
        payloads.close()

"""Fields made for one purpose: a flow, a file, a schema, a column, and neighbours of which one is filled in."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QFileDialog

from flowstudio.editor.forms.columns import ColumnField
from flowstudio.editor.forms.expression import BracedField
from flowstudio.editor.forms.places import FileField, FlowField, flows_beside, relative_to
from flowstudio.editor.forms.schemas import SchemaField, schema_of
from flowstudio.flow.files import save_flow
from flowstudio.flow.model import Flow, Step, Wire
from flowstudio.sdk.registry import Registry
from tests.editor.forms.bench import Bench, leave, replace_in, type_into
from tests.editor.forms.conftest import MakeBench

BUILT_IN = Registry.from_entry_points()


def flow_with(component: str, config: dict[str, Any] | None = None) -> Flow:
    return Flow(
        "f",
        "Orders",
        steps={"start": Step("manual@1"), "s": Step(component, config or {})},
        wires=(Wire.parse("start -> s"),),
    )


@pytest.fixture
def make(make_bench: MakeBench) -> Any:
    def made(component: str, config: dict[str, Any] | None = None) -> Bench:
        return make_bench(flow=flow_with(component, config), registry=BUILT_IN)

    return made


class TestFlows:
    def test_the_flows_of_the_folder_are_offered(self, make: Any, tmp_path: Path) -> None:
        (tmp_path / "broken.flow.json").write_text("{")
        save_flow(None, Flow("normalise", "Normalise a customer"), tmp_path / "normalise.flow.json")
        bench = make("call@1")
        bench.document.save(tmp_path / "orders.flow.json")
        field = bench.field("flow")
        assert isinstance(field, FlowField)
        (action,) = field.menu().actions()
        assert action.text() == "Normalise a customer    normalise"
        action.trigger()
        assert bench.config == {"flow": "normalise"}
        assert bench.document.undo_stack.count() == 1

    def test_before_the_flow_is_saved_it_says_how_to_get_any(self, make: Any) -> None:
        (action,) = make("call@1").field("flow").menu().actions()
        assert not action.isEnabled()
        assert "Save this flow first" in action.text()

    def test_a_name_can_be_typed(self, make: Any) -> None:
        bench = make("call@1")
        type_into(bench.field("flow").input, "shared/x.flow.json")
        assert bench.config == {"flow": "shared/x.flow.json"}

    def test_the_flow_itself_is_not_offered(self, tmp_path: Path) -> None:
        path = tmp_path / "a.flow.json"
        save_flow(None, Flow("a", "A"), path)
        assert list(flows_beside(path)) == []
        assert list(flows_beside(None)) == []


class TestFixed:
    @pytest.mark.parametrize(("component", "name"), [("call@1", "flow"), ("choice@1", "otherwise")])
    def test_where_braces_are_refused_none_are_offered(self, make: Any, component: str, name: str) -> None:
        bench = make(component, {name: "elsewhere"})
        row = bench.row(name)
        assert not isinstance(row.field, BracedField)
        assert list(row.field.header_tools()) == []
        assert "variable" not in " ".join(action.text() for action in row.menu().actions())

    def test_the_name_of_a_way_out_is_one(self, make: Any) -> None:
        bench = make("choice@1", {"cases": [{"port": "eu", "when": "a"}]})
        bench.form.focus_field(("cases", 0, "port"))
        port = bench.row("cases").row_at((0, "port"))
        assert port.spec.fixed
        assert "variable" not in " ".join(action.text() for action in port.menu().actions())


class TestFiles:
    def test_a_file_that_is_chosen_is_named_from_the_flows_folder_on(
        self, make: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        bench = make("file-read@1")
        bench.document.save(tmp_path / "orders.flow.json")
        chosen = tmp_path / "in" / "a {{b}}.csv"
        monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *_: (str(chosen), ""))
        field = bench.field("path")
        assert isinstance(field, FileField)
        QTest.mouseClick(field.choose_button, Qt.MouseButton.LeftButton)
        assert bench.config == {"path": r"in/a \{{b}}.csv"}

    def test_a_dialog_that_is_closed_changes_nothing(self, make: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        bench = make("file-write@1", {"path": "x"})
        monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_, **__: ("", ""))
        bench.field("path").choose()
        assert bench.config == {"path": "x"}

    def test_a_file_elsewhere_is_named_in_full(self, tmp_path: Path) -> None:
        other = tmp_path.parent / "other.csv"
        assert relative_to(tmp_path, other) == other.as_posix()
        assert relative_to(None, other) == other.as_posix()


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-9, 9)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text("ab", max_size=2), inner, max_size=3),
    max_leaves=10,
)


class TestSchemas:
    def test_a_schema_is_made_of_the_sample(self, make: Any) -> None:
        bench = make("validate@1")
        field = bench.field("schema")
        assert isinstance(field, SchemaField)
        field.make()
        assert bench.config == {}
        bench.previews.give_sample({"id": 7, "lines": [{"sku": "a", "n": 1}, {"sku": "b"}]})
        field.make()
        schema = bench.config["schema"]
        assert schema["required"] == ["id", "lines"]
        assert schema["properties"]["lines"]["items"]["required"] == ["sku"]
        assert json.loads(field.input.text()) == schema
        assert bench.document.undo_stack.count() == 1

    @given(JSON)
    def test_what_it_was_made_of_fits_a_schema(self, value: Any) -> None:
        schema = schema_of(value)
        jsonschema_rs.validator_for(schema).validate(value)


class TestColumns:
    def test_a_name_is_stored_alone_until_it_is_computed(self, make: Any) -> None:
        bench = make("csv-write@1", {"columns": ["number"]})
        field = bench.row("columns").row_at((0,)).field
        assert isinstance(field, ColumnField)
        assert field.input.text() == "number"
        QTest.mouseClick(field.frame.tab, Qt.MouseButton.LeftButton)
        assert bench.config == {"columns": [{"name": "number", "value": "number"}]}
        replace_in(field.expression.field.focusProxy(), "qty * price")
        replace_in(field.input, "total")
        assert bench.config == {"columns": [{"name": "total", "value": "qty * price"}]}
        leave(field.input)
        QTest.mouseClick(field.frame.tab, Qt.MouseButton.LeftButton)
        assert bench.config == {"columns": ["total"]}

    def test_its_expression_is_tried_on_the_first_row(self, make: Any) -> None:
        bench = make("csv-write@1", {"columns": [{"name": "total", "value": "qty * price"}]})
        field = bench.row("columns").row_at((0,)).field
        field.expression.field.box.check()
        assert "$[0].(qty * price)" in bench.previews.expressions

    def test_a_column_is_added(self, make: Any) -> None:
        bench = make("csv-write@1")
        field = bench.field("columns")
        QTest.mouseClick(field.add_button, Qt.MouseButton.LeftButton)
        row = field.rows()[0].field
        type_into(row.input, "sku")
        assert bench.config == {"columns": ["sku"]}


class TestOneOf:
    def test_only_the_one_that_holds_something_is_shown(self, make: Any) -> None:
        bench = make("delay@1", {"until": "2030-01-01T00:00:00Z"})
        rows = bench.form.rows
        assert rows["seconds"].isHidden()
        assert not rows["until"].isHidden()

    def test_choosing_another_takes_the_first_away_as_one_step(self, make: Any) -> None:
        bench = make("delay@1", {"seconds": 60})
        (alternatives,) = bench.form._alternatives
        QTest.mouseClick(
            alternatives.segments, Qt.MouseButton.LeftButton, pos=alternatives.segments.box_of(1).center().toPoint()
        )
        assert bench.config == {}
        assert bench.form.rows["seconds"].isHidden()
        bench.undo()
        assert bench.config == {"seconds": 60}
        assert not bench.form.rows["seconds"].isHidden()

    def test_two_that_hold_something_are_both_shown(self, make: Any) -> None:
        bench = make("schedule@1", {"cron": "@daily", "every": 60})
        assert not bench.form.rows["cron"].isHidden()
        assert not bench.form.rows["every"].isHidden()

    def test_the_cursor_finds_one_that_stepped_back(self, make: Any) -> None:
        bench = make("delay@1", {"seconds": 60})
        bench.form.focus_field("until")
        assert not bench.form.rows["until"].isHidden()

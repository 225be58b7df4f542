"""Every field of every built-in component has a widget, and what is stored stands in it exactly, whatever stood there before."""

from __future__ import annotations

import json
from collections.abc import Mapping

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PySide6.QtWidgets import QWidget

from flowstudio.editor.forms.choices import ChoiceField, SwitchField
from flowstudio.editor.forms.code import CodeField, JsonField
from flowstudio.editor.forms.columns import ColumnField
from flowstudio.editor.forms.expression import BracedField, ExpressionField, TextField
from flowstudio.editor.forms.field import Field, Row
from flowstudio.editor.forms.groups import GroupField, UnionField
from flowstudio.editor.forms.lists import CardsField, ListField, SetField
from flowstudio.editor.forms.logins import ConnectionField, SecretField
from flowstudio.editor.forms.mapping import MappingField
from flowstudio.editor.forms.numbers import NumberField, number_from
from flowstudio.editor.forms.tables import EntriesField
from flowstudio.editor.forms.texts import LineField, LongTextField
from flowstudio.editor.forms.times import DurationField, MomentField
from flowstudio.flow.edits import SetConfig
from flowstudio.flow.jsonvalue import decode, same
from flowstudio.flow.model import ABSENT, Flow, Json, Slot, Step
from flowstudio.sdk.fields import Kind
from flowstudio.sdk.registry import Registry
from flowstudio.sdk.spec import FieldSpec, Spec
from tests.editor.forms.bench import Bench, toys
from tests.editor.forms.conftest import MakeBench

REGISTRY = Registry.from_entry_points()
SPECS = {spec.name: spec for spec in REGISTRY.specs()}

# Two with fields of most kinds stand for all in the quick part.
every_component = pytest.mark.parametrize(
    "name",
    [name if name in ("choice@1", "http@1") else pytest.param(name, marks=pytest.mark.slow) for name in sorted(SPECS)],
)

LETTERS = st.characters(codec="utf-8", exclude_categories=("Cc", "Cs", "Cn", "Co", "Zl", "Zp"))
WORDS = st.text(LETTERS, min_size=1, max_size=20).filter(lambda text: not text.lstrip().startswith("{{"))
EXPRESSIONS = st.sampled_from(
    ["a.b", "$sum(lines.(price * qty))", '"webhook"', "'x'", "100", "[1]", "a and", "$vars.low\n+ 1"]
)
TEXTS = st.builds(
    "".join, st.lists(st.sampled_from(["{{ a.b }}", "{{ $vars.x }}", "/", "ü ", "\U0001f389", "\\{{ "]), min_size=1)
)
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(LETTERS, max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(LETTERS, max_size=5), inner, max_size=3),
    max_leaves=6,
)


def stored(spec: FieldSpec) -> st.SearchStrategy[Json]:
    """What may stand in a flow's file for a field."""
    if spec.kind is Kind.EXPRESSION and spec.form == "json":
        return EXPRESSIONS
    if spec.kind is Kind.TEXT and spec.form in ("string", "long-text"):
        return TEXTS
    own = _of_form(spec)
    if spec.fixed or spec.form in ("code", "connection") or spec.kind in (Kind.TEXT, Kind.EXPRESSION):
        return own
    return own | st.sampled_from(["{{ $vars.low }}", "{{ $customer.id }}"])


def _of_form(spec: FieldSpec) -> st.SearchStrategy[Json]:
    match spec.form:
        case "string" | "long-text":
            return WORDS
        case "code":
            return st.text(LETTERS | st.just("\n"), min_size=1)
        case "integer":
            low = None if spec.minimum is None else int(spec.minimum)
            high = None if spec.maximum is None else int(spec.maximum)
            return st.integers(low, high)
        case "number":
            low = 0.5 if spec.minimum is not None else None
            return st.floats(low, allow_nan=False, allow_infinity=False) | st.integers(1, 10**25)
        case "boolean":
            return st.booleans()
        case "choice":
            return st.sampled_from(spec.options)
        case "connection":
            return st.sampled_from(["crm", "mail", "gone"])
        case "list":
            assert spec.item is not None
            if spec.widget == "columns":
                sources = st.sampled_from(["qty * price", "[1]"])
                computed = st.builds(lambda name, value: {"name": name, "value": value}, WORDS, sources)
                return st.lists(WORDS | computed, max_size=3)
            if spec.item.form != "choice":
                return st.lists(stored(spec.item), max_size=3)
            # Buttons stand in the order of the choices, what they do not know behind them.
            order = [*spec.item.options, "{{ $vars.low }}", "{{ $customer.id }}"]
            return st.sets(stored(spec.item), max_size=3).map(lambda values: sorted(values, key=order.index))
        case "dict":
            assert spec.item is not None
            return st.dictionaries(WORDS, stored(spec.item), max_size=3)
        case "group":
            return _object(spec.fields)
        case "union":
            name = spec.discriminator or "type"
            return st.one_of(
                [
                    _object(each.fields).map(lambda value, kind=each.value: {name: kind, **value})
                    for each in spec.variants
                ]
            )
        case "datetime":
            if spec.name == "day":
                return st.dates().map(lambda day: day.isoformat())
            return st.sampled_from(["2025-03-14T09:30:00+00:00", "2025-07-01T09:30:15+02:00"])
        case "timedelta":
            return st.integers(1, 10**7)
        case "secret":
            return st.just("{{ $vars.key }}")
    return JSON


def _object(fields: tuple[FieldSpec, ...]) -> st.SearchStrategy[dict[str, Json]]:
    return st.fixed_dictionaries({}, optional={spec.name: stored(spec) for spec in fields})


def standing(field: Field) -> Json:
    """The value that stands in a widget, read from what a person sees."""
    match field:
        case BracedField() if field.on:
            return "{{ " + field.box.text + " }}"
        case BracedField():
            return standing(field.inner)
        case MappingField():
            return standing(field.text)
        case ExpressionField():
            text = field.box.text
            return (json.dumps(text, ensure_ascii=False) if field.plain else text) or ABSENT
        case TextField():
            return field.box.text or ABSENT
        case LineField() | LongTextField() | CodeField():
            return field.input.text() or ABSENT
        case NumberField():
            return number_from(field.input.text(), whole=field.spec.form == "integer") if field.input.text() else ABSENT
        case SwitchField():
            return field.switch.isChecked()
        case ChoiceField() if field.segments is not None:
            return field.spec.options[field.segments.index] if field.segments.index >= 0 else ABSENT
        case ChoiceField():
            assert field.combo is not None
            return field.combo.currentData() if field.combo.currentIndex() >= 0 else ABSENT
        case ConnectionField() if field.combo.currentIndex() >= 0:
            return field.combo.currentData()
        case ConnectionField():
            told = field.combo.placeholderText()
            return ABSENT if told == "Choose a connection" else told
        case ColumnField() if field.rows():
            return {"name": field.input.text(), "value": field.expression.field.box.text}
        case ColumnField():
            return field.input.text()
        case SetField():
            return [option_of(each.text(), field.spec) for each in field.buttons if each.isChecked()]
        case ListField() | CardsField():
            return [standing(row.field) for row in field.rows().values()]
        case EntriesField():
            return {entry.name.text(): standing(entry.row.field) for entry in field.entries()}
        case UnionField():
            kind = {} if field.variant is None else {field.spec.discriminator or "type": field.variant.value}
            return {**kind, **_parts(field)}
        case GroupField():
            return _parts(field)
        case JsonField():
            return decode(field.input.text().encode("utf-8", "surrogatepass")) if field.input.text().strip() else ABSENT
        case SecretField():
            return field.input.text() or ABSENT
        case MomentField() | DurationField():
            return ABSENT if not field.input.text() else field._value
    raise AssertionError(f"{type(field).__name__} is not known to this test")


def option_of(text: str, spec: FieldSpec) -> Json:
    """The element that a button with this text stands for."""
    assert spec.item is not None
    return next((option for option in spec.item.options if str(option) == text), text)


def _parts(field: Field) -> dict[str, Json]:
    return {str(key): standing(row.field) for key, row in field.rows().items()}


def settled(spec: FieldSpec, value: Json) -> Json:
    """A stored value with what the form shows in its place filled in: defaults, nothing as nothing."""
    dimmed = spec.form not in ("boolean", "choice", "list", "dict", "group", "union")
    if dimmed and spec.default is not ABSENT and same(value, spec.default):
        value = ABSENT  # a default stands dimmed in the empty field
    if value is ABSENT or value is None or value == "":
        value = ABSENT if dimmed else spec.default
        if value is None:
            value = ABSENT
    if isinstance(value, str) and value.startswith("{{"):
        return value
    if spec.kind is Kind.EXPRESSION and spec.form == "json" and isinstance(value, str) and value[:1] in "\"'":
        return json.dumps(value[1:-1])
    if spec.form == "number" and isinstance(value, int | float) and abs(value) < 2**53:
        return float(value)
    if spec.form == "list" and isinstance(value, list | tuple) and spec.item is not None:
        return [settled(spec.item, element) for element in value]
    if spec.form == "dict" and isinstance(value, Mapping) and spec.item is not None:
        return {key: settled(spec.item, element) for key, element in value.items()}
    if spec.form == "group" and (isinstance(value, Mapping) or value is ABSENT):
        value = value or {}
        return {part.name: settled(part, value.get(part.name, ABSENT)) for part in spec.fields}
    if spec.form == "union" and isinstance(value, Mapping):
        name = spec.discriminator or "type"
        variant = next(each for each in spec.variants if each.value == value[name])
        return {
            name: value[name],
            **{part.name: settled(part, value.get(part.name, ABSENT)) for part in variant.fields},
        }
    return value


def flow_of(component: str) -> Flow:
    return Flow("f", "F", steps={"s": Step(component)}, connections={"crm": Slot("bearer"), "mail": Slot("basic")})


def row_of(bench: Bench, spec: FieldSpec) -> Row:
    row = bench.form.row(spec.name)
    assert row is not None
    return row


def holds(spec: Spec, make_bench: MakeBench, registry: Registry) -> None:
    bench = make_bench(flow=flow_of(spec.name), registry=registry)
    assert bench.document.undo_stack.count() == 0

    @settings(
        max_examples=settings.default.max_examples // 3,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
    )
    @given(_object(spec.fields))
    def every_config(config: dict[str, Json]) -> None:
        bench.document.new(flow_of(spec.name))
        bench.document.apply(SetConfig("s", (), config))
        assert same(dict(bench.config), config)
        assert bench.document.undo_stack.count() <= 1  # showing a value changes nothing
        for field in spec.fields:
            shown = settled(field, standing(row_of(bench, field).field))
            wanted = settled(field, config.get(field.name, ABSENT))
            assert same(shown, wanted), f"{field.name}: {shown!r} stands where {wanted!r} is stored"

    every_config()


@every_component
@pytest.mark.slow
def test_what_is_stored_stands_in_the_form(name: str, make_bench: MakeBench) -> None:
    holds(SPECS[name], make_bench, REGISTRY)


@pytest.mark.slow
def test_a_field_of_every_form(make_bench: MakeBench) -> None:
    registry = toys()
    holds(registry.spec("everything@1"), make_bench, registry)


def test_the_test_knows_every_form() -> None:
    forms = {
        "group" if spec.form == "json" and spec.kind is Kind.EXPRESSION else spec.form
        for spec in _all(toys().spec("everything@1").fields)
    }
    assert forms >= {
        "string",
        "long-text",
        "code",
        "integer",
        "number",
        "boolean",
        "choice",
        "secret",
        "connection",
        "list",
        "dict",
        "group",
        "union",
        "json",
        "datetime",
        "timedelta",
    }


def _all(fields: tuple[FieldSpec, ...]) -> list[FieldSpec]:
    found: list[FieldSpec] = []
    for spec in fields:
        found += [spec, *_all(spec.fields), *([spec.item] if spec.item else [])]
        for variant in spec.variants:
            found += _all(variant.fields)
    return found


@every_component
def test_every_input_has_a_name_for_screen_readers(name: str, make_bench: MakeBench) -> None:
    spec = SPECS[name]
    bench = make_bench(flow=flow_of(name), registry=REGISTRY)
    for field in spec.fields:
        widget = row_of(bench, field).field
        holder: QWidget = widget.focusProxy() or widget
        assert holder.accessibleName() or widget.accessibleName(), field.name

"""The table from a field's form to the widget that shows it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from flowstudio.editor.forms.choices import ChoiceField, SwitchField
from flowstudio.editor.forms.code import CodeField, JsonField
from flowstudio.editor.forms.columns import ColumnField
from flowstudio.editor.forms.expression import BracedField, ExpressionField, TextField
from flowstudio.editor.forms.field import Field, Row
from flowstudio.editor.forms.groups import GroupField, UnionField
from flowstudio.editor.forms.lists import CardsField, ListField, SetField
from flowstudio.editor.forms.logins import ConnectionField, SecretField
from flowstudio.editor.forms.mapping import MappingField
from flowstudio.editor.forms.numbers import NumberField
from flowstudio.editor.forms.places import FileField, FlowField
from flowstudio.editor.forms.schemas import SchemaField
from flowstudio.editor.forms.surroundings import Surroundings
from flowstudio.editor.forms.tables import EntriesField
from flowstudio.editor.forms.texts import LineField, LongTextField
from flowstudio.editor.forms.times import DurationField, MomentField
from flowstudio.sdk.fields import Kind
from flowstudio.sdk.spec import FieldSpec, Form

MakePart = Callable[[FieldSpec, "str | None"], Row]
"""Makes the row of a part of a value; the text is the variant of the union that the part belongs to."""

Make = Callable[[Surroundings, FieldSpec, MakePart, "str | None"], Field]
"""Makes the widget of a field, with the rows of its parts; the text as above."""


def make_row(around: Surroundings, spec: FieldSpec, variant: str | None = None, *, braces: bool = True) -> Row:
    """The row of a field. Without `braces` a fixed value takes no `{{ }}`: a login's field, a test value."""
    return Row(around, spec, make_field(around, spec, variant, braces=braces))


def make_field(around: Surroundings, spec: FieldSpec, variant: str | None = None, *, braces: bool = True) -> Field:
    """The widget of a field, by its kind, then by its form."""

    def part(inner: FieldSpec, own: str | None) -> Row:
        return make_row(around, inner, own, braces=braces)

    parts = spec.form in ("list", "dict", "group", "union")
    if spec.kind is Kind.EXPRESSION and not parts:
        return MappingField(around, spec) if spec.widget == "mapping" else ExpressionField(around, spec)
    if spec.kind is Kind.TEXT and not parts:
        return FileField(around, spec) if spec.widget in ("file", "new-file") else TextField(around, spec)
    if spec.form == "secret" and not braces:
        return SecretField(around, spec, in_flow=False)
    if spec.form == "string" and spec.widget == "flow":
        return FlowField(around, spec)
    field = WIDGETS[spec.form](around, spec, part, variant)
    if not braces or spec.fixed or spec.form in ("code", "connection"):
        return field
    return BracedField(around, spec, field)


def _list(around: Surroundings, spec: FieldSpec, part: MakePart, variant: str | None) -> Field:
    item = spec.item
    if item is not None and item.form == "choice" and item.kind is Kind.STATIC and len(item.options) <= 12:
        return SetField(around, spec)
    if item is not None and item.form == "group":
        # Inside a card a group needs no line at its left.
        return CardsField(around, spec, lambda inner: _card(around, inner, part))
    if item is not None and spec.widget == "columns":
        return ListField(around, spec, lambda inner: Row(around, inner, ColumnField(around, inner)))
    if item is not None and item.form in ("union", "dict", "list"):
        return CardsField(around, spec, lambda inner: part(inner, None))
    return ListField(around, spec, lambda inner: part(inner, None))


def _card(around: Surroundings, spec: FieldSpec, part: MakePart) -> Row:
    group = GroupField(around, spec, part, indent=False)
    for row in group.rows().values():
        row.hide_hint()
    return Row(around, spec, BracedField(around, spec, group))


def _connection(around: Surroundings, spec: FieldSpec, part: MakePart, variant: str | None) -> Field:
    # An `auth` of type `bearer` takes a bearer login.
    fits = variant if variant in {known.key for known in around.registry.connections()} else None
    return ConnectionField(around, spec, lambda inner: make_row(around, inner, braces=False), fits)


WIDGETS: Final[Mapping[Form, Make]] = {
    "string": lambda around, spec, part, variant: LineField(around, spec),
    "long-text": lambda around, spec, part, variant: LongTextField(around, spec),
    "code": lambda around, spec, part, variant: CodeField(around, spec),
    "integer": lambda around, spec, part, variant: NumberField(around, spec),
    "number": lambda around, spec, part, variant: NumberField(around, spec),
    "boolean": lambda around, spec, part, variant: SwitchField(around, spec),
    "choice": lambda around, spec, part, variant: ChoiceField(around, spec),
    "secret": lambda around, spec, part, variant: SecretField(around, spec),
    "connection": _connection,
    "list": _list,
    "dict": lambda around, spec, part, variant: EntriesField(around, spec, lambda inner: part(inner, None)),
    "group": lambda around, spec, part, variant: GroupField(around, spec, part),
    "union": lambda around, spec, part, variant: UnionField(around, spec, part),
    "json": lambda around, spec, part, variant: (
        SchemaField(around, spec) if spec.widget == "json-schema" else JsonField(around, spec)
    ),
    "datetime": lambda around, spec, part, variant: MomentField(around, spec),
    "timedelta": lambda around, spec, part, variant: DurationField(around, spec),
}
"""Every form has its widget here, and nowhere else."""

"""The table from a field's form to the widget that shows it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from flowstudio.editor.forms.choices import ChoiceField, SwitchField
from flowstudio.editor.forms.code import CodeField, JsonField
from flowstudio.editor.forms.expression import BracedField, ExpressionField, TextField
from flowstudio.editor.forms.field import Field, Row
from flowstudio.editor.forms.groups import GroupField, UnionField
from flowstudio.editor.forms.lists import CardsField, ListField, SetField
from flowstudio.editor.forms.logins import ConnectionField, SecretField
from flowstudio.editor.forms.numbers import NumberField
from flowstudio.editor.forms.surroundings import Surroundings
from flowstudio.editor.forms.tables import EntriesField
from flowstudio.editor.forms.texts import LineField, LongTextField
from flowstudio.editor.forms.times import DurationField, MomentField
from flowstudio.sdk.fields import Kind
from flowstudio.sdk.spec import FieldSpec, Form

Make = Callable[[Surroundings, FieldSpec, "str | None"], Field]
"""Makes the widget of a field; the text is the variant of the union that the field belongs to."""


def make_row(around: Surroundings, spec: FieldSpec, variant: str | None = None, *, braces: bool = True) -> Row:
    """The row of a field. Without `braces` a fixed value takes no `{{ }}`: a login's field, a test value."""
    return Row(around, spec, make_field(around, spec, variant, braces=braces))


def make_field(around: Surroundings, spec: FieldSpec, variant: str | None = None, *, braces: bool = True) -> Field:
    """The widget of a field, by its kind, then by its form."""
    parts = spec.form in ("list", "dict", "group", "union")
    if spec.kind is Kind.EXPRESSION and not parts:
        return ExpressionField(around, spec)
    if spec.kind is Kind.TEXT and not parts:
        return TextField(around, spec)
    field = WIDGETS[spec.form](around, spec, variant)
    if not braces or spec.form in ("code", "connection"):
        return field
    return BracedField(around, spec, field)


def _list(around: Surroundings, spec: FieldSpec, variant: str | None) -> Field:
    item = spec.item
    if item is not None and item.form == "choice" and item.kind is Kind.STATIC and len(item.options) <= 12:
        return SetField(around, spec)
    cards = item is not None and item.form in ("group", "union", "dict", "list")
    make = CardsField if cards else ListField
    return make(around, spec, lambda part: _element(around, part))


def _element(around: Surroundings, spec: FieldSpec) -> Row:
    """The row of a list's element: a group of fields needs no line at its left inside a card."""
    if spec.form == "group":
        group = GroupField(around, spec, lambda part, own: make_row(around, part, own), indent=False)
        return Row(around, spec, BracedField(around, spec, group))
    return make_row(around, spec)


WIDGETS: Final[Mapping[Form, Make]] = {
    "string": lambda around, spec, variant: LineField(around, spec),
    "long-text": lambda around, spec, variant: LongTextField(around, spec),
    "code": lambda around, spec, variant: CodeField(around, spec),
    "integer": lambda around, spec, variant: NumberField(around, spec),
    "number": lambda around, spec, variant: NumberField(around, spec),
    "boolean": lambda around, spec, variant: SwitchField(around, spec),
    "choice": lambda around, spec, variant: ChoiceField(around, spec),
    "secret": lambda around, spec, variant: SecretField(around, spec),
    "connection": lambda around, spec, variant: ConnectionField(
        around, spec, lambda part: make_row(around, part, braces=False), _login_of(around, variant)
    ),
    "list": _list,
    "dict": lambda around, spec, variant: EntriesField(around, spec, lambda part: make_row(around, part)),
    "group": lambda around, spec, variant: GroupField(around, spec, lambda part, own: make_row(around, part, own)),
    "union": lambda around, spec, variant: UnionField(around, spec, lambda part, own: make_row(around, part, own)),
    "json": lambda around, spec, variant: JsonField(around, spec),
    "datetime": lambda around, spec, variant: MomentField(around, spec),
    "timedelta": lambda around, spec, variant: DurationField(around, spec),
}
"""Every form has its widget here, and nowhere else."""


def _login_of(around: Surroundings, variant: str | None) -> str | None:
    """The type of connection that a variant asks for: `auth` of type `bearer` takes a bearer login."""
    return variant if variant in {spec.key for spec in around.registry.connections()} else None

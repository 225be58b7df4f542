"""The spec: what palette, form, checks, reference and engine read of a component, derived once from its class."""

from __future__ import annotations

import types
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from enum import Enum
from functools import cache, cached_property
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel, SecretStr, TypeAdapter, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from flowstudio.flow.model import ABSENT, ERROR_PORT
from flowstudio.sdk.component import Component, Port
from flowstudio.sdk.connection import Connection
from flowstudio.sdk.fields import Kind, Marker, Settings
from flowstudio.sdk.shapes import Call, Collect, Loop, Merge, Split
from flowstudio.sdk.trigger import Trigger

Json = Any

Form = Literal[
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
]

Shape = Literal["plain", "trigger", "split", "collect", "merge", "loop", "call"]

_SHAPES: tuple[tuple[type[Component], Shape], ...] = (
    (Trigger, "trigger"),
    (Split, "split"),
    (Collect, "collect"),
    (Merge, "merge"),
    (Loop, "loop"),
    (Call, "call"),
)

_LEAF_FORMS: dict[Any, Form] = {
    str: "string",
    int: "integer",
    float: "number",
    bool: "boolean",
    SecretStr: "secret",
    datetime: "datetime",
    date: "datetime",
    timedelta: "timedelta",
    Any: "json",
}

# JSON has one number type and no dates: these forms take what JSON can write, the others exactly their type.
_LENIENT_FORMS = frozenset({"secret", "datetime", "timedelta", "json"})


@dataclass(frozen=True, slots=True, eq=False)
class Variant:
    """One choice of a union: the discriminator's value, and the fields that come with it."""

    value: str
    title: str
    fields: tuple[FieldSpec, ...]
    model: type[BaseModel]


@dataclass(frozen=True, slots=True, eq=False)
class FieldSpec:
    """One config field. Compared by identity: a spec is derived once.

    `name` is the one in files, `attribute` that in the class where it is another (a Python keyword cannot be one).
    `fixed` takes no `{{ }}`, of neighbours with the same `one_of` one is filled in. `default` is ABSENT where there is none; `options` are the values of a choice; `fields` those of a group, `item` the
    element of a list or dict, `variants` the choices of a union told apart by the key `discriminator`.
    """

    name: str
    title: str
    description: str
    kind: Kind
    form: Form
    annotation: Any
    lazy: bool = False
    required: bool = False
    default: Json = ABSENT
    nullable: bool = False
    group: str | None = None
    advanced: bool = False
    widget: str | None = None
    placeholder: str | None = None
    options: tuple[Json, ...] = ()
    minimum: float | None = None
    maximum: float | None = None
    fields: tuple[FieldSpec, ...] = ()
    item: FieldSpec | None = None
    variants: tuple[Variant, ...] = ()
    discriminator: str | None = None
    model: type[BaseModel] | None = None
    constraints: tuple[Any, ...] = field(default=())
    attribute: str | None = None
    fixed: bool = False
    one_of: str | None = None

    def validate(self, value: Json) -> Any:
        """The value as `run()` sees it; ValueError says in a few words why it does not fit."""
        if value is None and self.nullable:
            return None
        if self.form == "integer" and isinstance(value, float) and value.is_integer():
            value = int(value)
        try:
            return _adapter(self).validate_python(value, strict=self.form not in _LENIENT_FORMS)
        except ValidationError as error:
            raise ValueError(_first_reason(error)) from None


@cache
def _adapter(spec: FieldSpec) -> TypeAdapter[Any]:
    annotation = Annotated[(spec.annotation, *spec.constraints)] if spec.constraints else spec.annotation
    return TypeAdapter(annotation)  # type: ignore[arg-type] # built at run time from the declared type


def _first_reason(error: ValidationError) -> str:
    first = error.errors(include_url=False, include_input=False)[0]
    message = str(first["msg"]).removeprefix("Value error, ")
    return message[:1].lower() + message[1:]


@dataclass(frozen=True)
class Spec:
    """What is known of a component without running it."""

    component: type[Component]
    fields: tuple[FieldSpec, ...]
    shape: Shape

    @property
    def key(self) -> str:
        """The key without the version."""
        return self.component.key

    @property
    def version(self) -> int:
        """The major version."""
        return self.component.version

    @property
    def name(self) -> str:
        """As a step names it: `http@1`."""
        return f"{self.component.key}@{self.component.version}"

    @property
    def title(self) -> str:
        """What people call it."""
        return self.component.title

    @property
    def description(self) -> str:
        """One sentence."""
        return self.component.description

    @property
    def category(self) -> str:
        """The palette's group."""
        return str(self.component.category)

    @property
    def icon(self) -> str:
        """A Phosphor icon's name."""
        return self.component.icon

    @property
    def aliases(self) -> tuple[str, ...]:
        """Other tools' words for it."""
        return self.component.aliases

    @property
    def inputs(self) -> tuple[Port, ...]:
        """The input ports."""
        return self.component.inputs

    @property
    def outputs(self) -> tuple[Port, ...]:
        """The output ports of a step without settings, without `error`."""
        return self.component.outputs

    @property
    def pure(self) -> bool:
        """Whether nothing leaves the process."""
        return self.component.pure

    @property
    def fails(self) -> bool:
        """Whether there is an `error` port."""
        return self.component.fails

    @cached_property
    def defaults(self) -> Mapping[str, Json]:
        """The stored config of a step in which nothing was filled in."""
        return {spec.name: spec.default for spec in self.fields if spec.default is not ABSENT}

    def field(self, name: str) -> FieldSpec | None:
        """The top-level field of that name."""
        return next((spec for spec in self.fields if spec.name == name), None)

    def ports(self, config: Mapping[str, Json]) -> tuple[Port, ...]:
        """The output ports under a stored config, without `error`."""
        try:
            return tuple(self.component.ports({**self.defaults, **config}))
        except Exception:
            # A half-filled config is normal while somebody types; what is wrong with it is said by `check`.
            return self.component.outputs

    def output_names(self, config: Mapping[str, Json]) -> tuple[str, ...]:
        """The names of all output ports under a stored config, `error` last."""
        names = tuple(port.name for port in self.ports(config))
        return (*names, ERROR_PORT) if self.fails else names

    def summary(self, config: Mapping[str, Json]) -> str:
        """One line for the card on the canvas."""
        try:
            return self.component.summary({**self.defaults, **config})
        except Exception:
            # As for ports: a card is drawn at every keystroke.
            return self.component.title

    def json_schema(self) -> dict[str, Json]:
        """The JSON Schema of the stored config; `x-kind` tells how a field is evaluated."""
        return {
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "title": self.name,
            "description": self.description,
            **_object_schema(self.fields),
        }


@dataclass(frozen=True)
class ConnectionSpec:
    """What is known of a kind of login."""

    connection: type[Connection]
    fields: tuple[FieldSpec, ...]

    @property
    def key(self) -> str:
        """Its name in flow files."""
        return self.connection.key

    @property
    def title(self) -> str:
        """What people call it."""
        return self.connection.title

    @property
    def description(self) -> str:
        """One sentence."""
        return self.connection.description


def derive(component: type[Component]) -> Spec:
    """The spec of a component; TypeError when its class is not one that can be used."""
    for attribute in ("key", "title", "description", "category"):
        if not getattr(component, attribute, None):
            raise TypeError(
                f"{component.__name__} has no {attribute}: every component declares key, title, description and category"
            )
    shape: Shape = next((shape for base, shape in _SHAPES if issubclass(component, base)), "plain")
    return Spec(component, fields_of(component.Config), shape)


def derive_connection(connection: type[Connection]) -> ConnectionSpec:
    """The spec of a kind of login."""
    return ConnectionSpec(connection, fields_of(connection.Config))


def fields_of(model: type[BaseModel]) -> tuple[FieldSpec, ...]:
    """The fields that a Settings class declares, in its order."""
    return tuple(_field(name, info) for name, info in model.model_fields.items())


def _field(attribute: str, info: FieldInfo) -> FieldSpec:
    name = info.alias or attribute
    extra = info.json_schema_extra if isinstance(info.json_schema_extra, dict) else {}
    if info.default is not PydanticUndefined:
        default = _plain(info.default)
    elif info.default_factory is not None:
        default = _plain(info.get_default(call_default_factory=True))
    else:
        default = ABSENT
    return _read(
        info.annotation,
        tuple(info.metadata),
        name=name,
        attribute=None if name == attribute else attribute,
        title=info.title or name.replace("_", " ").capitalize(),
        description=info.description or "",
        required=info.is_required(),
        default=default,
        group=extra.get("x-group"),
        advanced=bool(extra.get("x-advanced")),
        widget=extra.get("x-widget"),
        placeholder=extra.get("x-placeholder"),
        fixed=bool(extra.get("x-fixed")),
        one_of=extra.get("x-one-of"),
        discriminator=info.discriminator if isinstance(info.discriminator, str) else None,
    )


def _plain(value: Any) -> Json:
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json", by_alias=True)
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return value


def _read(annotation: Any, metadata: tuple[Any, ...], **told: Any) -> FieldSpec:
    """One field from its annotation; `told` is what the declaration says beside it."""
    kind, lazy = Kind.STATIC, False
    nullable = False
    while True:
        if get_origin(annotation) is Annotated:
            annotation, *more = get_args(annotation)
            metadata = (*metadata, *more)
        elif get_origin(annotation) in (Union, types.UnionType) and type(None) in get_args(annotation):
            rest = tuple(arg for arg in get_args(annotation) if arg is not type(None))
            annotation = rest[0] if len(rest) == 1 else Union[rest]  # noqa: UP007 - built from a tuple
            nullable = True
        else:
            break
    constraints = []
    minimum = maximum = None
    for item in metadata:
        if isinstance(item, Marker):
            kind, lazy = item.kind, item.lazy
            told["widget"] = told.get("widget") or item.widget
        elif isinstance(item, FieldInfo):
            if isinstance(item.discriminator, str):
                told["discriminator"] = item.discriminator
        else:
            constraints.append(item)
            minimum = _bound(item, "ge", "gt", minimum)
            maximum = _bound(item, "le", "lt", maximum)
    shared: dict[str, Any] = {
        "kind": kind,
        "lazy": lazy,
        "nullable": nullable,
        "annotation": annotation,
        "minimum": minimum,
        "maximum": maximum,
        "constraints": tuple(constraints),
        **told,
    }
    origin, args = get_origin(annotation), get_args(annotation)
    if kind is Kind.EXPRESSION:
        return FieldSpec(form="json", **shared)
    if origin is Literal:
        return FieldSpec(form="choice", options=args, **shared)
    if isinstance(annotation, type) and issubclass(annotation, Enum):
        return FieldSpec(form="choice", options=tuple(member.value for member in annotation), **shared)
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return FieldSpec(form="group", fields=fields_of(annotation), model=annotation, **shared)
    if origin in (list, tuple) or annotation in (list, tuple):
        item = _read(args[0] if args else Any, (), name="item", title="", description="")
        return FieldSpec(form="list", item=item, **{**shared, "kind": item.kind if kind is Kind.STATIC else kind})
    if origin in (dict, Mapping) or annotation is dict:
        item = _read(args[1] if args else Any, (), name="value", title="", description="")
        return FieldSpec(form="dict", item=item, **{**shared, "kind": item.kind if kind is Kind.STATIC else kind})
    if origin in (Union, types.UnionType) and all(isinstance(arg, type) and issubclass(arg, BaseModel) for arg in args):
        return _union(args, shared)
    if shared.get("widget") in ("long-text", "code", "connection"):
        return FieldSpec(form=shared["widget"], **shared)
    return FieldSpec(form=_LEAF_FORMS.get(annotation, "json"), **shared)


def _union(models: tuple[type[BaseModel], ...], shared: dict[str, Any]) -> FieldSpec:
    discriminator = shared.pop("discriminator", None) or "type"
    variants = []
    for model in models:
        options = get_args(model.model_fields[discriminator].annotation)
        fields = tuple(spec for spec in fields_of(model) if spec.name != discriminator)
        title = model.model_config.get("title") or str(options[0]).replace("-", " ").capitalize()
        variants.append(Variant(str(options[0]), title, fields, model))
    return FieldSpec(form="union", variants=tuple(variants), discriminator=discriminator, **shared)


def _bound(constraint: Any, inclusive: str, exclusive: str, known: float | None) -> float | None:
    value = getattr(constraint, inclusive, None)
    value = value if value is not None else getattr(constraint, exclusive, None)
    return value if isinstance(value, (int, float)) else known


_BRACES: dict[str, Json] = {"type": "string", "pattern": r"^\s*\{\{[\s\S]*\}\}\s*$"}
_LEAF_SCHEMAS: dict[str, dict[str, Json]] = {
    "string": {"type": "string"},
    "long-text": {"type": "string"},
    "code": {"type": "string"},
    "connection": {"type": "string"},
    "secret": {"type": "string"},
    "integer": {"type": "integer"},
    "number": {"type": "number"},
    "boolean": {"type": "boolean"},
    "datetime": {"type": "string", "format": "date-time"},
    "timedelta": {"type": "string", "format": "duration"},
    "json": {},
}


def _object_schema(fields: tuple[FieldSpec, ...]) -> dict[str, Json]:
    schema: dict[str, Json] = {
        "type": "object",
        "properties": {spec.name: field_schema(spec) for spec in fields},
        "additionalProperties": False,
    }
    required = [spec.name for spec in fields if spec.required]
    if required:
        schema["required"] = required
    return schema


def field_schema(spec: FieldSpec) -> dict[str, Json]:
    """The JSON Schema of one field as it is stored."""
    schema = dict(_stored_schema(spec))
    if spec.nullable:
        schema = {"anyOf": [schema, {"type": "null"}]}
    if spec.title:
        schema["title"] = spec.title
    if spec.description:
        schema["description"] = spec.description
    if spec.default is not ABSENT:
        schema["default"] = spec.default
    schema["x-kind"] = str(spec.kind)
    return schema


def _stored_schema(spec: FieldSpec) -> dict[str, Json]:
    if spec.kind is Kind.EXPRESSION and spec.form == "json":
        return {"type": "string"}
    if spec.form == "choice":
        schema: dict[str, Json] = {"enum": list(spec.options)}
    elif spec.form == "group":
        return _object_schema(spec.fields)
    elif spec.form == "list":
        return {"type": "array", "items": field_schema(spec.item)} if spec.item else {"type": "array"}
    elif spec.form == "dict":
        return {"type": "object", "additionalProperties": field_schema(spec.item) if spec.item else True}
    elif spec.form == "union":
        return {"oneOf": [_variant_schema(spec, variant) for variant in spec.variants]}
    else:
        schema = dict(_LEAF_SCHEMAS[spec.form])
        if spec.minimum is not None:
            schema["minimum"] = spec.minimum
        if spec.maximum is not None:
            schema["maximum"] = spec.maximum
    if spec.form in ("string", "long-text", "code", "json") or spec.kind is Kind.TEXT:
        return schema
    return {"anyOf": [schema, _BRACES]}


def _variant_schema(spec: FieldSpec, variant: Variant) -> dict[str, Json]:
    schema = _object_schema(variant.fields)
    name = spec.discriminator or "type"
    schema["properties"] = {name: {"const": variant.value}, **schema["properties"]}
    schema["required"] = [name, *schema.get("required", [])]
    return schema


def walk(
    specs: tuple[FieldSpec, ...],
    config: Mapping[str, Json],
    visit: Callable[[FieldSpec, tuple[str | int, ...], Json], None],
) -> None:
    """Calls `visit(spec, path, value)` for every leaf of a stored config that its specs know."""
    for spec in specs:
        if spec.name in config:
            for leaf, path, value in leaves(spec, config[spec.name], (spec.name,)):
                visit(leaf, path, value)


def leaves(
    spec: FieldSpec, value: Json, path: tuple[str | int, ...]
) -> Iterator[tuple[FieldSpec, tuple[str | int, ...], Json]]:
    """The leaves of one stored field with their specs and paths; what has the wrong form is skipped."""
    if spec.form == "list" and spec.item is not None:
        if isinstance(value, list):
            for index, element in enumerate(value):
                yield from leaves(spec.item, element, (*path, index))
    elif spec.form == "dict" and spec.item is not None:
        if isinstance(value, Mapping):
            for key, element in value.items():
                yield from leaves(spec.item, element, (*path, key))
    elif spec.form == "group":
        if isinstance(value, Mapping):
            for inner in spec.fields:
                if inner.name in value:
                    yield from leaves(inner, value[inner.name], (*path, inner.name))
    elif spec.form == "union":
        variant = variant_of(spec, value)
        if variant is not None:
            for inner in variant.fields:
                if inner.name in value:
                    yield from leaves(inner, value[inner.name], (*path, inner.name))
    else:
        yield spec, path, value


def variant_of(spec: FieldSpec, value: Json) -> Variant | None:
    """The variant that a stored union value names; None where it names none."""
    if not isinstance(value, Mapping):
        return None
    named = value.get(spec.discriminator or "type")
    return next((variant for variant in spec.variants if variant.value == named), None)


__all__ = [
    "ConnectionSpec",
    "FieldSpec",
    "Form",
    "Settings",
    "Shape",
    "Spec",
    "Variant",
    "derive",
    "derive_connection",
    "field_schema",
    "fields_of",
    "leaves",
    "variant_of",
    "walk",
]

"""A step's config, compiled: literals checked, expressions and texts compiled once, evaluated for each message."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from pydantic import BaseModel

from flowstudio.errors import ExpressionError, Problem, StepError
from flowstudio.expressions.language import Expression, VisitClock, compile_expression
from flowstudio.expressions.names import Reads
from flowstudio.expressions.nothing import MISSING
from flowstudio.expressions.text import Text, braces_of, compile_text
from flowstudio.flow.model import ABSENT
from flowstudio.sdk.fields import Kind
from flowstudio.sdk.spec import FieldSpec, Spec, variant_of

Json = Any
Path = tuple[str | int, ...]

STATIC_NAMES = frozenset({"vars", "customer"})
"""What a static field may read: known when a customer's values are bound, long before a message comes."""


class Names(Protocol):
    """The bound names of a message, without their dollar."""

    def get(self, name: str, default: Any = None, /) -> Any: ...


Evaluate = Callable[[Json, Names, "VisitClock | None"], Any]
"""(payload, names, clock) -> the field's value as `run()` sees it."""


@dataclass(frozen=True, slots=True)
class Source:
    """One expression or text in a config: where it stands, what it reads."""

    path: Path
    kind: Kind
    source: str
    reads: Reads


class _Constant:
    """A value that no message changes."""

    __slots__ = ("value",)

    def __init__(self, value: Any) -> None:
        self.value = value

    def __call__(self, payload: Json, names: Names, clock: VisitClock | None) -> Any:
        return self.value


class CompiledConfig:
    """What compiling a stored config gives: shared by all customers, bound for each with its values."""

    __slots__ = ("_fields", "_model", "sources", "values")

    def __init__(
        self,
        model: type[BaseModel],
        fields: Mapping[str, Evaluate],
        sources: tuple[Source, ...],
        values: Mapping[str, Json],
    ) -> None:
        self._model = model
        self._fields = fields
        self.sources = sources
        self.values = values
        """The stored config with defaults filled in."""

    def bind(self, names: Names) -> BoundConfig:
        """The config under one customer's `vars` and `customer`; StepError when a static field does not fit then."""
        bound: dict[str, Evaluate] = {}
        for name, evaluate in self._fields.items():
            if isinstance(evaluate, _Static):
                bound[name] = _Constant(evaluate(None, names, None))
            elif isinstance(evaluate, _Nested):
                bound[name] = evaluate.bind(names)
            else:
                bound[name] = evaluate
        return BoundConfig(self._model, bound)


class BoundConfig:
    """A config under one customer's values; `evaluate` gives what `run()` sees of one message."""

    __slots__ = ("_changing", "_constant", "_constants", "_fields_set", "_model")

    def __init__(self, model: type[BaseModel], fields: Mapping[str, Evaluate]) -> None:
        self._model = model
        self._constants = {name: field.value for name, field in fields.items() if isinstance(field, _Constant)}
        self._changing = tuple((name, field) for name, field in fields.items() if not isinstance(field, _Constant))
        self._fields_set = set(fields)
        self._constant = _instance(model, dict(self._constants), self._fields_set) if not self._changing else None

    def evaluate(self, payload: Json, names: Names, clock: VisitClock | None) -> Any:
        """The Config that `run()` gets; StepError names the field that could not be evaluated."""
        if self._constant is not None:
            return self._constant
        values = dict(self._constants)
        for name, field in self._changing:
            values[name] = field(payload, names, clock)
        return _instance(self._model, values, self._fields_set)


_set = object.__setattr__


def _instance(model: type[BaseModel], values: dict[str, Any], fields_set: set[str]) -> BaseModel:
    # model_construct() fills in defaults and aliases at every call; here all values are known to be there and checked.
    made = model.__new__(model)
    _set(made, "__dict__", values)
    _set(made, "__pydantic_fields_set__", fields_set)
    _set(made, "__pydantic_extra__", None)
    _set(made, "__pydantic_private__", None)
    return made


class _Static:
    """A static field that reads variables: evaluated when they are bound."""

    __slots__ = ("_spec", "_text", "_where")

    def __init__(self, spec: FieldSpec, text: Text, where: str) -> None:
        self._spec = spec
        self._text = text
        self._where = where

    def __call__(self, payload: Json, names: Names, clock: VisitClock | None) -> Any:
        return _typed(
            self._spec, self._where, _value(self._text, self._where, payload, names, clock), self._text.source
        )


class _Nested:
    """A group, list or dict in which something changes with the message or the customer."""

    __slots__ = ("_build", "_parts")

    def __init__(self, parts: Mapping[Any, Evaluate], build: Callable[[dict[Any, Any]], Any]) -> None:
        self._parts = parts
        self._build = build

    def bind(self, names: Names) -> Evaluate:
        parts: dict[Any, Evaluate] = {}
        for key, part in self._parts.items():
            if isinstance(part, _Static):
                parts[key] = _Constant(part(None, names, None))
            elif isinstance(part, _Nested):
                parts[key] = part.bind(names)
            else:
                parts[key] = part
        return _gathered(parts, self._build)

    def __call__(self, payload: Json, names: Names, clock: VisitClock | None) -> Any:
        return self._build({key: part(payload, names, clock) for key, part in self._parts.items()})


def _gathered(parts: dict[Any, Evaluate], build: Callable[[dict[Any, Any]], Any]) -> Evaluate:
    if all(isinstance(part, _Constant) for part in parts.values()):
        return _Constant(build({key: part.value for key, part in parts.items() if isinstance(part, _Constant)}))
    return _Nested(parts, build)


class _Compiler:
    """Compiles one step's config and collects what is wrong with it."""

    def __init__(self, spec: Spec) -> None:
        self.spec = spec
        self.problems: list[Problem] = []
        self.sources: list[Source] = []

    def fault(
        self, path: Path, what: str, *, why: str = "", remedy: str = "", span: tuple[int, int] | None = None
    ) -> None:
        self.problems.append(Problem(what, why, remedy, field=dotted(path), path=("config", *path), span=span))

    def fields(self, specs: tuple[FieldSpec, ...], stored: Mapping[str, Json], path: Path) -> dict[str, Evaluate]:
        known = {spec.name for spec in specs}
        for name in stored:
            if name not in known:
                self.fault((*path, name), f"there is no setting {name!r}", remedy=_nearest(name, known))
        compiled: dict[str, Evaluate] = {}
        for spec in specs:
            here = (*path, spec.name)
            attribute = spec.attribute or spec.name
            value = stored.get(spec.name, ABSENT)
            if value is ABSENT or (value is None and spec.kind is Kind.EXPRESSION):
                if spec.required:
                    self.fault(here, f"{spec.title} is empty", remedy="fill it in")
                    continue
                value = spec.default
                if value is None or value is ABSENT:
                    compiled[attribute] = _Constant(None)
                    continue
            compiled[attribute] = self.field(spec, value, here)
        return compiled

    def field(self, spec: FieldSpec, value: Json, path: Path) -> Evaluate:
        if value is None and spec.nullable:
            return _Constant(None)
        if spec.kind is Kind.EXPRESSION and spec.form == "json":
            return self.expression(spec, value, path)
        if spec.form in ("list", "dict", "group", "union"):
            if self.is_braces(value):
                return self.braces(spec, value, path)
            return self.nested(spec, value, path)
        if spec.kind is Kind.TEXT:
            return self.text(spec, value, path)
        if spec.form != "code" and self.is_braces(value):
            return self.braces(spec, value, path)
        return self.literal(spec, value, path)

    @staticmethod
    def is_braces(value: Json) -> bool:
        return isinstance(value, str) and "{{" in value and braces_of(value) is not None

    def nested(self, spec: FieldSpec, value: Json, path: Path) -> Evaluate:
        if spec.form == "list":
            if not isinstance(value, list):
                return self.wrong(path, "a list", value)
            item = spec.item
            assert item is not None
            parts: dict[Any, Evaluate] = {i: self.field(item, element, (*path, i)) for i, element in enumerate(value)}
            return _gathered(parts, lambda values: list(values.values()))
        if not isinstance(value, Mapping):
            return self.wrong(path, "an object", value)
        if spec.form == "dict":
            item = spec.item
            assert item is not None
            parts = {key: self.field(item, element, (*path, key)) for key, element in value.items()}
            return _gathered(parts, dict)
        if spec.form == "group":
            assert spec.model is not None
            return _gathered(dict(self.fields(spec.fields, value, path)), _builder(spec.model, {}))
        variant = variant_of(spec, value)
        name = spec.discriminator or "type"
        if variant is None:
            choices = ", ".join(each.value for each in spec.variants)
            self.fault((*path, name), f"{spec.title} has no {name} {value.get(name)!r}", remedy=f"use one of {choices}")
            return _Constant(None)
        rest = {key: element for key, element in value.items() if key != name}
        return _gathered(dict(self.fields(variant.fields, rest, path)), _builder(variant.model, {name: variant.value}))

    def literal(self, spec: FieldSpec, value: Json, path: Path) -> Evaluate:
        if isinstance(value, str) and spec.form not in ("string", "long-text", "code", "json") and "{{" in value:
            self.fault(
                path,
                f"{_label(spec, path)} mixes text and braces",
                why="this field takes a value",
                remedy="use exactly one {{ }}",
            )
            return _Constant(None)
        try:
            return _Constant(spec.validate(value))
        except ValueError as error:
            expected = f"one of {', '.join(map(str, spec.options))}" if spec.form == "choice" else str(error)
            self.fault(path, f"{_label(spec, path)} does not fit", why=f"it is {_short(value)}", remedy=expected)
            return _Constant(None)

    def wrong(self, path: Path, expected: str, value: Json) -> Evaluate:
        self.fault(path, f"{path[-1]} must be {expected}", why=f"it is {_short(value)}", remedy=f"give {expected}")
        return _Constant(None)

    def braces(self, spec: FieldSpec, value: str, path: Path) -> Evaluate:
        text = self.compiled_text(spec, value, path)
        if text is None:
            return _Constant(None)
        if spec.kind is Kind.STATIC:
            outside = sorted(text.reads.names - STATIC_NAMES)
            if outside or text.reads.payload:
                read = f"${outside[0]}" if outside else "the payload"
                self.fault(
                    path,
                    f"{_label(spec, path)} reads {read}",
                    why="it is fixed before a message comes",
                    remedy="use $vars or $customer alone here",
                )
            return _Static(spec, text, dotted(path))
        where = dotted(path)
        return lambda payload, names, clock: _typed(
            spec, where, _value(text, where, payload, names, clock), text.source
        )

    def text(self, spec: FieldSpec, value: Json, path: Path) -> Evaluate:
        if not isinstance(value, str):
            if isinstance(value, (bool, int, float)):
                self.fault(
                    path, f"{_label(spec, path)} must be text", why=f"it is {_short(value)}", remedy="put it in quotes"
                )
                return _Constant("")
            return self.wrong(path, "text", value)
        text = self.compiled_text(spec, value, path)
        if text is None:
            return _Constant("")
        if text.constant is not MISSING:
            return self.literal(spec, text.constant, path) if spec.constraints else _Constant(text.constant)
        where = dotted(path)
        if spec.widget == "url":
            return _url(text, where)
        if spec.name == "value" and text.single:
            return _entry(text, where)
        return lambda payload, names, clock: _text(text, where, payload, names, clock)

    def compiled_text(self, spec: FieldSpec, value: str, path: Path) -> Text | None:
        try:
            text = compile_text(value)
        except ExpressionError as error:
            self.expression_fault(spec, error, path)
            return None
        self.sources.append(Source(path, spec.kind, value, text.reads))
        return text

    def expression(self, spec: FieldSpec, value: Json, path: Path) -> Evaluate:
        if not isinstance(value, str):
            self.fault(
                path,
                f"{_label(spec, path)} must be an expression in a string",
                why=f"it is {_short(value)}",
                remedy='write JSON values as text, such as "42" or "\\"a text\\""',
            )
            return _Constant(MISSING)
        if self.is_braces(value):
            self.fault(
                path,
                f"{_label(spec, path)} is written with braces",
                why="it is an expression already",
                remedy="braces are for text fields: write what is inside them alone",
            )
            return _Constant(MISSING)
        try:
            expression = compile_expression(value)
        except ExpressionError as error:
            self.expression_fault(spec, error, path)
            return _Constant(MISSING)
        self.sources.append(Source(path, Kind.EXPRESSION, value, expression.reads))
        where = dotted(path)
        if spec.lazy:
            return _lazy(expression, where)
        if expression.constant is not MISSING:
            return _Constant(expression.constant)
        return lambda payload, names, clock: evaluated(expression, where, payload, names, clock)

    def expression_fault(self, spec: FieldSpec, error: ExpressionError, path: Path) -> None:
        span = None if error.position is None else (error.position, error.position + 1)
        self.fault(
            path,
            f"{_label(spec, path)} does not compile",
            why=error.message,
            remedy=error.remedy or "correct the expression",
            span=span,
        )


def compile_config(spec: Spec, stored: Mapping[str, Json]) -> tuple[CompiledConfig, list[Problem]]:
    """A step's config compiled, with all that is wrong with it; problems name the field, not yet the step."""
    compiler = _Compiler(spec)
    fields = compiler.fields(spec.fields, stored, ())
    values = {**spec.defaults, **stored}
    compiled = CompiledConfig(spec.component.Config, fields, tuple(compiler.sources), values)
    if not compiler.problems:
        for fault in spec.component.check(values):
            compiler.problems.append(
                Problem(
                    fault.what,
                    fault.why,
                    fault.remedy,
                    field=fault.field,
                    path=("config", *_place(fault.field, values)),
                    span=fault.span,
                    severity="warning" if fault.severity == "warning" else "error",
                )
            )
    return compiled, compiler.problems


def _place(field: str, values: Json) -> Iterator[str | int]:
    """The keys that a dotted name leads through; a key of an object may hold dots itself, one of a list is a number."""
    while field:
        if isinstance(values, Mapping):
            key = next(
                (key for key in sorted(values, key=len, reverse=True) if (field + ".").startswith(f"{key}.")), None
            )
            key = field.partition(".")[0] if key is None else key
            yield key
            values, field = values.get(key), field[len(key) + 1 :]
        else:
            key, _, field = field.partition(".")
            yield int(key) if isinstance(values, list) and key.isdigit() else key
            values = values[int(key)] if isinstance(values, list) and key.isdigit() and int(key) < len(values) else None


def evaluated(expression: Expression, where: str, payload: Json, names: Names, clock: VisitClock | None) -> Any:
    """The value of an expression; what goes wrong is a StepError that names the field."""
    try:
        return expression.evaluate(payload, names, clock)
    except ExpressionError as error:
        raise _failed(where, error) from error


def _lazy(expression: Expression, where: str) -> Evaluate:
    def evaluate(payload: Json, names: Names, clock: VisitClock | None) -> Callable[[], Any]:
        return lambda: evaluated(expression, where, payload, names, clock)

    return evaluate


def _url(text: Text, where: str) -> Evaluate:
    def evaluate(payload: Json, names: Names, clock: VisitClock | None) -> str:
        try:
            empty = text.nothing_at(payload, names, clock)
        except ExpressionError as error:
            raise _failed(where, error) from error
        if empty is not None:
            name = empty.strip().removeprefix("$vars.")
            raise StepError(
                f"{name} is empty, so there is no address to call; give {name} a value or change {where}",
                type="EmptyAddress",
            )
        return _text(text, where, payload, names, clock)

    return evaluate


def _entry(text: Text, where: str) -> Evaluate:
    """An entry of a dict of texts: one that is nothing or null as a whole is left out."""

    def evaluate(payload: Json, names: Names, clock: VisitClock | None) -> Any:
        if _value(text, where, payload, names, clock) in (None, MISSING):
            return MISSING
        return _text(text, where, payload, names, clock)

    return evaluate


def _text(text: Text, where: str, payload: Json, names: Names, clock: VisitClock | None) -> str:
    try:
        return text.text(payload, names, clock)
    except ExpressionError as error:
        raise _failed(where, error) from error


def _value(text: Text, where: str, payload: Json, names: Names, clock: VisitClock | None) -> Any:
    try:
        return text.value(payload, names, clock)
    except ExpressionError as error:
        raise _failed(where, error) from error


def _typed(spec: FieldSpec, where: str, value: Any, source: str) -> Any:
    if value is MISSING or value is None:
        if spec.nullable:
            return None
        if spec.default is not ABSENT:
            return spec.default
        raise StepError(f"{where} is empty: {source} gave nothing; give it a value", type="Expression")
    try:
        return spec.validate(value)
    except ValueError as error:
        raise StepError(
            f"{where} does not fit: {source} gave {_short(value)}, but {error}", type="Expression"
        ) from error


def _failed(where: str, error: ExpressionError) -> StepError:
    return StepError(
        f"{where}: {error.message}",
        type="Expression",
        data={"code": error.code, "position": error.position, "field": where},
    )


def _builder(model: type[BaseModel], more: Mapping[str, Any]) -> Callable[[dict[Any, Any]], Any]:
    return lambda values: _instance(model, {**more, **values}, {*more, *values})


def dotted(path: Path) -> str:
    """A path as messages write it: `cases.0.when`."""
    return ".".join(str(part) for part in path)


def _label(spec: FieldSpec, path: Path) -> str:
    return spec.title or dotted(path)


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _nearest(name: str, known: set[str]) -> str:
    import difflib  # only when something is wrong

    near = difflib.get_close_matches(name, sorted(known), 1)
    if near:
        return f"did you mean {near[0]}?"
    return f"use one of {', '.join(sorted(known))}" if known else "take it out: this component has no settings"


def sources_of(compiled: Mapping[str, CompiledConfig]) -> Iterator[tuple[str, Source]]:
    """Every expression and text of a flow, with the step it stands in."""
    for step, config in compiled.items():
        for source in config.sources:
            yield step, source

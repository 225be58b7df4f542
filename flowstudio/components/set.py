"""The component `set`: sets and removes single fields of the payload."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from flowstudio.components.captions import one_line
from flowstudio.components.paths import Path, PathSyntaxError, kind_of, parse_path, written
from flowstudio.sdk import (
    MISSING,
    Category,
    Component,
    Context,
    Example,
    Expression,
    Fault,
    MadeOf,
    Settings,
    StepError,
    setting,
)

Json = Any


class Set(Component):
    """Sets and removes single fields of the payload.

    A path joins names with dots: `customer.address.city`. A name with a dot, a bracket or a quote in it, or a dollar in
    front, stands in back-ticks or double quotes: `` `vat.id` ``. `lines[0]` is the first element of a list, `lines[-1]`
    the last; one past the end adds an element. Objects and lists that are missing on the way are made; anything else
    that stands in the way fails the step. Removing what is not there does nothing.
    """

    key = "set"
    title = "Set fields"
    description = "Sets single fields of the payload, removes others, and leaves the rest as it is."
    category = Category.TRANSFORM
    icon = "pencil-simple"
    aliases = ("edit fields", "assign", "add field", "rename", "remove", "delete field", "variable", "enrich", "patch")

    class Config(Settings):
        """Which fields to remove, and which to set to what."""

        fields: dict[str, Expression] = setting(
            title="Fields",
            description="Where in the payload, and the value. A path such as customer.address.city makes what is missing "
            "on the way; lines[0] is an element of a list; names with dots stand in `back-ticks`. All expressions see the "
            "payload as it came in; one that gives nothing leaves its field as it was.",
            default_factory=dict,
        )
        remove: list[str] = setting(
            title="Remove",
            description="Paths of the fields to take out, before the others are set.",
            default_factory=list,
        )

    examples = (
        Example(
            "Add a field, also inside a new object",
            {"fields": {"source": '"webhook"', "totals.net": "price * qty"}},
            payload={"price": 5, "qty": 3},
            output={"price": 5, "qty": 3, "source": "webhook", "totals": {"net": 15}},
        ),
        Example(
            "Rename a field",
            {"fields": {"email": "mail"}, "remove": ["mail"]},
            payload={"mail": "ada@example.com"},
            output={"email": "ada@example.com"},
        ),
        Example(
            "Nothing leaves a field as it was; names with dots are quoted",
            {"fields": {"city": "address.town", "`vat.id`": "$uppercase(`vat.id`)"}},
            payload={"city": "Graz", "vat.id": "atu1"},
            output={"city": "Graz", "vat.id": "ATU1"},
        ),
        Example(
            "Change one element of a list",
            {"fields": {"lines[0].price": "lines[0].price * 2"}},
            payload={"lines": [{"price": 4}, {"price": 7}]},
            output={"lines": [{"price": 8}, {"price": 7}]},
        ),
    )

    @classmethod
    def summary(cls, config: Mapping[str, Json]) -> str:
        """`source, totals.net; without mail`."""
        fields, remove = config.get("fields"), config.get("remove")
        parts = []
        if isinstance(fields, Mapping) and fields:
            parts.append(", ".join(map(str, fields)))
        if isinstance(remove, list) and remove:
            parts.append("without " + ", ".join(map(str, remove)))
        return one_line("; ".join(parts)) or "No fields yet"

    @classmethod
    def check(cls, config: Mapping[str, Json]) -> Iterable[Fault]:
        """Paths are paths, and none is set twice."""
        fields, remove = config.get("fields"), config.get("remove")
        seen: dict[Path, str] = {}
        for source in fields if isinstance(fields, Mapping) else ():
            try:
                path = parse_path(source)
            except PathSyntaxError as error:
                yield _no_path(f"fields.{source}", error)
                continue
            if path in seen:
                yield Fault(
                    f"fields.{source}",
                    f"{source} and {seen[path]} are the same field",
                    "only one can be set",
                    "take one out",
                )
            seen[path] = source
        for place, source in enumerate(remove if isinstance(remove, list) else ()):
            if isinstance(source, str) and "{{" not in source:
                try:
                    parse_path(source)
                except PathSyntaxError as error:
                    yield _no_path(f"remove.{place}", error)

    @classmethod
    def made_of(cls, config: Mapping[str, Json], path: tuple[str | int, ...]) -> MadeOf | None:
        """The expression of the field in which it lies; what is outside of all fields is as it was."""
        fields = config.get("fields")
        for source, expression in fields.items() if isinstance(fields, Mapping) else ():
            field = tuple(parse_path(source))
            if path[: len(field)] == field:
                return MadeOf(str(expression), path[len(field) :])
            if field[: len(path)] == path:
                return None  # it holds the field, and much else
        return MadeOf(None, path)

    def run(self, config: Config, payload: Json, context: Context) -> Json:
        """The payload with the changes."""
        if not isinstance(payload, dict):
            raise StepError(
                f"The payload is {kind_of(payload)}, and only an object has fields; make one with a map before this step",
                type="NotAnObject",
                retryable=False,
            )
        edited = _Edited(payload)
        for source in config.remove:
            edited.remove(_parsed(source))
        for source, value in config.fields.items():
            if value is not MISSING:
                edited.put(_parsed(source), value)
        return edited.value


def _parsed(source: str) -> Path:
    try:
        return parse_path(source)
    except PathSyntaxError as error:
        raise StepError(
            f"{source!r} is no path: {error.message}; {error.remedy}", type="Path", retryable=False
        ) from None


def _no_path(field: str, error: PathSyntaxError) -> Fault:
    return Fault(field, "this is no path", error.message, error.remedy, (error.position, error.position + 1))


class _Edited:
    """A payload under change: what lies on the way to a change is copied, once; all else stays shared."""

    def __init__(self, payload: dict[str, Json]) -> None:
        self.value: Json = payload
        # By identity, with the object itself beside it: an id is only its own as long as the object lives.
        self._own: dict[int, Json] = {}

    def put(self, path: Path, value: Json) -> None:
        """Sets what lies at `path`, making what is missing on the way."""
        holder = self._mine(self._container(self.value, path, 0))
        self.value = holder
        for place in range(len(path) - 1):
            found = self._found(holder, path, place)
            if found is MISSING:
                inner: Json = {} if isinstance(path[place + 1], str) else []
                self._own[id(inner)] = inner
            else:
                inner = self._mine(self._container(found, path, place + 1))
            self._store(holder, path, place, inner)
            holder = inner
        self._found(holder, path, len(path) - 1)
        self._store(holder, path, len(path) - 1, value)

    def remove(self, path: Path) -> None:
        """Takes out what lies at `path`, where anything does."""
        holder = self._container(self.value, path, 0)
        for place in range(len(path) - 1):
            found = self._found(holder, path, place, reading=True)
            if found is MISSING:
                return
            holder = self._container(found, path, place + 1)
        if self._found(holder, path, len(path) - 1, reading=True) is MISSING:
            return
        holder = self.value = self._mine(self.value)
        for key in path[:-1]:
            inner = self._mine(holder[key])
            holder[key] = inner
            holder = inner
        del holder[path[-1]]

    def _mine(self, container: Json) -> Json:
        if id(container) in self._own:
            return container
        copy = container.copy()
        self._own[id(copy)] = copy
        return copy

    @staticmethod
    def _container(value: Json, path: Path, place: int) -> Json:
        """What the next key of the path is looked up in; StepError when it has no such keys."""
        wanted = dict if isinstance(path[place], str) else list
        if isinstance(value, wanted):
            return value
        holder = written(path[:place]) or "the payload"
        raise StepError(
            f"{written(path)} cannot be set or removed: {holder} is {kind_of(value)}, "
            f"not {'an object' if wanted is dict else 'a list'}; correct the path, or put one there first",
            type="NotAnObject",
            retryable=False,
        )

    @staticmethod
    def _found(holder: Json, path: Path, place: int, *, reading: bool = False) -> Json:
        key = path[place]
        if isinstance(key, str):
            return holder.get(key, MISSING)
        if -len(holder) <= key < len(holder):
            return holder[key]
        if reading or key == len(holder):
            return MISSING
        raise StepError(
            f"{written(path)} cannot be set: {written(path[:place])} has {len(holder)} elements; "
            f"an element that is there can be set, or [{len(holder)}] added",
            type="NoSuchElement",
            retryable=False,
        )

    @staticmethod
    def _store(holder: Json, path: Path, place: int, value: Json) -> None:
        key = path[place]
        if isinstance(key, int) and key == len(holder):
            holder.append(value)
        else:
            holder[key] = value

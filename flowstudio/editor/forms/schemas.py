"""The field for a JSON Schema: the schema as JSON, and one that describes the sample to begin with."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Final

from PySide6.QtWidgets import QToolTip, QWidget

from flowstudio.editor.forms.code import JsonField
from flowstudio.editor.forms.controls import IconButton
from flowstudio.editor.forms.surroundings import Surroundings
from flowstudio.flow.model import Json
from flowstudio.sdk.spec import FieldSpec

_MOST_ITEMS: Final = 1_000
"""So many items of a list are looked at."""


def schema_of(value: Json) -> dict[str, Json]:
    """The JSON Schema of values like this one: what all items of a list have is required of each."""
    if isinstance(value, bool):
        return {"type": "boolean"}
    if value is None:
        return {"type": "null"}
    if isinstance(value, int):
        return {"type": "integer"}
    if isinstance(value, float):
        return {"type": "number"}
    if isinstance(value, str):
        return {"type": "string"}
    if isinstance(value, Mapping):
        properties = {str(name): schema_of(part) for name, part in value.items()}
        return {"type": "object", "required": list(properties), "properties": properties}
    items = [schema_of(item) for item in value[:_MOST_ITEMS]]
    return {"type": "array", "items": _joined(items)} if items else {"type": "array"}


def _joined(schemas: list[dict[str, Json]]) -> dict[str, Json]:
    """A schema that all values fit which fit one of these."""
    distinct = list({json.dumps(schema): schema for schema in schemas}.values())
    kinds = _names(schema["type"] for schema in distinct)
    if "number" in kinds:
        kinds = [kind for kind in kinds if kind != "integer"]
    joined: dict[str, Json] = {"type": kinds[0] if len(kinds) == 1 else kinds}
    objects = [schema for schema in distinct if "properties" in schema]
    if objects:
        named: dict[str, list[dict[str, Json]]] = {}
        for schema in objects:
            for name, part in schema["properties"].items():
                named.setdefault(name, []).append(part)
        joined["required"] = [name for name in named if all(name in schema["required"] for schema in objects)]
        joined["properties"] = {name: _joined(parts) for name, parts in named.items()}
    lists = [schema["items"] for schema in distinct if "items" in schema]
    if lists:
        joined["items"] = _joined(lists)
    return joined


def _names(kinds: Iterable[Json]) -> list[str]:
    found: dict[str, None] = {}
    for kind in kinds:
        found.update(dict.fromkeys(kind if isinstance(kind, list) else [kind]))
    return list(found)


class SchemaField(JsonField):
    """A JSON Schema; a button beside the label makes one of the sample."""

    def __init__(self, around: Surroundings, spec: FieldSpec, parent: QWidget | None = None) -> None:
        super().__init__(around, spec, parent)
        self.make_button: Final = IconButton(
            around.themes, "magic-wand", "Make from the sample", side=24, height=18, size=14
        )
        self.make_button.clicked.connect(self.make)

    def header_tools(self) -> Iterable[QWidget]:
        return (self.make_button,)

    def make(self) -> None:
        """Puts a schema of what comes in on the sample in the place of what stands there, as one step of undo."""
        known = self.around.sample.known
        if not known.sampled:
            place = self.make_button.mapToGlobal(self.make_button.rect().bottomLeft())
            QToolTip.showText(place, "Run the step before to see its fields", self.make_button)
            return
        schema = schema_of(known.payload)
        self.around.end_series()
        self.show_value(schema)
        self.changed.emit((), schema)
        self.around.end_series()

"""The JSON Schemas of our files, for editors and for whoever writes flows by program."""

from __future__ import annotations

from typing import Any, Final

from flowstudio.flow.model import FLOW_FORMAT, LAYOUT_FORMAT
from flowstudio.flow.values import VARIABLE_TYPES

Json = Any

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
STEP_ID: Final[dict[str, Json]] = {"type": "string", "pattern": "^[a-z][a-z0-9_-]*$"}
WIRE: Final[dict[str, Json]] = {
    "type": "string",
    "pattern": r"^\s*[a-z][a-z0-9_-]*(\s*:\s*\S.*?)?\s*->\s*[a-z][a-z0-9_-]*(\s*:\s*\S.*?)?\s*$",
    "description": "STEP[:PORT] -> STEP[:PORT]; the default ports are out and in",
}
_TEXT: Final[dict[str, Json]] = {"type": "string"}
VARIABLE: Final[dict[str, Json]] = {
    "type": "object",
    "required": ["type"],
    "properties": {
        "type": {"enum": list(VARIABLE_TYPES)},
        "title": _TEXT,
        "hint": _TEXT,
        "required": {"type": "boolean", "default": False},
        "default": {},
        "options": {},
    },
}
SLOT: Final[dict[str, Json]] = {
    "type": "object",
    "required": ["type"],
    "properties": {
        "type": {"type": "string", "description": "bearer, basic, api-key, or a third party's"},
        "title": _TEXT,
        "hint": _TEXT,
        "required": {"type": "boolean", "default": False},
    },
}
RETRY: Final[dict[str, Json]] = {
    "type": "object",
    "additionalProperties": False,
    "properties": {
        "attempts": {"type": "integer", "minimum": 1, "description": "All tries, the first among them"},
        "backoff": {"type": "number", "minimum": 0, "description": "Seconds before the second try; doubles"},
        "max_backoff": {"type": "number", "minimum": 0, "default": 60},
        "on": {"type": "array", "items": _TEXT, "description": 'Error types and statuses: ["Timeout", "500-599"]'},
    },
}
STEP: Final[dict[str, Json]] = {
    "type": "object",
    "required": ["component"],
    "properties": {
        "component": {"type": "string", "pattern": r"^[a-z][a-z0-9._-]*@[1-9][0-9]*$"},
        "name": _TEXT,
        "config": {"type": "object", "description": "flowstudio schema KEY prints what stands in it"},
        "retry": RETRY,
        "timeout": {"type": "number", "exclusiveMinimum": 0, "description": "Seconds, for one try"},
        "disabled": {"type": "boolean", "default": False},
        "note": _TEXT,
    },
}


def flow_schema() -> dict[str, Json]:
    """The schema of `NAME.flow.json`."""
    return {
        "$schema": DIALECT,
        "title": FLOW_FORMAT,
        "type": "object",
        "required": ["format", "id", "name", "steps"],
        "properties": {
            "format": {"const": FLOW_FORMAT},
            "id": STEP_ID,
            "name": _TEXT,
            "description": _TEXT,
            "label": {"type": "string", "description": "Text over the trigger's payload; names a run in lists"},
            "redact": {"type": "array", "items": _TEXT, "description": "Payload paths that are secret"},
            "variables": {"type": "object", "additionalProperties": VARIABLE},
            "connections": {"type": "object", "additionalProperties": SLOT},
            "steps": {"type": "object", "propertyNames": STEP_ID, "additionalProperties": STEP},
            "wires": {"type": "array", "items": WIRE},
            "notes": {
                "type": "object",
                "additionalProperties": {"type": "object", "required": ["text"], "properties": {"text": _TEXT}},
            },
            "groups": {
                "type": "object",
                "additionalProperties": {
                    "type": "object",
                    "required": ["title"],
                    "properties": {"title": _TEXT, "steps": {"type": "array", "items": STEP_ID}},
                },
            },
        },
    }


def layout_schema() -> dict[str, Json]:
    """The schema of `NAME.layout.json`."""
    number = {"type": "number"}
    place = {"type": "array", "prefixItems": [number, number], "items": False, "minItems": 2}
    frame = {"type": "array", "prefixItems": [number] * 4, "items": False, "minItems": 4}
    return {
        "$schema": DIALECT,
        "title": LAYOUT_FORMAT,
        "type": "object",
        "required": ["format"],
        "properties": {
            "format": {"const": LAYOUT_FORMAT},
            "steps": {"type": "object", "additionalProperties": place},
            "notes": {"type": "object", "additionalProperties": frame},
            "groups": {"type": "object", "additionalProperties": frame},
        },
    }


def edit_schema(itself: str = "#") -> dict[str, Json]:
    """The schema of an edit, as overrides and the clipboard hold it; `itself` is where it stands in a larger one."""
    step = {"step": STEP_ID}
    key = {"type": "array", "items": {"type": ["string", "integer"], "minimum": 0}}
    name = {"name": _TEXT}
    place = {"type": "array", "items": {"type": "number"}}
    places = {"type": "object", "additionalProperties": place}
    note = {"type": "object", "required": ["text"], "properties": {"text": _TEXT}}
    group = {
        "type": "object",
        "required": ["title"],
        "properties": {"title": _TEXT, "steps": {"type": "array", "items": STEP_ID}},
    }
    kinds: dict[str, tuple[dict[str, Json], tuple[str, ...]]] = {
        "SetConfig": ({**step, "path": key, "value": {}}, ("step", "path", "value")),
        "ClearConfig": ({**step, "path": key}, ("step", "path")),
        "SetStep": (
            {**step, "field": {"enum": ["name", "retry", "timeout", "disabled", "note"]}, "value": {}},
            ("step", "field", "value"),
        ),
        "AddStep": (
            {**step, "component": _TEXT, "config": {"type": "object"}, "name": _TEXT},
            ("step", "component"),
        ),
        "RemoveStep": (step, ("step",)),
        "RenameStep": ({**step, "to": STEP_ID}, ("step", "to")),
        "AddWire": ({"wire": WIRE, "index": {"type": "integer", "minimum": 0}}, ("wire",)),
        "RemoveWire": ({"wire": WIRE}, ("wire",)),
        "SetVariable": ({**name, "value": VARIABLE}, ("name", "value")),
        "RemoveVariable": (name, ("name",)),
        "SetConnection": ({**name, "value": SLOT}, ("name", "value")),
        "RemoveConnection": (name, ("name",)),
        "SetFlow": (
            {"field": {"enum": ["name", "description", "label", "redact"]}, "value": {}},
            ("field", "value"),
        ),
        "SetNote": ({**name, "value": note}, ("name", "value")),
        "RemoveNote": (name, ("name",)),
        "SetGroup": ({**name, "value": group}, ("name", "value")),
        "RemoveGroup": (name, ("name",)),
        "Move": ({"steps": places, "notes": places, "groups": places}, ()),
        "Several": ({"title": _TEXT, "edits": {"type": "array", "items": {"$ref": itself}}}, ("edits",)),
    }
    return {
        "$schema": DIALECT,
        "title": "edit",
        "oneOf": [
            {
                "type": "object",
                "required": ["edit", *required],
                "properties": {"edit": {"const": kind}, **properties},
                "additionalProperties": False,
            }
            for kind, (properties, required) in kinds.items()
        ],
    }

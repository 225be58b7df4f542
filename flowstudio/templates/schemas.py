"""The JSON Schemas of template versions and of customers files."""

from __future__ import annotations

from typing import Any

from flowstudio.flow.schemas import DIALECT, edit_schema, flow_schema

Json = Any

CUSTOMER = {"type": "string", "pattern": "^[a-z0-9][a-z0-9-]{0,62}$"}


def template_schema() -> dict[str, Json]:
    """The schema of `NAME-X.Y.Z.template.json`."""
    text = {"type": "string"}
    flow = {key: value for key, value in flow_schema().items() if key != "$schema"}
    return {
        "$schema": DIALECT,
        "title": "flowstudio/template@1",
        "type": "object",
        "required": ["format", "id", "version", "hash", "flow"],
        "properties": {
            "format": {"const": "flowstudio/template@1"},
            "id": text,
            "version": {"type": "string", "pattern": r"^\d+\.\d+\.\d+$"},
            "notes": text,
            "hash": {"type": "string", "pattern": "^[0-9a-f]{64}$"},
            "flow": flow,
            "flows": {"type": "object", "additionalProperties": flow},
            "pages": {"type": "array"},
            "locked": {"type": "array"},
            "open": {"type": "array"},
            "signature": text,
        },
    }


def customers_schema() -> dict[str, Json]:
    """The schema of a customers file in JSON."""
    edit = {key: value for key, value in edit_schema("#/$defs/edit").items() if key != "$schema"}
    login = {"type": "object", "additionalProperties": {"type": "string"}}
    return {
        "$schema": DIALECT,
        "$defs": {"edit": edit},
        "title": "flowstudio/customers@1",
        "type": "object",
        "required": ["format", "customers"],
        "properties": {
            "format": {"const": "flowstudio/customers@1"},
            "customers": {
                "type": "array",
                "items": {
                    "type": "object",
                    "required": ["customer"],
                    "properties": {
                        "customer": CUSTOMER,
                        "name": {"type": "string"},
                        "values": {"type": "object"},
                        "connections": {"type": "object", "additionalProperties": login},
                        "overrides": {"type": "array", "items": {"$ref": "#/$defs/edit"}},
                    },
                },
            },
        },
    }

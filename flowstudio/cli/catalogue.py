"""The commands that tell what there is: components and schemas."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, Final

import typer

from flowstudio.cli.output import command, print_json, say, wrong
from flowstudio.flow.schemas import edit_schema, flow_schema, layout_schema
from flowstudio.sdk.registry import Registry
from flowstudio.sdk.spec import FieldSpec, Spec

Json = Any


def components(
    key: Annotated[str | None, typer.Argument(help="Describe this one: http, or http@1")] = None,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON document")] = False,
) -> int:
    """List the components, or describe one with its settings.

    Example: flowstudio components http
    """
    registry = Registry.from_entry_points()
    if key is not None:
        spec = registry.spec(key if "@" in key else _newest(registry, key))
        if json:
            print_json(_told(spec))
        else:
            print(_described(spec))
        return 0
    specs = registry.specs()
    if json:
        print_json([_told(spec) for spec in specs])
    else:
        category = ""
        for spec in specs:
            if spec.category != category:
                category = spec.category
                print(f"{category}")
            print(f"  {spec.name:<16} {spec.title:<18} {spec.description}")
    for name, reason in registry.failures.items():
        say(f"{name} cannot be loaded: {reason}")
    return 0


def _newest(registry: Registry, key: str) -> str:
    named = [spec for spec in registry.specs() if spec.key == key]
    return max(named, key=lambda spec: spec.version).name if named else f"{key}@1"


def _told(spec: Spec) -> Json:
    return {
        "key": spec.name,
        "title": spec.title,
        "category": spec.category,
        "description": spec.description,
        "aliases": list(spec.aliases),
        "ports": {
            "in": [port.name for port in spec.inputs],
            "out": list(spec.output_names({})),
        },
        "pure": spec.pure,
        "schema": spec.json_schema(),
    }


def _described(spec: Spec) -> str:
    lines = [f"{spec.name}  {spec.title}", spec.description, ""]
    lines.append(
        f"Ports: {', '.join(port.name for port in spec.inputs) or 'none'} -> {', '.join(spec.output_names({}))}"
    )
    if spec.fields:
        lines += ["", "Settings:"]
        lines += [line for field in spec.fields for line in _field(field, "  ")]
    return "\n".join(lines)


def _field(field: FieldSpec, indent: str) -> list[str]:
    form = "one of " + ", ".join(map(str, field.options)) if field.options else field.form
    told = [f"{field.kind} {form}" if field.kind != "static" else form]
    if field.required:
        told.append("required")
    elif field.default not in (None, "", [], {}) and field.default is not None and field.form not in ("group", "union"):
        told.append(f"default {field.default}")
    lines = [f"{indent}{field.name:<14} {field.description or field.title} ({', '.join(told)})"]
    inner = field.fields or (field.item.fields if field.item is not None else ())
    for each in inner:
        lines += _field(each, indent + "  ")
    for variant in field.variants:
        lines.append(f"{indent}  {field.discriminator}: {variant.value}")
        for each in variant.fields:
            lines += _field(each, indent + "    ")
    return lines


_SCHEMAS: Final[dict[str, Callable[[], Json]]] = {
    "flow": flow_schema,
    "layout": layout_schema,
    "edit": edit_schema,
}


def schema(
    name: Annotated[str, typer.Argument(help="flow, layout, edit, template, customers, or a component's key")],
) -> int:
    """Print the JSON Schema of a file format or of a component's config.

    Example: flowstudio schema flow > flow.schema.json
    """
    if name in ("template", "customers"):
        from flowstudio.templates.schemas import customers_schema, template_schema

        print_json(template_schema() if name == "template" else customers_schema())
    elif name in _SCHEMAS:
        print_json(_SCHEMAS[name]())
    else:
        registry = Registry.from_entry_points()
        key = name if "@" in name else _newest(registry, name)
        if not registry.knows(key):
            wrong(
                f"there is no schema {name!r}",
                remedy=f"use {', '.join(_SCHEMAS)}, template, customers, or a key that flowstudio components lists",
            )
        print_json(registry.spec(key).json_schema())
    return 0


APPS: Final = {"components": command(components), "schema": command(schema)}

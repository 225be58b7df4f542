"""The component `map`: makes a new payload from the old one."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from flowstudio.components.captions import expression_caption
from flowstudio.sdk import MISSING, Category, Component, Context, Example, Expression, MadeOf, Settings, setting

Json = Any

_KEY: Final = re.compile(r'"((?:[^"\\]|\\.)*)"\s*:')


class Map(Component):
    """Makes a new payload from the old one."""

    key = "map"
    title = "Map"
    description = "Makes a new payload: the value of one expression."
    category = Category.TRANSFORM
    icon = "brackets-curly"
    aliases = ("transform", "dataweave", "reshape", "convert", "jsonata", "jq", "project", "select", "template")

    class Config(Settings):
        """What the new payload is."""

        expression: Expression = setting(
            title="Expression",
            description="Its value is the new payload; where it gives nothing, the payload is null.",
            widget="mapping",
        )

    examples = (
        Example(
            "Rename and compute",
            {"expression": '{"name": first & " " & last, "total": $sum(lines.(qty * price))}'},
            payload={"first": "Ada", "last": "Lovelace", "lines": [{"qty": 2, "price": 5}, {"qty": 1, "price": 3}]},
            output={"name": "Ada Lovelace", "total": 13},
        ),
        Example(
            "One entry for each line, a list even for a single line",
            {"expression": '[lines.{"sku": sku}]'},
            payload={"lines": [{"sku": "TEE-L", "qty": 2}]},
            output=[{"sku": "TEE-L"}],
        ),
        Example("Nothing becomes null", {"expression": "customer.phone"}, payload={"customer": {}}, output=None),
    )

    @classmethod
    def summary(cls, config: Mapping[str, Json]) -> str:
        """The names of the fields that are made, else the expression."""
        source = config.get("expression")
        if isinstance(source, str) and source.lstrip().startswith("{"):
            names = list(dict.fromkeys(_KEY.findall(source)))
            if names:
                return expression_caption(", ".join(names))
        return expression_caption(source, "No fields yet")

    @classmethod
    def made_of(cls, config: Mapping[str, Json], path: tuple[str | int, ...]) -> MadeOf | None:
        """The expression gives the whole of it."""
        return MadeOf(str(config.get("expression", "$")), path)

    def run(self, config: Config, payload: Json, context: Context) -> Json:
        """The expression's value."""
        return None if config.expression is MISSING else config.expression

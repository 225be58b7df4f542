"""The component `manual`: starts a run by hand."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flowstudio.components.captions import one_line
from flowstudio.sdk import Category, Example, Settings, Trigger, setting

Json = Any


class Manual(Trigger):
    """Starts a run by hand."""

    key = "manual"
    title = "Manual start"
    description = "Starts a run when you press Run, with the sample as its payload."
    category = Category.TRIGGER
    icon = "hand-pointing"
    starts = "by hand"
    aliases = ("start", "button", "run", "by hand", "test")

    class Config(Settings):
        """What a run begins with."""

        sample: Any = setting(
            None,
            title="Sample",
            description="The payload that a run by hand begins with. It stays out of templates.",
        )

    examples = (
        Example("Start with an order", {"sample": {"number": 1042}}, payload={"number": 1042}, output={"number": 1042}),
        Example("Start with nothing", {}, payload=None, output=None),
    )

    @classmethod
    def summary(cls, config: Mapping[str, Json]) -> str:
        """What the sample is."""
        sample = config.get("sample")
        if isinstance(sample, Mapping):
            return one_line("Sample: " + (", ".join(map(str, list(sample)[:4])) or "empty object"))
        if isinstance(sample, list):
            return f"Sample: a list of {len(sample):,}"
        return "Started by hand" if sample is None else "Sample: one value"

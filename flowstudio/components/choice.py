"""The component `choice`: sends a message one way or another."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, ClassVar, Final

from flowstudio.components.captions import expression_caption
from flowstudio.components.conditions import holds
from flowstudio.sdk import Category, Component, Context, Example, Fault, Lazy, Port, Settings, To, setting

Json = Any

_OTHERWISE: Final = "otherwise"
_RESERVED: Final = frozenset({"error", "in"})
_PORT: Final = re.compile(r"\w[\w-]*")


class Case(Settings):
    """One way that a message can go."""

    port: str = setting(title="Port", description="The name of the way out.", min_length=1, fixed=True)
    when: Lazy = setting(title="When", description="The message goes this way when this is true.")


class Choice(Component):
    """Sends a message one way or another.

    Conditions are looked at in order, and not at all after the first that holds. With "every case that holds" the
    message goes down each of those, in their order. The ways out are the ports of the step, each with a name of its own.
    """

    key = "choice"
    title = "Choice"
    description = "Sends a message one way or another, by conditions."
    category = Category.LOGIC
    icon = "git-branch"
    aliases = ("if", "switch", "router", "branch", "case", "else", "condition", "route")
    outputs: ClassVar[tuple[Port, ...]] = (Port(_OTHERWISE),)

    class Config(Settings):
        """The ways, and when each is taken."""

        cases: list[Case] = setting(
            title="Cases",
            description="Looked at from the first to the last. A condition counts as in a filter: nothing is false.",
            default_factory=list,
        )
        otherwise: str = setting(
            _OTHERWISE,
            title="Otherwise",
            description="The way out for messages that no case takes.",
            min_length=1,
            fixed=True,
        )
        all: bool = setting(
            False,
            title="Every case that holds",
            description="Send the message down every case that holds. Off, only the first one is taken.",
        )

    examples = (
        Example(
            "The first case that holds",
            {"cases": [{"port": "eu", "when": 'country in ["AT", "DE"]'}, {"port": "us", "when": 'country = "US"'}]},
            payload={"country": "DE"},
            output={"country": "DE"},
            port="eu",
        ),
        Example(
            "No case holds",
            {"cases": [{"port": "large", "when": "total > 1000"}], "otherwise": "small"},
            payload={"total": 20},
            output={"total": 20},
            port="small",
        ),
    )

    @classmethod
    def ports(cls, config: Mapping[str, Json]) -> tuple[Port, ...]:
        """One for each case, then the one for all others."""
        return tuple(Port(name) for name in dict.fromkeys(name for _, name in _names(config)))

    @classmethod
    def leaves_by_several(cls, config: Mapping[str, Json]) -> bool:
        """With `all`, a message may take several ways."""
        return config.get("all", False) is not False

    @classmethod
    def passes_by(cls, config: Mapping[str, Json]) -> str:
        """Disabled, it lets every message go the way of those that no case takes."""
        *_, (_, name) = _names(config)
        return name

    @classmethod
    def summary(cls, config: Mapping[str, Json]) -> str:
        """The condition where there is one, else how many ways there are."""
        cases = config.get("cases")
        if not isinstance(cases, list) or not cases:
            return "No cases yet"
        if len(cases) == 1 and isinstance(cases[0], Mapping):
            return expression_caption(cases[0].get("when"), "1 case")
        return f"{'All that hold' if config.get('all') is True else 'First'} of {len(cases)} cases"

    @classmethod
    def check(cls, config: Mapping[str, Json]) -> Iterable[Fault]:
        """Every way out has a name of its own that a wire can name."""
        seen: set[str] = set()
        for field, name in _names(config):
            if "{{" in name:
                yield Fault(field, "a port's name is fixed", "wires name it", "write a name without {{ }}")
            elif name in _RESERVED:
                yield Fault(field, f"{name!r} is a port's name already", "every step has it", "use another name")
            elif name in seen:
                yield Fault(field, f"two ways out are named {name!r}", "a wire could not tell them apart", "rename one")
            elif not _PORT.fullmatch(name):
                yield Fault(
                    field, f"{name!r} cannot name a port", "wires could not name it", "use letters, digits, - and _"
                )
            seen.add(name)

    def run(self, config: Config, payload: Json, context: Context) -> To:
        """The message, by the port of the first case that holds, or of all of them."""
        taken = []
        for case in config.cases:
            if holds(case.when()):
                taken.append(case.port)
                if not config.all:
                    break
        return To(tuple(taken) or (config.otherwise,))


def _names(config: Mapping[str, Json]) -> Iterator[tuple[str, str]]:
    """The field and the name of each way out; of a half-filled config those that are there."""
    cases = config.get("cases")
    for place, case in enumerate(cases if isinstance(cases, list) else ()):
        name = case.get("port") if isinstance(case, Mapping) else None
        if isinstance(name, str) and name:
            yield f"cases.{place}.port", name
    name = config.get("otherwise", _OTHERWISE)
    yield "otherwise", name if isinstance(name, str) and name else _OTHERWISE

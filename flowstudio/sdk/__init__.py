"""What a component is: all that a third party imports to write one.

A component is one class with a pydantic `Config`; palette, form, checks, documentation and engine derive everything
else from it. It is found through the entry point group `flowstudio.components`, a login through
`flowstudio.connections`.
"""

from flowstudio.errors import ConnectionFailedError, ExpressionError, HttpStatusError, StepError, StepTimeoutError
from flowstudio.expressions.nothing import MISSING
from flowstudio.sdk.component import Answer, Category, Component, Example, Fault, MadeOf, Port
from flowstudio.sdk.connection import Connection
from flowstudio.sdk.context import Context
from flowstudio.sdk.fields import (
    Code,
    Expression,
    Lazy,
    LongText,
    Settings,
    SlotName,
    Text,
    Value,
    setting,
)
from flowstudio.sdk.message import Message
from flowstudio.sdk.outcome import Drop, Outcome, Reply, Sleep, Stop, To, Wait
from flowstudio.sdk.shapes import Call, Collect, Items, Loop, Merge, Split
from flowstudio.sdk.stream import Stream, StreamSource
from flowstudio.sdk.trigger import Clock, Consume, Delivery, Placed, Route, Source, Trigger

__all__ = [
    "MISSING",
    "Answer",
    "Call",
    "Category",
    "Clock",
    "Code",
    "Collect",
    "Component",
    "Connection",
    "ConnectionFailedError",
    "Consume",
    "Context",
    "Delivery",
    "Drop",
    "Example",
    "Expression",
    "ExpressionError",
    "Fault",
    "HttpStatusError",
    "Items",
    "Lazy",
    "LongText",
    "Loop",
    "MadeOf",
    "Merge",
    "Message",
    "Outcome",
    "Placed",
    "Port",
    "Reply",
    "Route",
    "Settings",
    "Sleep",
    "SlotName",
    "Source",
    "Split",
    "StepError",
    "StepTimeoutError",
    "Stop",
    "Stream",
    "StreamSource",
    "Text",
    "To",
    "Trigger",
    "Value",
    "Wait",
    "setting",
]

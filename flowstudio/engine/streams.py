"""Payloads on their way into a journal and back: a stream goes as what it is made of, and is opened again from that."""

from __future__ import annotations

from typing import Any

from flowstudio.sdk.registry import Registry
from flowstudio.sdk.stream import Stream, StreamSource

Json = Any


def kept(payload: Any) -> Json:
    """A payload as JSON: in a list of one, or what its stream is made of."""
    return {"stream": payload.source.to_json()} if isinstance(payload, Stream) else [payload]


def found(document: Json, registry: Registry) -> Any:
    """The payload that `kept` wrote; a stream is read anew when somebody reads it."""
    if isinstance(document, list):
        return document[0]
    return reopened(StreamSource.from_json(document["stream"]), registry)


def reopened(source: StreamSource, registry: Registry) -> Stream:
    """The stream of a source; UnknownComponentError when the component that read it is not there any longer."""
    over = None if source.over is None else reopened(source.over, registry)
    return registry.spec(source.component).component.reopened(source.options, over)


__all__ = ["found", "kept", "reopened"]

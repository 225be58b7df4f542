"""Masks what is secret before anything is traced, logged, shown, copied or exported."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterable, Mapping
from typing import Any, Final
from urllib.parse import quote, quote_plus

Json = Any

MASK: Final = "•••"
SECRET_HEADERS: Final = frozenset({"authorization", "proxy-authorization", "cookie", "set-cookie", "x-api-key"})
SHORTEST: Final = 4
"""Characters of a secret that is looked for inside other texts; a shorter one is masked only where it is all there is."""


class Redactor:
    """Knows the secrets of one instance: values, and the flow's `redact` paths (`customer.iban`, `**.password`).

    A value is found also in base64 (at any alignment), URL-escaped and JSON-escaped. A path goes through lists: it
    means the field of every element.
    """

    def __init__(self, secrets: Iterable[str] = (), paths: Iterable[str] = ()) -> None:
        known = {secret for secret in secrets if secret}
        self._whole = frozenset(known)
        forms = {form for secret in known if len(secret) >= SHORTEST for form in _forms(secret)}
        # The longest first: a secret that begins with another one is masked whole.
        ordered = sorted(forms, key=lambda form: (-len(form), form))
        self._pattern = re.compile("|".join(map(re.escape, ordered))) if ordered else None
        self._paths = tuple(tuple(path.split(".")) for path in paths if path)

    @property
    def idle(self) -> bool:
        """Whether there is nothing to look for, headers apart."""
        return not self._whole and not self._paths

    def text(self, text: str) -> str:
        """A text without the secrets in it."""
        if text in self._whole:
            return MASK
        return self._pattern.sub(MASK, text) if self._pattern is not None else text

    def payload(self, payload: Json) -> Json:
        """A payload without what is secret; the same object where nothing is."""
        if self.idle:
            return payload
        try:
            masked = self._by_path(payload, self._paths) if self._paths else payload
            return self._values(masked) if self._whole else masked
        except RecursionError:
            # Deeper than can be looked through: better nothing than a secret.
            return MASK

    def headers(self, headers: Mapping[str, Json]) -> dict[str, Json]:
        """Headers without logins: those that carry one are masked whole."""
        return {
            name: MASK if name.lower() in SECRET_HEADERS else self.payload(value) for name, value in headers.items()
        }

    def _values(self, value: Json) -> Json:
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, dict):
            changed: dict[str, Json] | None = None
            for key, inner in value.items():
                name, shown = self.text(key), self._values(inner)
                if changed is None and ((name is not key and name != key) or shown is not inner):
                    changed = dict(self._until(value, key))
                if changed is not None:
                    changed[name] = shown
            return value if changed is None else changed
        if isinstance(value, (list, tuple)):
            shown_items = [self._values(inner) for inner in value]
            return shown_items if any(a is not b for a, b in zip(shown_items, value, strict=True)) else value
        if value is None or isinstance(value, bool):
            return value
        return MASK if str(value) in self._whole else value

    @staticmethod
    def _until(value: dict[str, Json], key: str) -> Iterable[tuple[str, Json]]:
        for name, inner in value.items():
            if name == key:
                return
            yield name, inner

    def _by_path(self, value: Json, paths: tuple[tuple[str, ...], ...]) -> Json:
        """The value with what lies at these paths masked; `**` stands for any number of levels."""
        if isinstance(value, (list, tuple)):
            shown_items = [self._by_path(inner, paths) for inner in value]
            return shown_items if any(a is not b for a, b in zip(shown_items, value, strict=True)) else value
        if not isinstance(value, dict):
            return value
        changed: dict[str, Json] = {}
        for key, inner in value.items():
            deeper: list[tuple[str, ...]] = []
            hit = False
            for path in paths:
                for rest in _after(path, key):
                    if rest:
                        deeper.append(rest)
                    else:
                        hit = True
            shown = MASK if hit else self._by_path(inner, tuple(deeper)) if deeper else inner
            if shown is not inner:
                changed[key] = shown
        return {**value, **changed} if changed else value


def _after(path: tuple[str, ...], key: str) -> Iterable[tuple[str, ...]]:
    """What is left of a path after a key: () is a hit, several where `**` leaves it open."""
    head, *rest = path
    if head == "**":
        yield path
        if rest:
            yield from _after(tuple(rest), key)
    elif head in (key, "*"):
        yield tuple(rest)


def _forms(secret: str) -> Iterable[str]:
    """The ways in which a secret may stand in a text."""
    yield secret
    for ascii_only in (True, False):
        yield json.dumps(secret, ensure_ascii=ascii_only)[1:-1]
    data = secret.encode(errors="surrogatepass")
    for escaped in (quote(data, safe=""), quote(data), quote_plus(data)):
        yield escaped
        yield re.sub("%[0-9A-F]{2}", lambda found: found[0].lower(), escaped)
    for offset in range(3):
        # Base64 of the secret inside a longer text: of the groups that hold none of its neighbours' bits.
        encoded = base64.b64encode(b"\0" * offset + data).decode().rstrip("=")
        start = (0, 2, 3)[offset]
        bits = (offset + len(data)) * 8 // 6
        inner = encoded[start:bits]
        if len(inner) >= SHORTEST:
            yield inner
            yield inner.replace("+", "-").replace("/", "_")

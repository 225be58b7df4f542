"""Masks what is secret before anything is traced, logged, shown, copied or exported."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import cached_property
from typing import Any, Final
from urllib.parse import quote

from flowstudio.errors import StepError
from flowstudio.trace.payloads import canonical

Json = Any
Path = tuple[str, ...]

MASK: Final = "•••"
SECRET_HEADERS: Final = frozenset({"authorization", "proxy-authorization", "cookie", "set-cookie", "x-api-key"})
SHORTEST: Final = 4
"""Characters of a secret that is looked for inside other texts; a shorter one is masked only where it is all there is."""

_BASE64: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
_WORD: Final = re.compile("[A-Za-z0-9]+")
_NUMBER: Final = re.compile("[0-9.eE+-]+")
_LOGIN_HEADER: Final = re.compile(rb'"(?i:%s)":(?!"%s")' % ("|".join(sorted(SECRET_HEADERS)).encode(), MASK.encode()))
_PATH: Final = re.compile(r"`([^`]*)`|\[(\d*)\*?\]|([^.`\[\]]+)")


class Redactor:
    """Knows the secrets of one instance: values, and the flow's `redact` paths (`customer.iban`, `**.password`).

    A value is found also in base64 (at any alignment, both alphabets), URL-escaped, JSON-escaped and XML-escaped, and
    inside of keys and numbers. A path goes through lists: it means the field of every element, or with a number of one;
    `*` is any one key, `**` any number of them, and a key with a dot in it stands in backquotes.
    """

    def __init__(self, secrets: Iterable[str] = (), paths: Iterable[str] = ()) -> None:
        known = sorted({secret for secret in secrets if secret}, key=lambda secret: (-len(secret), secret))
        searched = [secret for secret in known if len(secret) >= SHORTEST]
        self._whole = frozenset(known)
        self._numbers = tuple(secret for secret in searched if _NUMBER.fullmatch(secret))
        patterns = [pattern for secret in searched for pattern in _patterns(secret)]
        self._pattern = re.compile("|".join(patterns)) if patterns else None
        self._patterns = patterns
        # A run of letters and digits looks the same however it is escaped: where none of these is, no secret is.
        self._words = _words(part for secret in searched for part in (secret, *_base64_cores(secret)))
        of_short = _words(secret for secret in known if len(secret) < SHORTEST)
        self._words_of_any = None if self._words is None or of_short is None else (*self._words, *of_short)
        # Only such a secret can come about when another one is replaced by the mask.
        self._again = any(MASK[0] in secret for secret in searched)
        self._paths = tuple(found for path in paths if (found := _path(path)))

    @property
    def idle(self) -> bool:
        """Whether there is nothing to look for, headers apart."""
        return not self._whole and not self._paths

    @cached_property
    def _forms(self) -> list[re.Pattern[str]]:
        return [re.compile(pattern) for pattern in self._patterns]

    def text(self, text: str) -> str:
        """A text without the secrets in it; the same object where there are none."""
        if text in self._whole:
            return MASK
        if self._pattern is None:
            return text
        if self._words is not None and not any(word in text for word in self._words):
            return text
        return self._masked(text, self._pattern)

    def payload(self, payload: Json) -> Json:
        """A payload without what is secret; the same object where nothing is."""
        if self.idle:
            return payload
        try:
            paths, has_secrets = self._paths, bool(self._whole)
            if isinstance(payload, (dict, list, tuple)):
                # One look through its bytes costs a twentieth of a walk, and mostly there is nothing to walk for.
                body = canonical(payload)
                paths = tuple(path for path in paths if _may_lead_somewhere(path, body))
                if has_secrets and self._words_of_any is not None:
                    has_secrets = any(word.encode() in body for word in self._words_of_any)
            masked = _by_path(payload, paths) if paths else payload
            return self._values(masked) if has_secrets else masked
        except StepError:
            # Bytes cannot be made of it, so it will not be kept either.
            return MASK
        except RecursionError:
            # Deeper than can be looked through: better nothing than a secret.
            return MASK

    def headers(self, headers: Mapping[str, Json]) -> dict[str, Json]:
        """Headers without logins: those that carry one are masked whole."""
        return {
            name: MASK if name.lower() in SECRET_HEADERS else self.payload(value) for name, value in headers.items()
        }

    def may_hold(self, body: bytes) -> bool:
        """Whether there may be something secret in canonical JSON: yes at times in vain, never no in vain."""
        if self._whole and (self._words_of_any is None or any(word.encode() in body for word in self._words_of_any)):
            return True
        return any(_may_lead_somewhere(path, body) for path in self._paths) or bool(_LOGIN_HEADER.search(body))

    def _masked(self, text: str, pattern: re.Pattern[str]) -> str:
        while True:
            spans: list[tuple[int, int]] = []
            found = pattern.search(text)
            if found is None:
                return text
            while found is not None:
                start = found.start()
                # The longest of all: a plain form finds the beginning of an escaped one, and would leave its rest.
                end = max(whole.end() for form in self._forms if (whole := form.match(text, start)) is not None)
                if spans and start < spans[-1][1]:
                    # Two secrets that overlap are masked as one.
                    start, end = spans[-1][0], max(end, spans[-1][1])
                    spans.pop()
                spans.append((start, end))
                found = pattern.search(text, found.start() + 1)
            parts, at = [], 0
            for start, end in spans:
                parts += [text[at:start], MASK]
                at = end
            text = "".join([*parts, text[at:]])
            if not self._again:
                return text

    def _values(self, value: Json) -> Json:
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, dict):
            shown: dict[str, Json] = {}
            same = True
            for key, inner in value.items():
                name, masked = self.text(key), self._values(inner)
                same = same and name is key and masked is inner
                shown[_free(name, shown) if name is not key else name] = masked
            return value if same else shown
        if isinstance(value, (list, tuple)):
            items = [self._values(inner) for inner in value]
            return value if all(a is b for a, b in zip(items, value, strict=True)) else items
        if value is None or isinstance(value, bool):
            return value
        number = str(value)
        return MASK if number in self._whole or any(secret in number for secret in self._numbers) else value


def _free(name: str, taken: Mapping[str, Json]) -> str:
    """A masked key that no other entry has."""
    free, count = name, 1
    while free in taken:
        count += 1
        free = f"{name} ({count})"
    return free


def _path(written: str) -> Path:
    """The keys of a path as it is written, also as JSONata or JSONPath would: `$.lines[0].iban`, `` a.`b.c` ``."""
    keys = []
    for quoted, number, plain in _PATH.findall(written.strip()):
        if quoted or number or plain:
            keys.append(quoted or number or plain.strip())
    return tuple(keys[1:] if keys[:1] == ["$"] else keys)


def _by_path(value: Json, paths: tuple[Path, ...]) -> Json:
    """The value with what lies at these paths masked."""
    if isinstance(value, (list, tuple)):
        numbered = any(path[0].isdecimal() for path in paths)
        items = [
            _entry(inner, str(place), paths, in_list=True) if numbered else _by_path(inner, paths)
            for place, inner in enumerate(value)
        ]
        return value if all(a is b for a, b in zip(items, value, strict=True)) else items
    if not isinstance(value, dict):
        return value
    changed = {key: shown for key, inner in value.items() if (shown := _entry(inner, key, paths)) is not inner}
    return {**value, **changed} if changed else value


def _entry(inner: Json, key: str, paths: tuple[Path, ...], *, in_list: bool = False) -> Json:
    deeper: list[Path] = []
    for path in paths:
        if in_list and not path[0].isdecimal():
            deeper.append(path)
            continue
        for rest in _after(path, key):
            if not rest:
                return MASK
            deeper.append(rest)
    return _by_path(inner, tuple(deeper)) if deeper else inner


def _after(path: Path, key: str) -> Iterator[Path]:
    """What is left of a path after a key: () is a hit, several where `**` leaves it open."""
    head, rest = path[0], path[1:]
    if head == "**":
        yield path
        yield from _after(rest, key) if rest else ((),)
    elif head in (key, "*"):
        yield rest


def _words(texts: Iterable[str]) -> tuple[str, ...] | None:
    """The longest run of letters and digits of each text, without repeats; None when one has none."""
    words = dict.fromkeys(max(_WORD.findall(text), key=len, default="") for text in texts)
    return None if "" in words else tuple(words)


def _may_lead_somewhere(path: Path, body: bytes) -> bool:
    """Whether all keys of a path occur in a payload of these bytes."""
    return all(key in ("*", "**") or key.isdecimal() or canonical(key) + b":" in body for key in path)


def _patterns(secret: str) -> list[str]:
    """Regular expressions for the ways in which a secret may stand in a text."""
    patterns = [re.escape(secret)]
    if not _WORD.fullmatch(secret):
        in_json = [json.dumps(secret, ensure_ascii=ascii_only)[1:-1] for ascii_only in (True, False)]
        in_url = quote(secret.encode(errors="surrogatepass"), safe="")
        # An address in an address, JSON in a form's field, JSON in a text of JSON.
        patterns.append(_each(in_url, _url_character))
        patterns += [_each(text, write) for text in in_json for write in (_url_character, _json_character)]
        patterns += [_each(secret, write) for write in (_json_character, _url_character, _xml_character)]
    patterns += [_base64_pattern(data, offset) for data in _encoded(secret) for offset in range(3)]
    return list(dict.fromkeys(patterns))


def _each(text: str, write: Any) -> str:
    return "".join(write(character) for character in text)


def _json_character(character: str) -> str:
    code = ord(character)
    units = [code] if code < 0x10000 else [0xD800 + (code - 0x10000 >> 10), 0xDC00 + (code & 0x3FF)]
    unicode = "".join(r"\\u" + _any_case(f"{unit:04x}") for unit in units)
    if character in '"\\\b\f\n\r\t':
        return f"(?:{re.escape(json.dumps(character)[1:-1])}|{unicode})"
    if character == "/":
        return rf"(?:/|\\/|{unicode})"
    return character if _WORD.match(character) else f"(?:{re.escape(character)}|{unicode})"


def _url_character(character: str) -> str:
    if _WORD.match(character):
        return character
    escaped = "".join(f"%{_any_case(f'{byte:02x}')}" for byte in character.encode(errors="surrogatepass"))
    if character == "%":
        return escaped  # a bare one would begin an escape
    return f"(?:{re.escape(character)}|{escaped}{r'|[+]' if character == ' ' else ''})"


def _xml_character(character: str) -> str:
    if _WORD.match(character):
        return character
    name = {"&": "amp", "<": "lt", ">": "gt", '"': "quot", "'": "apos"}.get(character)
    numbers = f"&#0*{ord(character)};|&#[xX]0*{_any_case(f'{ord(character):x}')};"
    escaped = f"{numbers}|&{name};" if name else numbers
    return f"(?:{escaped})" if character in "&<" else f"(?:{re.escape(character)}|{escaped})"


def _any_case(digits: str) -> str:
    return "".join(f"[{d.lower()}{d.upper()}]" if d.isalpha() else d for d in digits)


def _encoded(secret: str) -> list[bytes]:
    """A secret as bytes: UTF-8, and Latin-1 as old logins have it."""
    data = [secret.encode(errors="surrogatepass")]
    if not secret.isascii():
        with suppress(UnicodeEncodeError):
            data.append(secret.encode("latin-1"))
    return data


def _base64_sets(data: bytes, offset: int) -> list[str]:
    """The characters that data can have in base64, behind `offset` unknown bytes, place by place.

    All places but the first and the last know their character; those share it with a neighbour.
    """
    bits = "?" * 8 * offset + "".join(f"{byte:08b}" for byte in data)
    bits += "?" * (-len(bits) % 6)
    groups = [bits[at : at + 6] for at in range(0, len(bits), 6)]
    while groups[0] == "??????":
        groups.pop(0)
    return [_of_bits(group) for group in groups]


def _of_bits(group: str) -> str:
    """The characters of base64 whose six bits these can be; `?` is either."""
    if "?" not in group:
        return _BASE64[int(group, 2)]
    known = [(place, bit) for place, bit in enumerate(group) if bit != "?"]
    return "".join(c for number, c in enumerate(_BASE64) if all(f"{number:06b}"[p] == bit for p, bit in known))


def _base64_pattern(data: bytes, offset: int) -> str:
    return "".join(_one_of(characters) for characters in _base64_sets(data, offset)) + "(?:=|%3[dD]){0,2}"


def _one_of(characters: str) -> str:
    """A character of base64 out of these, in either alphabet, escaped or not."""
    plain = "".join(c for c in characters if c not in "+/")
    ways = [plain] if len(plain) == 1 else [f"[{plain}]"] if plain else []
    if "+" in characters:
        ways.append(r"[+-]|%2[bB]|\\u002[bB]")
    if "/" in characters:
        ways.append(r"\\?/|_|%2[fF]")
    return ways[0] if len(ways) == 1 and len(plain) >= 1 else f"(?:{'|'.join(ways)})"


def _base64_cores(secret: str) -> Sequence[str]:
    """What a secret certainly shows in base64, at each alignment."""
    cores = []
    for data in _encoded(secret):
        for offset in range(3):
            sets = _base64_sets(data, offset)
            cores.append("".join(characters if len(characters) == 1 else " " for characters in sets).strip())
    return cores

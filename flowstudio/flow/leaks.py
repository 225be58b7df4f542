"""Finds what looks like a secret in a flow: a flow file is read by everybody, a template goes to strangers."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from flowstudio.errors import PathKey, Problem
from flowstudio.flow.jsonvalue import path_text
from flowstudio.flow.model import Flow, Json

_TELLING_NAME: Final = re.compile(
    r"(?i)(authorization|api[-_]?key|apikey|secret|password|passwd|passphrase|pwd|token|private[-_]?key|credentials?)$"
)
_TELLING_VALUE: Final = re.compile(
    r"""(?x)
      (?<![A-Za-z0-9_]) (?:
        (?: sk | rk | pk ) _ (?: live | test ) _ [0-9A-Za-z]{12,}   # Stripe
      | gh[pousr]_ [0-9A-Za-z]{30,} | github_pat_ [0-9A-Za-z_]{30,}
      | glpat- [0-9A-Za-z_-]{18,}
      | xox[abeoprs]- [0-9A-Za-z-]{10,}                             # Slack
      | shp(?: at | ca | pa | ss )_ [0-9a-f]{32}                    # Shopify
      | npm_ [0-9A-Za-z]{36}
      | (?: AKIA | ASIA ) [0-9A-Z]{16}                              # AWS
      | AIza [0-9A-Za-z_-]{35}                                      # Google
      | SG\. [0-9A-Za-z_-]{16,} \. [0-9A-Za-z_-]{16,}               # SendGrid
      | eyJ [\w-]{10,} \. eyJ [\w-]{10,} \. [\w-]+                  # a JSON web token
      | (?i: bearer | basic ) \  [\w.~+/-]{16,} =*
      )
    | -----BEGIN\ [A-Z ]*PRIVATE\ KEY-----
    | :// [^\s/:@{}"']+ : [^\s/@{}"']+ @                            # a login in an address
    """
)
_WORD: Final = re.compile(r"[0-9A-Za-z+/=_.~!@#%^*-]{8,}")
_PATH: Final = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)+")
_REMEDY: Final = "put it into a connection, or into a variable of type secret"


def leaks(flow: Flow) -> Iterator[Problem]:
    """A warning for each text that looks like a secret, by its form or by the name of its field; it is not repeated."""
    document = flow.to_document()
    for key in ("description", "label", "variables", "connections", "notes"):
        for path, _, value in _texts(document.get(key), (key,), ""):
            if _TELLING_VALUE.search(value):
                yield _problem(path_text(path), path)
    for key, step in document["steps"].items():
        for path, name, value in _texts(step, ("steps", key), ""):
            if _TELLING_VALUE.search(value) or (_TELLING_NAME.search(name) and _looks_made_up(value)):
                inner = path[3:] if path[2:3] == ("config",) else path[2:]
                field = ".".join(map(str, inner))
                yield _problem(field, path, step=key, field=field)


def _problem(name: str, path: tuple[PathKey, ...], step: str | None = None, field: str | None = None) -> Problem:
    why = "everybody who has the file can read it"
    return Problem(f"{name} looks like a secret", why, _REMEDY, step=step, field=field, path=path, severity="warning")


def _looks_made_up(value: str) -> bool:
    """Whether a text in a field that is named like a secret is one, and not a path, an expression or a placeholder."""
    quoted = len(value) > 2 and value[0] == value[-1] and value[0] in "\"'"
    value = value[1:-1] if quoted else value
    if not _WORD.fullmatch(value) or (not quoted and _PATH.fullmatch(value)):
        return False
    digits = sum(letter.isdigit() for letter in value)
    if digits == len(value):
        return False
    # A bare word may be the name of a field: `oauth2token`.
    return quoted or digits >= 3 or (digits > 0 and (not value.replace("_", "").isalnum() or len(value) >= 20))


def _texts(value: Json, path: tuple[PathKey, ...], name: str) -> Iterator[tuple[tuple[PathKey, ...], str, str]]:
    if isinstance(value, str):
        yield path, name, value
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield from _texts(inner, (*path, key), key)
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from _texts(inner, (*path, index), name)

"""No secret survives, in whatever form it stands somewhere; and nothing else is touched."""

from __future__ import annotations

import base64
import json
import re
from urllib.parse import quote, quote_plus
from xml.sax.saxutils import escape, quoteattr

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowstudio.trace.payloads import canonical
from flowstudio.trace.redact import MASK, SHORTEST, Redactor
from tests.trace.test_payloads import PAYLOADS, same

SECRETS = st.text(st.characters(codec="utf-8"), min_size=SHORTEST, max_size=24)
ANY = st.text(st.characters(codec="utf-8"), max_size=12)
# Letters that no form of a secret out of LATIN can hold, so that what surrounds it must stay.
AROUND = st.text("жшщю", max_size=6)
LATIN = st.text(st.characters(min_codepoint=33, max_codepoint=0xFF), min_size=SHORTEST, max_size=24)


def forms(secret: str) -> list[str]:
    """What encoders of this language make of a secret."""
    in_json = json.dumps(secret)[1:-1]
    in_url = quote(secret, safe="")
    return [
        secret,
        in_json,
        json.dumps(secret, ensure_ascii=False)[1:-1],
        in_json.replace("/", r"\/"),
        in_url,
        quote(secret),
        quote_plus(secret),
        in_url.lower() if re.fullmatch("[^A-Z]*", secret) else in_url,
        json.dumps(in_json)[1:-1],
        quote(in_json, safe=""),
        quote_plus(in_json),
        quote(in_url, safe=""),
        escape(secret),
        quoteattr(secret)[1:-1],
        base64.b64encode(secret.encode()).decode(),
        base64.urlsafe_b64encode(secret.encode()).decode(),
    ]


@given(SECRETS, ANY, ANY)
def test_no_form_of_a_secret_survives(secret: str, before: str, after: str) -> None:
    redactor = Redactor([secret])
    for form in forms(secret):
        shown = redactor.text(before + form + after)
        assert secret not in shown
        assert MASK in shown
        # Where a form hides a longer one (the secret is text in base64 itself) its rest may stay, never the whole.
        assert form not in shown


@given(
    SECRETS, st.binary(max_size=7), st.binary(max_size=7), st.sampled_from([base64.b64encode, base64.urlsafe_b64encode])
)
def test_base64_of_something_longer_shows_nothing_of_the_secret(
    secret: str, before: bytes, after: bytes, encode: object
) -> None:
    encoded = encode(before + secret.encode() + after).decode()  # type: ignore[operator]
    for text in (encoded, encoded.rstrip("="), f"Basic {encoded}", quote(encoded, safe=""), json.dumps(encoded)):
        shown = Redactor([secret]).text(text)
        assert MASK in shown
        for run in re.findall("[A-Za-z0-9+/_-]+", shown.replace(MASK, " ")):
            for start in range(4):
                piece = run[start:].replace("-", "+").replace("_", "/")
                piece = piece[: len(piece) // 4 * 4]
                assert secret.encode() not in base64.b64decode(piece)


@given(LATIN, AROUND, AROUND)
def test_what_is_around_a_secret_stays(secret: str, before: str, after: str) -> None:
    redactor = Redactor([secret])
    for form in forms(secret)[:-2]:
        if form.rstrip("="):
            assert redactor.text(before + form + after) == before + MASK + after
    raw = base64.b64encode(secret.encode()).decode()
    assert redactor.text(before + raw + after) == before + MASK + after


@given(st.lists(SECRETS, max_size=4), PAYLOADS)
@pytest.mark.slow
def test_a_payload_without_secrets_is_the_same_object(secrets: list[str], payload: object) -> None:
    assert Redactor().payload(payload) is payload
    shown = Redactor(secrets).payload(payload)
    if same(shown, payload):
        assert shown is payload or not isinstance(payload, dict | list)
    assert same(Redactor(secrets).payload(shown), shown), "once is enough"


PIECES = st.lists(st.integers(0, 3) | st.sampled_from(["a", "•", "", "x•••", '"']), max_size=4).map(tuple)
BROKEN = st.recursive(
    PIECES | st.integers() | st.none(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(PIECES, inner, max_size=4),
    max_leaves=10,
)


@given(st.lists(SECRETS, min_size=1, max_size=4), BROKEN)
def test_no_secret_survives_anywhere_in_a_payload(secrets: list[str], broken: object) -> None:
    def whole(value: object) -> object:
        """The payload with its secrets: a number in a tuple stands for one."""
        if isinstance(value, tuple):
            return "".join(secrets[part % len(secrets)] if isinstance(part, int) else part for part in value)
        if isinstance(value, dict):
            return {whole(key): whole(inner) for key, inner in value.items()}
        return [whole(inner) for inner in value] if isinstance(value, list) else value

    payload = whole(broken)
    shown = Redactor(secrets).payload(payload)

    def look(value: object) -> None:
        if isinstance(value, str):
            assert not any(secret in value for secret in secrets)
        elif isinstance(value, dict):
            for key, inner in value.items():
                look(key)
                look(inner)
        elif isinstance(value, list):
            for inner in value:
                look(inner)

    look(shown)

    def shape(value: object) -> object:
        if isinstance(value, dict):
            return [shape(inner) for inner in value.values()]
        return [shape(inner) for inner in value] if isinstance(value, list) else None

    assert shape(shown) == shape(payload), "nothing comes, goes or changes its place"


def test_secrets_that_overlap_or_hold_each_other_are_masked_whole() -> None:
    assert Redactor(["abcd", "cdef"]).text("-abcdef-") == f"-{MASK}-"
    assert Redactor(["abcd", "abcdefgh"]).text("-abcdefgh-abcd-") == f"-{MASK}-{MASK}-"
    assert Redactor(["bcde", "abcdef"]).text("abcdef") == MASK
    assert Redactor(["aaaa"]).text("xaaaaaax") == f"x{MASK}x"


def test_a_secret_made_of_masks_does_not_come_about() -> None:
    for secret in ("x•••", "••••", "••x•••"):
        shown = Redactor([secret, "hush"]).text(f"xx{secret}•hush{secret}x{secret}")
        assert secret not in shown


def test_a_short_secret_is_masked_only_where_it_is_all_there_is() -> None:
    redactor = Redactor(["abc", "7"])
    assert redactor.text("abc") == MASK
    assert redactor.text("abcd") == "abcd"
    assert redactor.payload({"pin": 7, "n": 77, "abc": ["abc", "x abc"]}) == {
        "pin": MASK,
        "n": 77,
        MASK: [MASK, "x abc"],
    }


def test_secrets_in_numbers_and_keys() -> None:
    redactor = Redactor(["1234", "12.5", "true", "token"])
    payload = {"pin": 1234, "card": 51234999, "price": 112.5, "flag": True, "token": 1, "my token": 2, "n": 123}
    assert redactor.payload(payload) == {
        "pin": MASK,
        "card": MASK,
        "price": MASK,
        "flag": True,
        MASK: 1,
        f"my {MASK}": 2,
        "n": 123,
    }
    both = Redactor(["first", "other"]).payload({"first": 1, "x": 2, "other": 3})
    assert both == {MASK: 1, "x": 2, f"{MASK} (2)": 3}
    assert list(both) == [MASK, "x", f"{MASK} (2)"]


def test_an_empty_secret_means_nothing() -> None:
    redactor = Redactor(["", ""], [""])
    assert redactor.idle
    assert redactor.text("text") == "text"
    assert redactor.payload({"": ""}) == {"": ""}


@pytest.mark.parametrize(
    ("path", "shown"),
    [
        ("customer.iban", {"customer": {"iban": MASK, "name": "A"}}),
        ("$.customer.iban", {"customer": {"iban": MASK, "name": "A"}}),
        ("customer", {"customer": MASK}),
        ("lines.card.no", {"lines": [{"card": {"no": MASK}}, {"card": {"no": MASK, "x": 1}}, 7]}),
        ("lines[].card.no", {"lines": [{"card": {"no": MASK}}, {"card": {"no": MASK, "x": 1}}, 7]}),
        ("lines[*].card.no", {"lines": [{"card": {"no": MASK}}, {"card": {"no": MASK, "x": 1}}, 7]}),
        ("lines[1].card", {"lines": [{"card": {"no": 1}}, {"card": MASK}, 7]}),
        ("lines.2", {"lines": [{"card": {"no": 1}}, {"card": {"no": 2, "x": 1}}, MASK]}),
        ("lines.*.no", {"lines": [{"card": {"no": MASK}}, {"card": {"no": MASK, "x": 1}}, 7]}),
        ("**.no", {"lines": [{"card": {"no": MASK}}, {"card": {"no": MASK, "x": 1}}, 7], "no": MASK}),
        ("**.card.no", {"lines": [{"card": {"no": MASK}}, {"card": {"no": MASK, "x": 1}}, 7]}),
        ("`dotted.key`.x", {"dotted.key": {"x": MASK}}),
        ("deep.**", {"deep": {"a": MASK, "b": MASK}}),
        ("deep.**.c", {"deep": {"a": {"b": {"c": MASK}}, "b": 1}}),
        ("nothing.here", {}),
        ("customer.iban.more", {}),
        ("none", {"none": MASK}),
        ("*", dict.fromkeys(("customer", "lines", "no", "dotted.key", "deep", "none"), MASK)),
    ],
)
def test_paths(path: str, shown: dict[str, object]) -> None:
    payload = {
        "customer": {"iban": "AT61", "name": "A"},
        "lines": [{"card": {"no": 1}}, {"card": {"no": 2, "x": 1}}, 7],
        "no": 3,
        "dotted.key": {"x": 1},
        "deep": {"a": {"b": {"c": 1}}, "b": 1},
        "none": None,
    }
    before = canonical(payload)
    result = Redactor(paths=[path]).payload(payload)
    assert result == {**payload, **shown}
    assert list(result) == list(payload)
    assert canonical(payload) == before, "the payload itself is never changed"
    if not shown:
        assert result is payload
    assert Redactor(paths=[path]).payload([payload, 1]) == [{**payload, **shown}, 1], (
        "a list at the top is gone through"
    )


def test_what_a_path_leaves_alone_is_shared() -> None:
    payload = {"customer": {"iban": "AT61"}, "lines": [1, 2, 3]}
    assert Redactor(paths=["customer.iban"]).payload(payload)["lines"] is payload["lines"]


def test_several_paths_and_secrets_at_once() -> None:
    redactor = Redactor(["hunter2"], ["**.password", "customer.iban"])
    payload = {"customer": {"iban": "AT61", "note": "pw hunter2"}, "logins": [{"password": 1}], "hunter2": 0}
    assert redactor.payload(payload) == {
        "customer": {"iban": MASK, "note": f"pw {MASK}"},
        "logins": [{"password": MASK}],
        MASK: 0,
    }


def test_headers() -> None:
    headers = {
        "Authorization": "Bearer x",
        "COOKIE": "a=b",
        "set-cookie": ["a=1", "b=2"],
        "X-Api-Key": "k",
        "Proxy-Authorization": "Basic x",
        "X-Trace": "hunter2!",
        "Accept": "*/*",
    }
    assert Redactor(["hunter2"]).headers(headers) == {
        "Authorization": MASK,
        "COOKIE": MASK,
        "set-cookie": MASK,
        "X-Api-Key": MASK,
        "Proxy-Authorization": MASK,
        "X-Trace": f"{MASK}!",
        "Accept": "*/*",
    }


def test_a_payload_too_deep_to_be_looked_through_is_masked_whole() -> None:
    payload: object = "hunter2"
    for _ in range(20_000):
        payload = [payload]
    assert Redactor(["hunter2"]).payload(payload) == MASK
    assert Redactor(paths=["a"]).payload(payload) == MASK


@pytest.mark.slow
def test_secrets_of_odd_characters_are_found_quickly() -> None:
    secrets = ["\\" * 30 + "x", "%" * 30, "&" * 20 + ";", "+/" * 15, " " * 12, "=" * 10]
    text = "\\" * 5000 + "%25" * 3000 + "&amp;" * 3000 + "%2B" * 3000 + "+" * 3000
    shown = Redactor(secrets).text(text)
    assert not any(secret in shown for secret in secrets)

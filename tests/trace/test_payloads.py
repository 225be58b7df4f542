"""Payloads by content: what is exact, what is one hash, how large a preview may be."""

from __future__ import annotations

import hashlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowstudio.errors import StepError
from flowstudio.trace.payloads import (
    PREVIEW_BYTES,
    Ref,
    canonical,
    content_hash,
    described,
    parse,
    preview,
    ref_of,
    type_of,
)

SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(-(10**400), 10**400)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters())
)
PAYLOADS = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=12) | st.dictionaries(st.text(st.characters()), inner, max_size=12),
    max_leaves=40,
)


def same(one: object, other: object) -> bool:
    """Equal with types: 1 is not 1.0 and not True, 0.0 is not -0.0, and keys have an order."""
    return repr(one) == repr(other)


@given(PAYLOADS)
def test_canonical_bytes_lose_nothing(payload: object) -> None:
    body = canonical(payload)
    assert same(parse(body), payload)
    assert canonical(parse(body)) == body
    assert same(json.loads(body), payload)


@pytest.mark.parametrize(
    "payload",
    [2**53 + 1, 2**64, -(2**200), 10**4299, 0.1, 1e300, 5e-324, -0.0, "\ud800", {"\udfff": ["a\ud83d"]}, "\u2028\x00"],
)
def test_exact_at_the_edges(payload: object) -> None:
    assert same(parse(canonical(payload)), payload)


def test_order_of_keys_and_type_of_numbers_are_part_of_the_content() -> None:
    hashes = {content_hash(p) for p in ({"a": 1, "b": 2}, {"b": 2, "a": 1}, {"a": 1.0, "b": 2}, {"a": True, "b": 2})}
    assert len(hashes) == 4
    assert content_hash({"a": [1, "x"]}) == content_hash(json.loads('{ "a" : [1, "\\u0078"] }'))


def test_a_hash_never_changes_from_release_to_release() -> None:
    payload = {"name": "Zoë/\n", "total": 12.5, "big": 2**70, "none": None, "ok": [True, False]}
    written = '{"name":"Zoë/\\n","total":12.5,"big":1180591620717411303424,"none":null,"ok":[true,false]}'
    assert content_hash(payload) == hashlib.sha256(written.encode()).hexdigest()


@given(PAYLOADS)
def test_a_preview_is_small_and_says_how_much_there_is(payload: object) -> None:
    ref = ref_of(payload)
    assert len(canonical(ref.preview)) <= PREVIEW_BYTES
    assert ref.type == type_of(payload)
    assert ref.bytes == len(canonical(payload))
    if isinstance(payload, dict | list | str):
        assert ref.count == len(payload)
    if isinstance(payload, dict | list):
        assert len(ref.preview) <= 8
        assert bool(ref.preview) == bool(payload)
    assert Ref.from_json(json.loads(json.dumps(ref.to_json()))) == ref


def test_a_preview_is_one_level_deep() -> None:
    payload = {"name": "x" * 200, "lines": [1, 2, 3], "address": {"city": "Graz"}, "id": 2**60, "gone": None}
    assert preview(payload) == {
        "name": "x" * 79 + "…",
        "lines": "[3]",
        "address": "{1}",
        "id": 2**60,
        "gone": None,
    }
    assert preview(list(range(100))) == list(range(8))
    assert preview("y" * 81) == "y" * 79 + "…"
    assert preview(10**1000) == "1" + "0" * 78 + "…"


@pytest.mark.parametrize("payload", [{"\x01" * 500: "\x01" * 500, "b": 1}, ["\U0001f600" * 90] * 20, "\x02" * 5000])
def test_escapes_count_against_the_limit_of_a_preview(payload: object) -> None:
    told = described(payload)
    ref, body = told.ref, told.body
    assert len(canonical(ref.preview)) <= PREVIEW_BYTES
    assert ref.preview
    assert ref.bytes == len(body)


def test_too_deep_a_payload_is_refused_in_a_sentence() -> None:
    payload: object = 1
    for _ in range(50_000):
        payload = [payload]
    with pytest.raises(StepError, match="nests lists and objects too deep"):
        canonical(payload)
    with pytest.raises(StepError, match="nests lists and objects too deep"):
        parse(b"[" * 50_000 + b"]" * 50_000)


def test_a_number_that_cannot_be_written_is_refused_in_a_sentence() -> None:
    with pytest.raises(StepError, match="send it as text"):
        canonical({"n": 10**5000})


@pytest.mark.parametrize("body", [b"", b"{", b"nope", b'{"a":1}x', b'"\xff"'])
def test_what_is_no_json_is_a_value_error(body: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - whichever of the two readers saw it last
        parse(body)

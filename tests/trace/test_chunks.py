"""Trees of chunks: one tree for one content, borders that stay where they are when something changes beside them."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flowstudio.errors import StepError
from flowstudio.stores.chunked import chunked
from flowstudio.trace import chunks
from flowstudio.trace.canonical import canonical, parse
from flowstudio.trace.chunks import Branch, Node, Seen, Tree, digest, read_chunk, read_node, tree_of
from flowstudio.trace.payloads import content_hash, described
from tests.trace.test_payloads import PAYLOADS, SCALARS, same

TREES = (
    st.lists(PAYLOADS, max_size=30)
    | st.dictionaries(st.text(st.characters()), PAYLOADS, max_size=30)
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=400)
    | st.lists(
        st.text("ab", min_size=20, max_size=80) | st.lists(st.text("xy\n", max_size=60), max_size=6), max_size=20
    )
)


@contextmanager
def fine_chunks(few: int = 1024, block: int = 64) -> Iterator[None]:
    """Chunks of some dozen bytes, so that small payloads have many."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {"LEAST": 40, "GAP": 16, "MOST": 168, "_CONTEXT": 16, "_FEW": few, "_BLOCK": block}.items():
            patch.setattr(chunks, name, value)
        yield


class Kept:
    """The chunks of trees, as a store has them."""

    def __init__(self, *trees: Tree) -> None:
        self.bodies = {name: body() for tree in trees for name, body in tree.chunks.items()}

    def node(self, name: str) -> Node:
        return read_node(self.bodies[name])

    def lines(self, name: str) -> bytes:
        return self.bodies[name]

    def entries(self, kind: str, name: str) -> Any:
        return read_chunk(kind, self.bodies[name])


def plain(tree: Tree) -> Any:
    return chunked(Kept(tree), tree.node).whole()


def rows(count: int, seed: int = 1) -> list[Any]:
    chance = random.Random(seed)
    return [{"id": n, "name": f"row {chance.random()}", "tags": ["a", "b"][: n % 3]} for n in range(count)]


@given(TREES)
def test_a_tree_is_its_payload(payload: Any) -> None:
    with fine_chunks():
        tree = tree_of(payload)
        assert same(plain(tree), payload)
        assert tree.node.count == len(payload)
        assert tree.hash == digest(tree.root)
        assert read_node(tree.root) == tree.node
        for name, body in tree.chunks.items():
            assert digest(body()) == name


@given(TREES)
@pytest.mark.slow
def test_the_size_of_a_tree_is_that_of_the_canonical_bytes(payload: Any) -> None:
    if r"\ud" in ascii(payload):
        return  # a lone surrogate makes JSON's other writer write the rest too: `1e+16` for `1e16`
    with fine_chunks():
        assert tree_of(payload).node.size == len(canonical(payload))


@given(TREES)
@pytest.mark.slow
def test_equal_payloads_have_one_tree_however_they_were_made(payload: Any) -> None:
    """With or without a look ahead, in blocks of any length, from the same objects or from others."""
    trees = set()
    for few, block in ((1024, 64), (0, 64), (0, 1), (0, 100_000)):
        with fine_chunks(few, block):
            seen = Seen(1_000_000)
            again = parse(canonical(payload)) if same(parse(canonical(payload)), payload) else payload
            for given_now in (payload, payload, again):
                tree = tree_of(given_now, seen)
                assert {name: digest(body()) for name, body in tree.chunks.items()} == {n: n for n in tree.chunks}
                trees.add((tree.hash, frozenset(tree.chunks)))
    assert len(trees) == 1


@given(st.lists(SCALARS, min_size=1, max_size=40), st.data())
def test_what_was_seen_serves_only_where_the_very_same_stands(items: list[Any], data: st.DataObject) -> None:
    with fine_chunks():
        seen = Seen(1_000_000)
        tree_of(items, seen)
        for _ in range(5):
            place = data.draw(st.integers(0, len(items)))
            change = data.draw(st.sampled_from(["change", "insert", "delete", "cut"]))
            if change == "insert":
                items = [*items[:place], data.draw(SCALARS), *items[place:]]
            elif change == "change":
                items = [*items[:place], data.draw(SCALARS), *items[place + 1 :]]
            else:
                items = items[:place] if change == "cut" else [*items[:place], *items[place + 1 :]]
            assert tree_of(items, seen).hash == tree_of(items).hash
            keyed = {f"key {number % 7} {number}": item for number, item in enumerate(items)}
            assert tree_of(keyed, seen).hash == tree_of(keyed).hash


def test_a_list_and_an_object_of_the_same_values_are_not_taken_for_each_other() -> None:
    with fine_chunks():
        seen = Seen(1_000_000)
        values = [f"value {n}" * 3 for n in range(40)]
        keyed, other = {f"k{n}": value for n, value in enumerate(values)}, {f"l{n}": v for n, v in enumerate(values)}
        for payload in (values, keyed, other, values, keyed):
            assert same(plain(tree_of(payload, seen)), payload)


ROWS = rows(2_000)


@pytest.mark.slow
@settings(max_examples=20)
@given(st.integers(0, 1_999), st.sampled_from(["change", "insert", "delete"]), st.booleans(), st.booleans())
def test_one_edit_makes_few_new_chunks(place: int, edit: str, keyed: bool, known: bool) -> None:
    new = {"change": [{"id": "changed"}], "insert": [{"id": "new"}, ROWS[place]], "delete": []}[edit]
    after = [*ROWS[:place], *new, *ROWS[place + 1 :]]
    versions: list[Any] = [ROWS, after]
    if keyed:
        versions = [{f"{row['id']} {row.get('name')}": row for row in version} for version in versions]
    with fine_chunks(block=4096):
        seen = Seen(10_000_000) if known else None
        before, now = (tree_of(version, seen) for version in versions)
        assert len(before.chunks) > 500
        assert len(set(now.chunks) - set(before.chunks)) <= 8


@pytest.mark.parametrize("alphabet", ["0123456789", "abcdefgh ijkl,mno.pqrst", "äöü€ßé漢字かな", "ab\n"])
@pytest.mark.slow
def test_an_edit_of_a_text_makes_few_new_chunks(alphabet: str) -> None:
    chance = random.Random(3)
    text = "".join(chance.choices(alphabet, k=3_000_000))
    before = tree_of(text)
    assert plain(before) == text
    for place in (0, 1_000_000):
        longer = text[:place] + alphabet * 50 + text[place:]
        for edited in (text[:place] + "x" + text[place + 1 :], longer, text[:place] + text[place + 3 :]):
            now = tree_of(edited)
            assert plain(now) == edited
            assert len(set(now.chunks) - set(before.chunks)) <= len(before.chunks) // 4


def test_lines_of_a_text_are_borders_too() -> None:
    chance = random.Random(3)
    lines = [f"{n:09d},name {n},{chance.random()}\n" for n in range(40_000)]
    before, text = tree_of("".join(lines)), "".join([*lines[:777], "one line more\n", *lines[777:]])
    now = tree_of(text)
    assert len(before.chunks) > 10
    assert len(set(now.chunks) - set(before.chunks)) <= 3
    assert plain(now) == text


@pytest.mark.slow
def test_a_change_deep_inside_leaves_its_neighbours_alone() -> None:
    payload = {"meta": {"n": 1}, "customers": [{"id": n, "orders": rows(3_000, n), "text": "x" * n} for n in range(12)]}
    before = tree_of(payload)
    orders = payload["customers"][7]["orders"]  # type: ignore[index]
    changed = {**payload, "customers": [*payload["customers"]]}  # type: ignore[misc]
    changed["customers"][7] = {**changed["customers"][7], "orders": [*orders[:5], *orders[6:]]}
    now = tree_of(changed)
    new = set(now.chunks) - set(before.chunks)
    assert len(new) <= 5
    assert sum(len(now.chunks[name]()) for name in new) < 400_000
    assert same(plain(now), changed)


def test_a_large_value_is_one_tree_wherever_it_lies() -> None:
    items = rows(5_000)
    alone, wrapped = tree_of(items), tree_of({"data": {"items": items}, "n": 1})
    assert set(alone.chunks) <= set(wrapped.chunks)
    assert alone.hash in wrapped.chunks
    (data,) = (part for part in wrapped.node.parts if isinstance(part, Branch))
    assert (data.key, data.type) == ('"data"', "object")


@pytest.mark.parametrize("wide", [False, True])
def test_nesting_of_large_values_ends_somewhere_and_loses_nothing(wide: bool) -> None:
    with fine_chunks():
        payload: Any = ["x" * 50, "y" * 30]
        for level in range(200):
            payload = [level, payload, *([0] * 2000 if wide and level % 50 == 0 else [])]
        assert same(plain(tree_of(payload)), payload)


@pytest.mark.parametrize("place", [0, 2_500, 4_999])
@pytest.mark.slow
def test_what_cannot_be_written_is_refused_as_in_a_small_payload(place: int) -> None:
    deep: Any = 1
    for _ in range(20_000):
        deep = [deep]
    items: list[Any] = rows(5_000)
    with pytest.raises(StepError, match="nests lists and objects too deep"):
        tree_of([*items[:place], deep, *items[place:]])
    with pytest.raises(StepError, match="send it as text"):
        tree_of({"a": [*items[:place], 10**5000, *items[place:]]})


def test_keys_and_items_of_any_size() -> None:
    payload = {
        "k" * 200_000: 1,
        "\ud800" * 3: "\udfff" * 90_000,
        "": [],
        "l" * 100_000: "m" * 300_000,
        "n": [{}, [], "", None, "\n" * 100_000, {"o": "\n"}],
    }
    tree = tree_of(payload)
    assert same(plain(tree), payload)
    assert tree.node.size == len(canonical(payload))


@pytest.mark.slow
def test_hashes_of_whole_and_chunked_payloads_are_of_different_kinds() -> None:
    """The bytes of a node are no JSON, so that no payload has its hash."""
    items = rows(30_000)
    told = described(items)
    assert told.ref.bytes == len(canonical(items)) > 1_000_000
    assert told.ref.hash == content_hash(parse(canonical(items))) == content_hash(tuple(items))
    assert told.ref.hash != digest(canonical(items))
    assert told.body[:1] == chunks.TREE
    with pytest.raises(ValueError):  # noqa: PT011 - either reader's
        parse(told.body)


@pytest.mark.parametrize(
    "body", [b"\x01", b"\x01{}", b'\x01["array",1]', b'\x01["array",2,0,[[7,"a",1,1]]]', b"\x01\xff"]
)
def test_a_damaged_node_is_a_value_error(body: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011
        read_node(body)


def test_what_was_seen_is_let_go() -> None:
    seen = Seen(100_000)
    lists = [rows(5_000, seed) for seed in range(3)]
    for items in lists:
        tree_of(items, seen)
    assert seen._weight <= 100_000
    seen.clear()
    assert not seen._held

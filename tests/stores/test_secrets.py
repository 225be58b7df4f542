"""Secrets: encrypted on disk, shared by processes, never shown, and lost by no accident."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import traceback
from pathlib import Path

import keyring
import keyring.backend
import keyring.backends.fail
import keyring.backends.null
import pytest
from cryptography.fernet import Fernet
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from flowstudio.errors import SecretStoreError
from flowstudio.stores.secrets import FernetFileStore, MemoryStore, SecretStore, new_key, open_secret_store

SECRET = "s3cret-välue"


class Ring(keyring.backend.KeyringBackend):
    """A key ring in memory that really keeps what it gets."""

    priority = 5  # type: ignore[assignment]

    def __init__(self) -> None:
        super().__init__()
        self.held: dict[tuple[str, str], str] = {}

    def get_password(self, service: str, username: str) -> str | None:
        return self.held.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        self.held[service, username] = password


class LockedRing(Ring):
    """One that nobody unlocks."""

    def get_password(self, service: str, username: str) -> str | None:
        raise keyring.errors.KeyringLocked(SECRET)


class ReadOnlyRing(Ring):
    """One that keeps nothing new."""

    def set_password(self, service: str, username: str, password: str) -> None:
        raise keyring.errors.PasswordSetError(password)


class ForgetfulRing(Ring):
    """One that says nothing and forgets."""

    def set_password(self, service: str, username: str, password: str) -> None:
        return


class PlainTextRing(Ring):
    """As those of keyrings.alt are."""


PlainTextRing.__module__ = "keyrings.alt.file"


class Chain(Ring):
    """Several rings in one."""

    def __init__(self, *backends: keyring.backend.KeyringBackend) -> None:
        super().__init__()
        self.backends = list(backends)


def use(monkeypatch: pytest.MonkeyPatch, ring: keyring.backend.KeyringBackend) -> None:
    monkeypatch.setattr(keyring, "get_keyring", lambda: ring)


def environment() -> dict[str, str]:
    return {"FLOWSTUDIO_SECRET_KEY": new_key()}


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=settings.default.max_examples // 3)
@given(
    st.lists(
        st.tuples(st.sampled_from(["set", "delete"]), st.sampled_from("abc/d.é"), st.text(st.characters(), max_size=9)),
        max_size=12,
    )
)
def test_each_store_holds_what_a_dictionary_would(
    tmp_path_factory: pytest.TempPathFactory, changes: list[tuple[str, str, str]]
) -> None:
    folder, key = tmp_path_factory.mktemp("secrets"), new_key()
    told: dict[str, str] = {}
    stores: list[SecretStore] = [MemoryStore(), FernetFileStore(folder / "secrets.enc", key)]
    for change, name, value in changes:
        if change == "set":
            told[name] = value
        else:
            told.pop(name, None)
        for store in stores:
            store.set(name, value) if change == "set" else store.delete(name)
    stores.append(FernetFileStore(folder / "secrets.enc", key))
    for store in stores:
        assert store.names() == sorted(told)
        assert {name: store.get(name) for name in store.names()} == told
        assert store.get("never") is None


def test_nothing_of_a_secret_is_on_disk_or_in_what_is_printed(tmp_path: Path) -> None:
    environ = environment()
    store = open_secret_store(tmp_path, environ)
    memory = MemoryStore()
    for kept in (store, memory):
        kept.set("crm/token", SECRET)
    body = (tmp_path / "secrets.enc").read_bytes()
    for word in (SECRET.encode(), b"crm", environ["FLOWSTUDIO_SECRET_KEY"].encode()):
        assert word not in body
    for shown in (repr(store), str(store), repr(memory), str(memory)):
        assert SECRET not in shown
        assert environ["FLOWSTUDIO_SECRET_KEY"] not in shown


@pytest.mark.skipif(sys.platform == "win32", reason="permissions are another affair there")
def test_the_file_is_its_owners_alone(tmp_path: Path) -> None:
    store = open_secret_store(tmp_path / "data", environment())
    store.set("a", "1")
    for path in (tmp_path / "data", *(tmp_path / "data").iterdir()):
        assert path.stat().st_mode & 0o077 == 0


def test_a_wrong_key_is_told_and_the_file_untouched(tmp_path: Path) -> None:
    environ = environment()
    open_secret_store(tmp_path, environ).set("a", SECRET)
    before = (tmp_path / "secrets.enc").read_bytes()
    with pytest.raises(SecretStoreError, match="was written with another key") as caught:
        open_secret_store(tmp_path, environment())
    assert "set FLOWSTUDIO_SECRET_KEY to the key it was written with" in str(caught.value)
    shown = "".join(traceback.format_exception(caught.value))
    assert SECRET not in shown
    assert (tmp_path / "secrets.enc").read_bytes() == before
    assert open_secret_store(tmp_path, environ).get("a") == SECRET


@pytest.mark.parametrize("key", ["short", "x" * 44, "Ω" * 44])
def test_a_value_that_is_no_key_is_told_without_showing_it(tmp_path: Path, key: str) -> None:
    with pytest.raises(SecretStoreError, match="FLOWSTUDIO_SECRET_KEY is not a key; make a key with") as caught:
        open_secret_store(tmp_path, {"FLOWSTUDIO_SECRET_KEY": key})
    assert key not in str(caught.value)
    assert "Traceback" not in str(caught.value.__cause__)


@pytest.mark.parametrize("content", [b"", b"hello", b"flowstudio-secrets/9 environment\nabc", b"\xff\xfe\x00"])
def test_a_file_that_is_something_else_is_told_and_untouched(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "secrets.enc").write_bytes(content)
    with pytest.raises(SecretStoreError, match="is not a file of secrets that this version reads"):
        open_secret_store(tmp_path, environment())
    with pytest.raises(SecretStoreError):
        open_secret_store(tmp_path, {})
    assert (tmp_path / "secrets.enc").read_bytes() == content


def test_a_damaged_file_is_told_and_never_written(tmp_path: Path) -> None:
    store = open_secret_store(tmp_path, environment())
    store.set("a", SECRET)
    file = tmp_path / "secrets.enc"
    file.write_bytes(file.read_bytes()[:-20])
    damaged = file.read_bytes()
    with pytest.raises(SecretStoreError, match="or is damaged"):
        store.set("b", "2")
    assert file.read_bytes() == damaged


def test_a_change_by_another_process_is_seen(tmp_path: Path) -> None:
    environ = environment()
    one, other = open_secret_store(tmp_path, environ), open_secret_store(tmp_path, environ)
    one.set("a", "1")
    assert other.get("a") == "1"
    other.set("a", "2")
    other.set("b", "3")
    assert one.get("a") == "2"
    one.delete("a")
    assert other.names() == ["b"]


@pytest.mark.slow
def test_processes_that_write_at_once_lose_nothing(tmp_path: Path) -> None:
    script = (
        "import os, sys; from pathlib import Path; from flowstudio.stores.secrets import open_secret_store\n"
        "store = open_secret_store(Path(sys.argv[1]))\n"
        "for n in range(25): store.set(f'{sys.argv[2]}/{n}', sys.argv[2])\n"
    )
    environ = {**os.environ, **environment()}
    processes = [
        subprocess.Popen([sys.executable, "-c", script, str(tmp_path), str(number)], env=environ) for number in range(3)
    ]
    assert [process.wait() for process in processes] == [0, 0, 0]
    store = open_secret_store(tmp_path, environ)
    assert len(store.names()) == 75
    assert store.get("2/24") == "2"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["secrets.enc", "secrets.lock"]


def test_a_key_ring_keeps_the_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ring = Ring()
    use(monkeypatch, ring)
    store = open_secret_store(tmp_path / "a", {})
    store.set("crm/token", SECRET)
    assert open_secret_store(tmp_path / "a", {}).get("crm/token") == SECRET
    other = open_secret_store(tmp_path / "b", {})
    assert other.names() == []
    assert len(ring.held) == 2, "each data directory has a key of its own"
    assert {service for service, _ in ring.held} == {"FlowStudio"}
    assert SECRET not in repr(ring.held), "the ring holds the key, not the secrets"
    (tmp_path / "a").rename(tmp_path / "c")
    assert open_secret_store(tmp_path / "c", {}).get("crm/token") == SECRET, "a data directory can be moved"


def test_a_key_that_the_ring_has_lost_is_told_and_the_file_untouched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ring = Ring()
    use(monkeypatch, ring)
    open_secret_store(tmp_path, {}).set("a", SECRET)
    before = (tmp_path / "secrets.enc").read_bytes()
    held = dict(ring.held)
    ring.held.clear()
    with pytest.raises(SecretStoreError, match="The key ring holds no key"):
        open_secret_store(tmp_path, {})
    with pytest.raises(SecretStoreError, match="use the user's key ring that it was written with"):
        open_secret_store(tmp_path, environment())
    assert (tmp_path / "secrets.enc").read_bytes() == before
    ring.held = held
    assert open_secret_store(tmp_path, {}).get("a") == SECRET


def test_a_file_of_the_environments_key_is_not_taken_over_by_the_ring(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    environ = environment()
    open_secret_store(tmp_path, environ).set("a", SECRET)
    use(monkeypatch, Ring())
    with pytest.raises(
        SecretStoreError, match="was written with a key from the environment; set FLOWSTUDIO_SECRET_KEY"
    ):
        open_secret_store(tmp_path, {})


@pytest.mark.parametrize(
    "ring",
    [
        keyring.backends.fail.Keyring(),
        keyring.backends.null.Keyring(),
        PlainTextRing(),
        LockedRing(),
        Chain(PlainTextRing(), keyring.backends.null.Keyring()),
    ],
    ids=lambda ring: type(ring).__name__ + type(ring).__module__,
)
def test_a_ring_that_cannot_keep_secrets_counts_as_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ring: keyring.backend.KeyringBackend
) -> None:
    use(monkeypatch, ring)
    with pytest.raises(SecretStoreError, match="There is no key ring here") as caught:
        open_secret_store(tmp_path, {})
    assert SECRET not in "".join(traceback.format_exception(caught.value))
    assert not (tmp_path / "secrets.enc").exists()
    command = str(caught.value).partition("make a key with: ")[2].splitlines()[0]
    made = subprocess.run(command.replace("python", sys.executable, 1), shell=True, capture_output=True, check=True)
    Fernet(made.stdout.strip())
    with monkeypatch.context() as patch:
        patch.setattr(keyring, "get_keyring", lambda: pytest.fail("not asked where there is a key"))
        store = open_secret_store(tmp_path, {"FLOWSTUDIO_SECRET_KEY": f" {made.stdout.decode()} "})
        store.set("a", SECRET)
        assert store.get("a") == SECRET


def test_the_first_good_ring_of_several_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    good = Ring()
    use(monkeypatch, Chain(PlainTextRing(), LockedRing(), good))
    open_secret_store(tmp_path, {}).set("a", "1")
    assert len(good.held) == 1


@pytest.mark.parametrize("ring", [ReadOnlyRing(), ForgetfulRing()], ids=lambda ring: type(ring).__name__)
def test_a_ring_that_does_not_keep_the_key_leaves_no_file_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ring: Ring
) -> None:
    use(monkeypatch, ring)
    with pytest.raises(SecretStoreError, match="did not keep a key"):
        open_secret_store(tmp_path, {})
    assert not (tmp_path / "secrets.enc").exists()


def test_a_ring_that_breaks_while_it_loads_counts_as_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> None:
        raise RuntimeError(SECRET)

    monkeypatch.setattr(keyring, "get_keyring", broken)
    with pytest.raises(SecretStoreError, match="There is no key ring here"):
        open_secret_store(tmp_path, {})


def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(SecretStoreError, match="check its permissions"):
        open_secret_store(tmp_path / "file", environment())
    with pytest.raises(SecretStoreError, match="give another data directory"):
        open_secret_store(tmp_path / "file" / "below", {})


@pytest.mark.slow
def test_importing_it_loads_neither_the_key_ring_nor_cryptography() -> None:
    code = (
        "import json, sys; import flowstudio.stores.secrets, flowstudio.stores.recovery, flowstudio.stores.views\n"
        "print(json.dumps(sorted(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(json.loads(done.stdout))
    assert loaded.isdisjoint({"keyring", "cryptography", "cryptography.fernet", "httpx", "zstandard"})

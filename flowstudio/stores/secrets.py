"""Secrets by name, encrypted in a file of the data directory; their key lies in the environment or in the key ring."""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol

from flowstudio.errors import SecretStoreError, StoreError
from flowstudio.stores.locks import FileLock
from flowstudio.trace.payloads import canonical, parse

if TYPE_CHECKING:
    from cryptography.fernet import Fernet
    from keyring.backend import KeyringBackend

KEY_VARIABLE: Final = "FLOWSTUDIO_SECRET_KEY"
FILE: Final = "secrets.enc"

_SERVICE: Final = "FlowStudio"
_FORMAT: Final = "flowstudio-secrets/1"
_FROM_ENVIRONMENT: Final = "environment"
_HOW_TO_MAKE_A_KEY: Final = (
    f'make a key with: python -c "from flowstudio.stores.secrets import new_key; print(new_key())"\n'
    f"and keep it in the environment variable {KEY_VARIABLE} wherever this data directory is used"
)


class SecretStore(Protocol):
    """Where secrets lie, by name. Every method may block for a moment, and raises SecretStoreError."""

    def get(self, name: str) -> str | None:
        """The secret, None where there is none of that name."""

    def set(self, name: str, value: str) -> None:
        """Keeps a secret in the place of the one before."""

    def delete(self, name: str) -> None:
        """Forgets a secret, if there is one."""

    def names(self) -> list[str]:
        """The names of all secrets, in order."""


class MemoryStore:
    """Secrets for as long as the process lives: where there is neither a key ring nor a key."""

    def __init__(self) -> None:
        self._secrets: dict[str, str] = {}

    def __repr__(self) -> str:
        return f"MemoryStore({len(self._secrets)} secrets)"

    def get(self, name: str) -> str | None:
        """The secret, None where there is none of that name."""
        return self._secrets.get(name)

    def set(self, name: str, value: str) -> None:
        """Keeps a secret in the place of the one before."""
        self._secrets[name] = value

    def delete(self, name: str) -> None:
        """Forgets a secret, if there is one."""
        self._secrets.pop(name, None)

    def names(self) -> list[str]:
        """The names of all secrets, in order."""
        return sorted(self._secrets)


class FernetFileStore:
    """Secrets in one encrypted file, shared by any number of processes.

    `key_id` names the key in the file's first line, so that a wrong one can be told apart from a damaged file. A file
    that cannot be read is never written.
    """

    def __init__(self, path: Path, key: str, key_id: str = _FROM_ENVIRONMENT) -> None:
        self._path = path
        self._key_id = key_id
        self._fernet = _fernet(key)
        self._seen = b""
        self._secrets: dict[str, str] = {}
        self._read()

    def __repr__(self) -> str:
        return f"FernetFileStore({str(self._path)!r})"

    def get(self, name: str) -> str | None:
        """The secret, None where there is none of that name."""
        return self._read().get(name)

    def set(self, name: str, value: str) -> None:
        """Keeps a secret in the place of the one before."""

        def put(secrets: dict[str, str]) -> None:
            secrets[name] = value

        self._change(put)

    def delete(self, name: str) -> None:
        """Forgets a secret, if there is one."""

        def take_out(secrets: dict[str, str]) -> None:
            secrets.pop(name, None)

        self._change(take_out)

    def names(self) -> list[str]:
        """The names of all secrets, in order."""
        return sorted(self._read())

    def some(self, names: Iterable[str]) -> dict[str, str]:
        """Those of these secrets that there are, from one reading of the file."""
        held = self._read()
        return {name: held[name] for name in names if name in held}

    def change(self, put: Mapping[str, str], drop: Iterable[str] = ()) -> None:
        """Keeps secrets and forgets others, in one writing of the file."""

        def both(secrets: dict[str, str]) -> None:
            secrets.update(put)
            for name in drop:
                secrets.pop(name, None)

        self._change(both)

    def _change(self, change: Callable[[dict[str, str]], None]) -> None:
        try:
            with _lock_of(self._path.parent):
                secrets = dict(self._read())
                change(secrets)
                if secrets != self._secrets:
                    _write(
                        self._path, f"{_FORMAT} {self._key_id}\n".encode() + self._fernet.encrypt(canonical(secrets))
                    )
        except StoreError as error:
            raise SecretStoreError(str(error)) from None

    def _read(self) -> dict[str, str]:
        """The secrets as the file holds them now; another process may have changed it."""
        try:
            # Not its time, size and number: two writes within a tick of the clock can leave all of them as they were.
            data = self._path.read_bytes()
            if data != self._seen or not data:
                self._secrets, self._seen = self._decrypted(data), data
        except FileNotFoundError:
            self._secrets, self._seen = {}, b""
        except OSError as error:
            raise SecretStoreError(f"{self._path} cannot be read ({error.strerror}); check its permissions") from None
        return self._secrets

    def _decrypted(self, data: bytes) -> dict[str, str]:
        from cryptography.fernet import InvalidToken

        head, _, token = data.partition(b"\n")
        if not head.startswith(_FORMAT.encode() + b" "):
            raise SecretStoreError(f"{self._path} is not a file of secrets that this version reads; move it away")
        try:
            secrets: dict[str, str] = parse(self._fernet.decrypt(token))
        except (InvalidToken, ValueError):
            key_id = head.decode(errors="replace").removeprefix(f"{_FORMAT} ")
            raise SecretStoreError(
                f"{self._path} was written with another key, or is damaged; {_remedy(key_id)}"
            ) from None
        return secrets


def new_key() -> str:
    """A key for FLOWSTUDIO_SECRET_KEY."""
    from cryptography.fernet import Fernet

    return Fernet.generate_key().decode()


def open_secret_store(folder: Path, environ: Mapping[str, str] = os.environ) -> FernetFileStore:
    """The secrets of a data directory.

    Their key is FLOWSTUDIO_SECRET_KEY of `environ`, else one in the key ring, which is made when it is needed for the
    first time; SecretStoreError says how to make one when there is neither. Opening a key ring takes a while, and may ask
    its owner for a password.
    """
    key, key_id = data_key(folder, environ)
    return FernetFileStore(folder / FILE, key, key_id)


def data_key(folder: Path, environ: Mapping[str, str] = os.environ) -> tuple[str, str]:
    """The key with which a data directory's secrets are encrypted, and its id; see `open_secret_store`."""
    given = environ.get(KEY_VARIABLE, "").strip()
    if given:
        return given, _FROM_ENVIRONMENT
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        with _lock_of(folder):
            return _key_from_ring(folder)
    except StoreError as error:
        raise SecretStoreError(str(error)) from None
    except OSError as error:
        raise SecretStoreError(f"{folder} cannot be used ({error.strerror}); give another data directory") from None


def _key_from_ring(folder: Path) -> tuple[str, str]:
    path = folder / FILE
    key_id = _key_id_of(path)
    if key_id == _FROM_ENVIRONMENT:
        raise SecretStoreError(f"{path} was written with a key from the environment; {_remedy(key_id)}")
    ring = _key_ring()
    if ring is None:
        raise SecretStoreError(f"There is no key ring here that could keep the key of {path}; {_HOW_TO_MAKE_A_KEY}")
    if key_id is not None:
        key = _asked(ring, key_id)
        if key is None:
            raise SecretStoreError(f"The key ring holds no key for {path}; {_remedy(key_id)}")
        return key, key_id
    key, key_id = new_key(), uuid.uuid4().hex
    _kept(ring, key_id, key)
    # At once: the file's first line is where the key's name in the ring is remembered.
    _write(path, f"{_FORMAT} {key_id}\n".encode() + _fernet(key).encrypt(canonical({})))
    return key, key_id


def _key_id_of(path: Path) -> str | None:
    try:
        with path.open("rb") as file:
            head = file.readline(200).decode("ascii", errors="replace").split()
    except FileNotFoundError:
        return None
    if len(head) != 2 or head[0] != _FORMAT:
        raise SecretStoreError(f"{path} is not a file of secrets that this version reads; move it away")
    return head[1]


def _remedy(key_id: str) -> str:
    if key_id == _FROM_ENVIRONMENT:
        return f"set {KEY_VARIABLE} to the key it was written with, or move the file away and enter the secrets again"
    return (
        "use the user's key ring that it was written with (and no "
        f"{KEY_VARIABLE}), or move the file away and enter the secrets again"
    )


def _key_ring() -> KeyringBackend | None:
    """A key ring that really keeps secrets. One that fails, forgets or writes plain text counts as none."""
    try:
        import keyring

        chosen = keyring.get_keyring()
        # Of several the first that will do, not whichever of them the library's chain writes to.
        rings: list[KeyringBackend] = getattr(chosen, "backends", None) or [chosen]
        for ring in rings:
            module = type(ring).__module__
            if module.startswith("keyrings.alt") or module in ("keyring.backends.fail", "keyring.backends.null"):
                continue
            if _works(ring):
                return ring
    except Exception:  # whatever a backend raises: it is none that can be used
        return None
    return None


def _works(ring: KeyringBackend) -> bool:
    try:
        ring.get_password(_SERVICE, "a question whether this works")
    except Exception:  # whatever a backend raises: it is none that can be used
        return False
    return True


def _asked(ring: KeyringBackend, key_id: str) -> str | None:
    try:
        return ring.get_password(_SERVICE, key_id)
    except Exception as error:  # backends raise what their systems raise
        reason = type(error).__name__
    raise SecretStoreError(f"The key ring does not give the key of this data directory ({reason}); unlock it")


def _kept(ring: KeyringBackend, key_id: str, key: str) -> None:
    reason = "it forgot it"
    try:
        ring.set_password(_SERVICE, key_id, key)
        if ring.get_password(_SERVICE, key_id) == key:
            return
    except Exception as error:  # backends raise what their systems raise
        reason = type(error).__name__
    raise SecretStoreError(f"The key ring did not keep a key ({reason}); unlock it, or {_HOW_TO_MAKE_A_KEY}")


def _fernet(key: str) -> Fernet:
    from cryptography.fernet import Fernet

    try:
        return Fernet(key)
    except ValueError:
        raise SecretStoreError(f"The value of {KEY_VARIABLE} is not a key; {_HOW_TO_MAKE_A_KEY}") from None


def _lock_of(folder: Path) -> FileLock:
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    return FileLock(folder / "secrets.lock")


def _write(path: Path, data: bytes) -> None:
    """Replaces the file whole, for its owner alone to read."""
    beside = path.with_name(f".{path.name}-{uuid.uuid4().hex}.tmp")
    try:
        handle = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o600)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            os.replace(beside, path)
        except BaseException:
            beside.unlink(missing_ok=True)
            raise
    except OSError as error:
        raise SecretStoreError(f"{path} could not be written ({error.strerror}); the secrets are as before") from None

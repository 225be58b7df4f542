"""Whether a request comes from whom it says: passwords, tokens, keys and HMAC signatures, compared in constant time."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

Preset = Literal["github", "shopify", "stripe", "slack"]

PRESETS: Final = ("github", "shopify", "stripe", "slack")


class Refused(Exception):  # noqa: N818 - no error of ours: the answer that a stranger gets
    """A request that is not taken: the status, a short word, a sentence for the sender, and headers."""

    def __init__(self, status: int, code: str, message: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.headers = dict(headers or {})


@dataclass(frozen=True, slots=True)
class Signed:
    """How a request is signed: by a preset, or as `header`, `algorithm` and `encoding` say.

    With `timestamp_header` the signature is over `TIME.BODY`. `tolerance` is the age in seconds that a signed time may have.
    """

    preset: Preset | None
    header: str
    algorithm: Literal["sha256", "sha1", "sha512"] = "sha256"
    encoding: Literal["hex", "base64"] = "hex"
    timestamp_header: str | None = None
    tolerance: int = 300


def verify_password(authorization: str | None, username: str, password: str) -> None:
    """Refused unless the header holds this name and password."""
    challenge = {"WWW-Authenticate": 'Basic realm="webhook", charset="UTF-8"'}
    given = _credentials(authorization, "basic", "a user name and a password (HTTP Basic)", challenge)
    try:
        pair = base64.b64decode(given, validate=True)
    except (binascii.Error, ValueError):
        raise Refused(401, "unauthorized", "The Authorization header is not Base64.", challenge) from None
    name, _, word = pair.partition(b":")
    # Both are compared whatever the first gives: the time taken tells nothing of which was wrong.
    right = hmac.compare_digest(name, username.encode()) & hmac.compare_digest(word, password.encode())
    if not right:
        raise Refused(401, "unauthorized", "User name or password is wrong.", challenge)


def verify_token(authorization: str | None, token: str) -> None:
    """Refused unless the header holds this token."""
    challenge = {"WWW-Authenticate": 'Bearer realm="webhook"'}
    given = _credentials(authorization, "bearer", "an access token (Authorization: Bearer TOKEN)", challenge)
    if not _same(given, token.strip()):
        raise Refused(401, "unauthorized", "The access token is wrong.", challenge)


def _credentials(authorization: str | None, scheme: str, wanted: str, challenge: Mapping[str, str]) -> str:
    given, _, rest = (authorization or "").strip().partition(" ")
    if given.lower() != scheme:
        raise Refused(401, "unauthorized", f"This webhook asks for {wanted}.", challenge)
    return rest.strip()


def verify_key(given: str | None, key: str, name: str, place: str) -> None:
    """Refused unless the key was given."""
    where = f"the query parameter {name}" if place == "query" else f"the header {name}"
    if given is None:
        raise Refused(401, "unauthorized", f"This webhook asks for a key in {where}.")
    if not _same(given.strip(), key.strip()):
        raise Refused(401, "unauthorized", f"The key in {where} is wrong.")


def verify_hmac(signed: Signed, secret: str, headers: Mapping[str, str], body: bytes, at: float) -> None:
    """Refused unless the body is signed with the secret, and a signed time is near `at`; header names are lower case."""
    match signed.preset:
        case "github":
            _check(_header(headers, "X-Hub-Signature-256"), "sha256=", secret, body, "sha256", "hex")
        case "shopify":
            _check(_header(headers, "X-Shopify-Hmac-Sha256"), "", secret, body, "sha256", "base64")
        case "stripe":
            _stripe(signed, secret, _header(headers, "Stripe-Signature"), body, at)
        case "slack":
            given = _header(headers, "X-Slack-Signature")
            time = _header(headers, "X-Slack-Request-Timestamp")
            _check(given, "v0=", secret, b"v0:" + _ascii(time) + b":" + body, "sha256", "hex")
            _near(time, at, signed.tolerance)
        case None:
            given = _header(headers, signed.header).strip()
            content = body
            if signed.timestamp_header:
                time = _header(headers, signed.timestamp_header)
                content = _ascii(time) + b"." + body
            prefix = f"{signed.algorithm}="
            # Many senders write the algorithm before the signature, as in sha256=...
            prefix = prefix if given.lower().startswith(prefix) else ""
            _check(given, given[: len(prefix)], secret, content, signed.algorithm, signed.encoding)
            if signed.timestamp_header:
                _near(time, at, signed.tolerance)


def _stripe(signed: Signed, secret: str, header: str, body: bytes, at: float) -> None:
    pairs = [part.strip().partition("=") for part in header.split(",")]
    times = [value for name, _, value in pairs if name == "t"]
    given = [value for name, _, value in pairs if name == "v1"]
    if len(times) != 1 or not given:
        raise Refused(401, "unauthorized", "The header Stripe-Signature holds no time (t) or no signature (v1).")
    expected = _mac(secret, _ascii(times[0]) + b"." + body, "sha256", "hex")
    # While a secret is being changed the sender signs with both: all signatures are compared.
    fitting = [value for value in given if _same(value, expected)]
    if not fitting:
        raise _mismatch()
    _near(times[0], at, signed.tolerance)


def _check(given: str, prefix: str, secret: str, content: bytes, algorithm: str, encoding: str) -> None:
    expected = prefix + _mac(secret, content, algorithm, encoding)
    given = given.strip()
    if encoding == "hex":
        given = prefix + given[len(prefix) :].lower()
    if not _same(given, expected):
        raise _mismatch()


def _mac(secret: str, content: bytes, algorithm: str, encoding: str) -> str:
    digest = hmac.new(secret.encode(), content, getattr(hashlib, algorithm)).digest()
    return digest.hex() if encoding == "hex" else base64.b64encode(digest).decode()


def _ascii(time: str) -> bytes:
    return time.encode("ascii", errors="replace")


def _mismatch() -> Refused:
    return Refused(
        401,
        "bad_signature",
        "The signature does not fit the body: sign the bytes as they are sent, with the secret of this webhook.",
    )


def _header(headers: Mapping[str, str], name: str) -> str:
    value = headers.get(name.lower())
    if not value:
        raise Refused(401, "unauthorized", f"This webhook asks for a signature in the header {name}.")
    return value


def _near(time: str, at: float, tolerance: int) -> None:
    if not time.isdecimal() or len(time) > 12:
        raise Refused(401, "bad_signature", "The time that is signed is not given in seconds.")
    if abs(at - int(time)) > tolerance:
        raise Refused(
            401,
            "too_old",
            f"The request was signed more than {tolerance:,} seconds before or after it came: "
            "it may be a copy. Send it anew, and check the sender's clock.",
        )


def _same(given: str, expected: str) -> bool:
    return hmac.compare_digest(given.encode(errors="surrogatepass"), expected.encode(errors="surrogatepass"))

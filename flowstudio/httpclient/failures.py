"""Each way in which an exchange can fail, as one sentence: what happened, at which host and port, why, what to do.

No sentence holds text of a library, of the address beyond host and port, or of a header: a login could be in it.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from typing import Final

from flowstudio.errors import ConnectionFailedError, StepError, StepTimeoutError
from flowstudio.httpclient.trip import Trip
from flowstudio.httpclient.vocabulary import httpx


class PrivateAddressError(Exception):
    """An address that is not on the public internet, where only those may be called."""


class UnreadableCertificatesError(Exception):
    """The file or folder of certificates to trust cannot be read."""


def failed(trip: Trip, reason: str, message: str, *, retryable: bool | None = None) -> ConnectionFailedError:
    """An exchange that failed under way; `details` hold reason, host, port and phase."""
    return ConnectionFailedError(message, retryable=retryable, details=_details(trip, reason))


def _details(trip: Trip, reason: str) -> dict[str, str | int]:
    return {"reason": reason, "host": trip.url.host, "port": trip.port, "phase": trip.phase}


def refused(message: str) -> ConnectionFailedError:
    """A request that cannot be sent anywhere."""
    return ConnectionFailedError(message, retryable=False, details={"reason": "request"})


def refused_address(why: str, remedy: str) -> ConnectionFailedError:
    """An address that no request can be sent to."""
    return ConnectionFailedError(
        f"The address cannot be called: {why}; {remedy}", retryable=False, details={"reason": "address"}
    )


def too_large(trip: Trip, max_bytes: int) -> ConnectionFailedError:
    """An answer beyond its limit."""
    return failed(
        trip,
        "too-large",
        f"The answer of {trip.server} is larger than the {_size(max_bytes)} that may be read; "
        "ask for less of it (pages, a filter) or raise the limit",
        retryable=False,
    )


def _size(count: int) -> str:
    for unit, factor in (("GB", 1024**3), ("MB", 1024**2), ("KB", 1024)):
        if count >= factor:
            return f"{count / factor:.4g} {unit}"
    return f"{count} bytes"


_STALLED: Final = {
    "": "raise the timeout, or see why the server is slow",
    "pool": "all connections to it were busy; run fewer at a time",
    "dns": "its name was not resolved; check the network and its name server",
    "connect": "it does not take connections; check host and port, and that no firewall is between",
    "tls": "the secure connection was not agreed on; check that the port speaks TLS",
    "send": "it did not take the whole request; raise the timeout or send less",
    "wait": "the request was sent, but no answer came; raise the timeout, or see why the server is slow",
}


def timed_out(trip: Trip, timeout: float | None) -> StepTimeoutError:
    """An exchange that took longer than `timeout` seconds (None: than some limit of the transport's own)."""
    why = _STALLED.get(
        trip.phase, f"{_size(trip.received)} of the answer came, not the whole; raise the timeout or ask for less"
    )
    within = "in time" if timeout is None else f"within {timeout:g} s"
    return StepTimeoutError(
        f"{trip.server} did not answer {within}: {why}",
        details=_details(trip, "timeout"),
    )


def _chain(error: BaseException) -> Iterator[BaseException]:
    """An exception with those behind it, outermost first: the libraries wrap the socket's own error several times."""
    seen: set[int] = set()
    queue: list[BaseException | None] = [error]
    while queue:
        link = queue.pop(0)
        if link is None or id(link) in seen:
            continue
        seen.add(id(link))
        yield link
        if isinstance(link, BaseExceptionGroup):
            queue.extend(link.exceptions)
        queue += [link.__cause__, link.__context__]


def reason_of(error: BaseException) -> str:
    """A word for what went wrong: a key of `_TOLD`, or `timeout`."""
    import ssl

    chain = list(_chain(error))
    for link in chain:
        match link:
            case PrivateAddressError():
                return "private"
            case UnreadableCertificatesError():
                return "certificates"
            case socket.gaierror():
                return "name-server" if link.errno == socket.EAI_AGAIN else "name"
            case ssl.SSLCertVerificationError():
                return "certificate"
            case ssl.SSLEOFError() | ssl.SSLZeroReturnError():
                return "hung-up"
            case ssl.SSLError():
                return "no-tls" if getattr(link, "reason", "") in _NOT_TLS else "tls"
            case ConnectionRefusedError():
                return "refused"
            case ConnectionResetError() | BrokenPipeError() | ConnectionAbortedError():
                return "hung-up"
    for link in chain:
        match link:
            case httpx.TimeoutException():
                return "timeout"
            case httpx.RemoteProtocolError():
                return _broken_protocol(str(link))
            case httpx.ReadError() | httpx.WriteError():
                return "hung-up"
            case httpx.DecodingError():
                return "malformed"
            case httpx.LocalProtocolError():
                return "request"
            case OSError() if link.errno is not None:
                return "unreachable"
    return "unreachable" if isinstance(error, httpx.TransportError | OSError) else "unknown"


# OpenSSL's words for bytes that are no TLS record, in its releases 1.1 to 3.4.
_NOT_TLS: Final = frozenset({"WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE", "HTTP_REQUEST", "PACKET_LENGTH_TOO_LONG"})


def _broken_protocol(text: str) -> str:
    if "disconnected" in text or "peer closed" in text:
        return "hung-up"
    return "tls-wanted" if r"\x15\x03" in text else "malformed"


_TOLD: Final = {
    "certificates": "The certificates to trust cannot be read{because}; correct their path",
    "name": "No server is known by the name of {server}; check the spelling of the host",
    "name-server": "The name of {server} could not be looked up just now; check the network connection and its name server",
    "private": "{server} lies in a private network, where the settings of this host allow no calls; "
    "use a public address or have the setting changed",
    "refused": "{server} refused the connection: nothing listens there; check host and port, and that the server runs",
    "unreachable": "{server} cannot be reached{because}; check host and port, and the network between",
    "certificate": "The certificate of {server} is not trusted{because}; have it put right, "
    "or name its issuer's certificate in SSL_CERT_FILE",
    "no-tls": "{server} does not speak TLS: it answered in plain text; use http://, or the port that is meant for https",
    "tls": "{server} agreed on no secure connection{because}; check that its TLS is up to date and asks for no "
    "certificate of ours",
    "tls-wanted": "{server} answered in TLS to a plain request; use https://",
    "hung-up": "{server} closed the connection {when}; try again, or look into its log",
    "malformed": "{server} answered something that is not HTTP; check that the port is the right one",
    "request": "The request cannot be sent to {server}: HTTP does not allow its form; check method, headers and body",
    "unknown": "The request to {server} failed{because}; try again",
}
_HOPELESS: Final = frozenset({"certificates", "private", "certificate", "no-tls", "tls-wanted", "request"})
_HUNG_UP_WHEN: Final = {
    "tls": "while it was being secured",
    "receive": "in the middle of its answer, after {received}",
}


def failure_of(error: Exception, trip: Trip) -> StepError:
    """What is told of an exception that came out of a transport."""
    reason = reason_of(error)
    if reason == "timeout":
        return timed_out(trip, None)
    when = _HUNG_UP_WHEN.get(trip.phase, "without an answer").format(received=_size(trip.received))
    message = _TOLD[reason].format(server=trip.server, because=_because(error, reason), when=when)
    return failed(trip, reason, message, retryable=False if reason in _HOPELESS else None)


def _because(error: Exception, reason: str) -> str:
    """The cause in the words of OpenSSL or the system, which know nothing of the request."""
    import ssl

    if reason == "unknown":
        return f" ({type(error).__name__})"
    for link in _chain(error):
        # Both attributes are missing where the error was not made by OpenSSL.
        if reason == "certificate" and isinstance(link, ssl.SSLCertVerificationError):
            words: str = getattr(link, "verify_message", "")
            return f" ({words.rstrip('.')})" if words else ""
        if reason == "tls" and isinstance(link, ssl.SSLError):
            words = getattr(link, "reason", None) or ""
            return f" ({words.replace('_', ' ').lower()})" if words else ""
        if reason in ("unreachable", "certificates") and isinstance(link, OSError) and link.errno:
            return f" ({os.strerror(link.errno)})"
    return ""

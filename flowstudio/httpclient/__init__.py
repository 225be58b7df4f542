"""HTTP out: httpx's vocabulary over a transport of our own choice, with every failure told in one sentence.

Nothing else in FlowStudio imports httpx. A `Request` goes straight to the transport; there is no redirect, proxy, cookie
or login that was not asked for.
"""

from flowstudio.httpclient.client import MAX_BYTES, HttpClient, build_request
from flowstudio.httpclient.vocabulary import (
    URL,
    AsyncBaseTransport,
    AsyncByteStream,
    ByteStream,
    Headers,
    Request,
    Response,
)

__all__ = [
    "MAX_BYTES",
    "URL",
    "AsyncBaseTransport",
    "AsyncByteStream",
    "ByteStream",
    "Headers",
    "HttpClient",
    "Request",
    "Response",
    "build_request",
]

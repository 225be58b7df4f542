"""What the tests of the client share: the event loop they run on, and an authority that signs certificates."""

from __future__ import annotations

import pytest

from tests.httpclient.servers import Certificates


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return Certificates.make(tmp_path_factory.mktemp("certificates"))

"""The hospital whose gateways are tested."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.serving.security.site import Site


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    site = Site(tmp_path_factory.mktemp("site"))
    yield site
    for gateway in site.started:
        gateway.stop(0)

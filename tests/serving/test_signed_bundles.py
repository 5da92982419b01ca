"""Where a key is trusted, neither the gateway nor the embedded model server touches a bundle that it did not sign."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from serving.catalogue import Catalogue
from serving.client import Client
from serving.modelserver.options import Options
from serving.modelserver.server import create_server
from tests.serving.model_server_client import wait_until
from tests.serving.model_servers import asked
from tests.serving.test_catalogue import Served, add
from tests.serving.tiny_models import write_line
from tests.zoo.test_signing import key_files
from zoo import errors, signing
from zoo.bundles import SIGNATURE, Bundle, write_checksums


def test_the_gateway_lists_only_bundles_that_a_trusted_key_signed(tmp_path: Path):
    private, public = key_files(tmp_path, "maker")
    for version in (1, 2):
        add(tmp_path / "registry", "lung", version)
    signing.sign(Bundle(tmp_path / "registry" / "lung" / "1"), private)
    catalogue = Catalogue(tmp_path / "registry", Served(), signing.Trust(public))
    catalogue.refresh()
    assert catalogue.versions("lung") == [1]
    with pytest.raises(errors.BadBundle, match="lung version 2 is not signed"):
        catalogue.bundle("lung", 2)
    (tmp_path / "registry" / "lung" / "1" / SIGNATURE).unlink()  # seen at the next look
    catalogue.refresh()
    assert catalogue.names() == []


@pytest.mark.slow
def test_the_model_server_loads_only_versions_that_a_trusted_key_signed(tmp_path: Path):
    private, public = key_files(tmp_path, "maker")
    for version in (1, 2):
        folder = write_line(tmp_path / "line", version)
        (folder / "assets.extra").mkdir()
        write_checksums(folder)
    signing.sign(Bundle(tmp_path / "line" / "1"), private)
    with asked(tmp_path / "line", trusted_key=str(public)) as client:
        states = client.states()
        assert (states[2], client.status()[0].status.error_message) == ("END", error_message(tmp_path, public))
        signing.sign(Bundle(tmp_path / "line" / "2"), private)  # its files have changed: it is tried again
        wait_until(lambda: client.states().get(2) == "AVAILABLE")
        assert client.answering_version() == 2


def error_message(folder: Path, public: Path) -> str:
    with pytest.raises(errors.BadBundle) as refused:
        signing.Trust(public).check(Bundle(folder / "line" / "2"))
    return str(refused.value)


@pytest.mark.slow
def test_a_model_server_whose_trusted_key_is_none_does_not_start(tmp_path: Path):
    (tmp_path / "key.pem").write_text("nothing")
    options = Options(model_base_path=str(tmp_path), trusted_key=str(tmp_path / "key.pem"))
    with pytest.raises(errors.BadConfig, match="no Ed25519 public key"):
        create_server(options)


@pytest.mark.slow
def test_an_unsigned_bundle_is_neither_asked_nor_explained_until_it_is_signed(
    tmp_path: Path, png: bytes, export_tiny, start_model_server: Callable, start_gateway: Callable
):
    private, public = key_files(tmp_path, "maker")
    bundle = export_tiny(tmp_path / "registry")
    server = start_model_server(tmp_path / "registry")
    gateway = start_gateway(tmp_path / "registry", server.port, trusted_key=public)
    with Client(gateway.address) as client:
        assert client.models() == []
        with pytest.raises(errors.BadBundle, match="is not signed"):
            client.analyze(png, model=bundle.name, version=1)
        with pytest.raises(errors.BadBundle, match="is not signed"):
            client.explain(png, model=bundle.name, version=1, method="grad-cam")
        signing.sign(bundle, private)
        wait_until(lambda: client.ready(bundle.name))
        assert client.analyze(png, model=bundle.name).provenance.model == bundle.name

"""A model with two versions, its configuration file, and embedded model servers that follow it."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

HEADING = "# Kept by hand.\n"


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("written")
    from tests.serving.tiny_models import write_line

    for version in (1, 2):
        write_line(folder, version)
    return folder


@pytest.fixture
def base_path(written: Path, tmp_path: Path) -> Path:
    return shutil.copytree(written, tmp_path / "line")


@pytest.fixture
def file(base_path: Path) -> Path:
    """Version 1 is stable; the folder of the file holds nothing else."""
    folder = base_path.parent / "config"
    folder.mkdir()
    path = folder / "models.config"
    path.write_text(
        HEADING
        + f"""model_config_list {{ config {{
          name: "line" base_path: "{base_path}" model_platform: "tensorflow"
          model_version_policy {{ specific {{ versions: 1 }} }}
          version_labels {{ key: "stable" value: 1 }}
        }} }}"""
    )
    return path


@pytest.fixture
def start(file: Path) -> Iterator[Callable[[], str]]:
    from serving.modelserver.options import Options
    from serving.modelserver.server import ModelServer, create_server

    running: list[ModelServer] = []

    def started() -> str:
        options = Options(
            port=0,
            model_config_file=str(file),
            file_system_poll_wait_seconds=1,
            allow_version_labels_for_unavailable_models=True,
        )
        server = create_server(options)
        running.append(server)
        server.start()
        assert server.wait_until_settled(60)
        return f"localhost:{server.port}"

    yield started
    for server in running:
        server.stop(0)

"""Commands where nothing around them is as it should be: no home, a locale of ASCII, no network, a path with spaces."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from pathlib import Path

import pytest

from zoo import surroundings
from zoo.errors import BadConfig

ROOT = Path(__file__).parents[1]
ASCII = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}


def python(*words: str, cwd: Path, **variables: str) -> subprocess.CompletedProcess[bytes]:
    environ = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), **variables}
    command = [sys.executable, *words]
    return subprocess.run(command, cwd=cwd, env=environ, capture_output=True, timeout=120, check=False)


def test_a_locale_of_ascii_does_not_end_a_table(tmp_path):
    done = python("-m", "kerascope", "zoo", "tasks", cwd=tmp_path, HOME=str(tmp_path), **ASCII)
    assert done.returncode == 0, done.stderr
    assert "°" in done.stdout.decode("utf-8")


@pytest.mark.parametrize(
    ("encoding", "written"), [("ascii", "± ≤".encode()), ("latin-1", b"\xb1 ?"), ("utf-8", "± ≤".encode())]
)
def test_a_stream_takes_any_text(monkeypatch, encoding, written):
    stream = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    monkeypatch.setattr(sys, "stdout", stream)
    surroundings.prepare()
    stream.write("± ≤")
    stream.flush()
    assert stream.buffer.getvalue() == written  # type: ignore[attr-defined]


SHOW_HOME = "from zoo import surroundings; surroundings.prepare(); import os; print(os.path.expanduser('~'))"


def home_given(folder: Path) -> Path:
    """The home of a command that has none; TMPDIR is `folder`."""
    code = f"{SHOW_HOME}; assert os.path.isdir(os.path.expanduser('~'))"
    done = python("-c", code, cwd=folder, HOME="/dev/null/home", TMPDIR=str(folder))
    assert done.returncode == 0, done.stderr
    return Path(done.stdout.decode().strip())


def test_commands_without_a_home_share_one_that_is_private(tmp_path):
    home = home_given(tmp_path)
    assert home_given(tmp_path) == home
    assert list(tmp_path.iterdir()) == [home]
    assert home.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize(
    "make", [lambda path: path.mkdir(mode=0o755), Path.touch, lambda path: path.symlink_to("/tmp")]
)
def test_a_home_that_others_could_have_made_is_not_taken(tmp_path, make):
    shared = tmp_path / f"kerascope-home-{os.getuid()}"
    make(shared)
    home = home_given(tmp_path)
    assert home.parent == tmp_path
    assert home != shared
    assert list(tmp_path.iterdir()) == [shared]  # its own went with the command


def test_a_home_that_is_there_stays_even_if_nobody_can_write_it(tmp_path):
    assert python("-c", SHOW_HOME, cwd=tmp_path, HOME="/proc").stdout == b"/proc\n"


def test_commands_take_a_path_with_spaces(tmp_path):
    folder = tmp_path / "a folder"
    folder.mkdir()
    done = python("-m", "kerascope", "zoo", "pull", "phantoms", "--registry", "my models", cwd=folder)
    assert done.returncode == 0, done.stderr
    assert (folder / "my models" / "phantoms").is_dir()


@pytest.mark.slow
def test_weights_that_cannot_be_downloaded_are_a_mistake_with_a_remedy_even_without_a_home(tmp_path, monkeypatch):
    import keras

    from zoo import backbones

    def silent(**_: object) -> None:
        import socket

        assert socket.getdefaulttimeout() == backbones.SILENCE_S
        raise OSError("nobody answers")

    monkeypatch.setattr(keras.applications, "MobileNetV2", silent)
    monkeypatch.setenv("KERAS_HOME", "~no-such-user/keras")  # a home that cannot be determined
    pixels = keras.Input((64, 64, 3))
    with pytest.raises(BadConfig, match=r"nobody answers.*set KERAS_HOME"):
        backbones.get("mobilenetv2").features(pixels, weights="imagenet")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a device of Linux")
@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize("words", [("--help",), ("zoo", "tasks"), ("zoo", "tasks", "--json")])
def test_an_output_that_takes_nothing_ends_in_one_line(tmp_path, words, unbuffered):
    environ = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "HOME": "/", "PYTHONUNBUFFERED": unbuffered}
    command = [sys.executable, "-m", "kerascope", *words]
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(command, env=environ, stdout=full, stderr=subprocess.PIPE, timeout=60, check=False)
    assert done.returncode == 1
    assert done.stderr == b"kerascope: Standard output or a file cannot be written: No space left on device.\n"

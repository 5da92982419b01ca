"""Starts the dashboard, as `kerascope dashboard` does: Streamlit without its e-mail question and usage statistics."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from types import FrameType

from dashboard import theme
from dashboard.intake import MOST_BYTES
from dashboard.login_file import ASKED, token_kind
from zoo import errors
from zoo.loopback import is_loopback

APP = Path(__file__).with_name("app.py")
NO_LOGIN = Path(__file__).with_name("no_login.toml")
STOP_WITHIN_S = 5.0
# Streamlit runs each visit in a thread of its own; with a heap for each, what one frees no other can use (mallopt(3)).
FEW_ARENAS = {"MALLOC_ARENA_MAX": "2"}


def command(*, host: str, port: int, login: Path | None = None) -> list[str]:
    """The command line that serves the dashboard at `host`:`port`, with a login by that file."""
    options = {
        "server.address": host,
        "server.port": port,
        "server.headless": "true",
        "server.fileWatcherType": "none",
        "server.maxUploadSize": MOST_BYTES >> 20,
        "browser.gatherUsageStats": "false",
        "client.toolbarMode": "minimal",
        "client.showErrorDetails": "none",
        "client.showErrorLinks": "false",
        "runner.magicEnabled": "false",
        "runner.postScriptGC": "false",  # 25 ms a run, in which no picture is sent; Python collects by itself
        "global.developmentMode": "false",
        # Streamlit looks for secrets in the working folder and at home by itself: only a login's file is read here.
        "secrets.files": str(login.resolve() if login else NO_LOGIN),
    }
    flags = [f"--{name}={value}" for name, value in options.items()]
    return [sys.executable, "-m", "streamlit", "run", str(APP), *flags, *theme.flags()]


def environment(*, gateway: str, samples: Path | None, login: Path | None = None) -> dict[str, str]:
    """This process's environment, with the gateway's address, the samples' folder and the login in it.

    Raises:
        BadConfig: nobody could log in by that file.
    """
    kind = token_kind(login) if login else ""
    changes = {"KERASCOPE_GATEWAY": gateway, "PYTHONPATH": _python_path(), ASKED: kind, "PYTHONUTF8": "1", **FEW_ARENAS}
    if samples is not None:
        changes["KERASCOPE_SAMPLES"] = str(samples.resolve())
    return {**os.environ, **changes}


def _python_path() -> str:
    """The folder of our packages first: Streamlit runs `app.py` with its own folder there instead."""
    before = os.environ.get("PYTHONPATH")
    ours = str(APP.parents[1])
    return f"{ours}{os.pathsep}{before}" if before else ours


def start(
    *, host: str, port: int, gateway: str, samples: Path | None, login: Path | None = None
) -> subprocess.Popen[bytes]:
    """Starts the dashboard in a process of its own and returns at once.

    Raises:
        BadConfig: the port is taken, or nobody could log in by the file `login`.
    """
    environ = environment(gateway=gateway, samples=samples, login=login)
    _check_port(host, port)
    return subprocess.Popen(command(host=host, port=port, login=login), env=environ)


def check_open(host: str, *, login: Path | None, no_login: bool) -> None:
    """Refuses to be open to others without anybody having said so.

    Raises:
        BadConfig: `host` is reached by others, and there is neither a login nor the word that there need be none.
    """
    if login is None and not no_login and not is_loopback(host):
        raise errors.BadConfig(
            f"Others reach the dashboard on {host}, and it would ask nobody who they are. Give it a login with "
            "--login, or say --no-login where a proxy in front of it asks."
        )


def _check_port(host: str, port: int) -> None:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise errors.BadConfig(
                f"The dashboard cannot listen on {host}:{port} ({error.strerror}). Name another port with --port."
            ) from None


def wait_until_up(port: int, *, host: str = "127.0.0.1", timeout_s: float = 30.0) -> bool:
    """True once the dashboard answers; False where it does not within `timeout_s` seconds."""
    end = time.monotonic() + timeout_s
    while time.monotonic() < end:
        try:
            with urllib.request.urlopen(f"http://{host}:{port}/_stcore/health", timeout=2) as response:
                return bool(response.status == 200)
        except (urllib.error.URLError, OSError):
            time.sleep(0.1)
    return False


def stop(process: subprocess.Popen[bytes]) -> None:
    """Ends the dashboard: asks first, and insists after `STOP_WITHIN_S` seconds."""
    if process.poll() is None:
        process.terminate()
    try:
        process.wait(STOP_WITHIN_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


class _Stopped(Exception):
    """SIGTERM or SIGINT arrived."""


def _stopped(_number: int, _frame: FrameType | None) -> None:
    raise _Stopped


def run(
    port: int = 8501,
    gateway: str = "localhost:50051",
    samples: Path | None = None,
    *,
    host: str = "127.0.0.1",
    login: Path | None = None,
    no_login: bool = False,
) -> int:
    """Serves the dashboard until SIGTERM or SIGINT.

    Args:
        port: to listen on.
        gateway: host:port of the gateway.
        samples: folder of DICOM, PNG and JPEG files to offer; None for the environment's or the demo's.
        host: address to listen on.
        login: TOML file with `[auth]`, as Streamlit's login reads it; None for one person at their own machine.
        no_login: lets others in without a login.

    Returns:
        0 after a signal, else Streamlit's own exit status.

    Raises:
        BadConfig: the port is taken, nobody could log in, or anybody could come in.
    """
    check_open(host, login=login, no_login=no_login)
    before = {number: signal.signal(number, _stopped) for number in (signal.SIGTERM, signal.SIGINT)}
    process = None
    try:
        process = start(host=host, port=port, gateway=gateway, samples=samples, login=login)
        return process.wait()
    except _Stopped:
        return 0
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        if process is not None:
            stop(process)

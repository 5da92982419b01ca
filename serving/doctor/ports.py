"""The ports that our processes listen on by default: free, or by whom they are taken."""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

from serving.doctor.checks import Check, State
from serving.modelserver.options import Options
from serving.settings import Settings

PART = "ports"
DASHBOARD, DICOM_NODE = 8501, 11112  # a test compares them: what has them cannot be imported without its extra
LISTENING = "0A"  # of /proc/net/tcp's column `st` (include/net/tcp_states.h)


def defaults() -> dict[int, tuple[str, str]]:
    """Port to who listens there, and what to give it for another."""
    return {
        Options.port: ("model server", "kerascope serve --port"),
        DASHBOARD: ("dashboard", "kerascope dashboard --port"),
        int(Settings.model_fields["port"].default): ("gateway", "kerascope gateway --port"),
        DICOM_NODE: ("DICOM node", "`port` in the DICOM node's file"),
    }


def examine() -> Iterator[Check]:
    """One check for each port."""
    for port, (who, elsewhere) in defaults().items():
        yield examine_port(port, who, elsewhere)


def examine_port(port: int, who: str, elsewhere: str) -> Check:
    """Whether a port is free, or by whom it is taken, and what to give `elsewhere` for another."""
    name = f"{port}, {who}"
    try:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(("", port))
    except OSError as error:
        if error.errno != errno.EADDRINUSE:
            return Check(PART, name, f"cannot be opened ({error.strerror})", State.UNUSUAL, f"Another: {elsewhere}.")
        owner = holder(port)
        if owner.startswith("kerascope "):
            return Check(PART, name, f"taken by {owner}")
        return Check(PART, name, f"taken by {owner}", State.UNUSUAL, f"Stop it, or take another: {elsewhere}.")
    return Check(PART, name, "free")


def holder(port: int) -> str:
    """The process that listens on a port: its name and number, or that it cannot be seen."""
    sockets = {f"socket:[{inode}]" for inode in _inodes(port)}
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if any(os.readlink(each) in sockets for each in (process / "fd").iterdir()):
                return f"{_name(process)} (process {process.name})"
        except OSError:  # another user's, or it has ended
            continue
    return "a process that this user cannot see"


def _inodes(port: int) -> Iterator[str]:
    for table in ("tcp", "tcp6"):
        path = Path("/proc/net") / table
        for line in path.read_text().splitlines()[1:] if path.exists() else ():
            column = line.split()
            if column[3] == LISTENING and int(column[1].rpartition(":")[2], 16) == port:
                yield column[9]


def _name(process: Path) -> str:
    """`kerascope gateway`, say, of ours; of others the program's name, and nothing of its arguments."""
    words = (process / "cmdline").read_bytes().decode(errors="replace").split("\0")
    for word, after in pairwise(words):
        if Path(word).name == "kerascope" and after and not after.startswith("-"):
            return f"kerascope {after}"
        if word == "run" and Path(after).parts[-2:] == ("dashboard", "app.py"):  # in Streamlit's process
            return "kerascope dashboard"
    return (process / "comm").read_text().strip()

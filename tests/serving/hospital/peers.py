"""Real programs on the other side: dcmtk's tools and Orthanc, as Debian packs them; tests skip without them."""

from __future__ import annotations

import json
import shutil
import subprocess
import uuid
from pathlib import Path
from typing import Any

import pytest
import requests

from benchmarks.processes import free_port
from tests.waiting import until


def program(name: str) -> str:
    """Where the system has it: pynetdicom puts tools of the same names beside Python."""
    found = shutil.which(name, path="/usr/bin:/usr/sbin:/usr/local/bin")
    if found is None:
        pytest.skip(f"{name} is not on this machine: apt-get install dcmtk dicom3tools orthanc orthanc-dicomweb")
    return found


def echo(port: int, *options: str, sender: str = "CR1", called: str = "KERASCOPE") -> bool:
    """echoscu's C-ECHO."""
    return _done("echoscu", *options, "-aet", sender, "-aec", called, "localhost", str(port))


def store(port: int, *files: Path, options: tuple[str, ...] = (), sender: str = "CR1") -> bool:
    """storescu's C-STORE; False unless every file was taken."""
    names = map(str, files)
    return _done("storescu", *options, "-aet", sender, "-aec", "KERASCOPE", "localhost", str(port), *names)


def _done(name: str, *arguments: str) -> bool:
    command = [program(name), *arguments]
    return subprocess.run(command, capture_output=True, timeout=60, check=False).returncode == 0


class StoreScp:
    """storescp, which writes what it gets into a folder."""

    title = "STORESCP"

    def __init__(self, folder: Path, port: int, *options: str) -> None:
        self.folder, self.port = folder, port
        folder.mkdir(exist_ok=True)
        self._process = subprocess.Popen(
            [program("storescp"), "-aet", self.title, "-od", str(folder), *options, str(port)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def files(self) -> list[Path]:
        return sorted(self.folder.iterdir())

    def stop(self) -> None:
        self._process.kill()
        self._process.wait()


DICOMWEB = Path("/usr/share/orthanc/plugins/libOrthancDicomWeb.so")


class Orthanc:
    """A PACS with DICOMweb, looked into over its own REST interface.

    Attributes:
        port: of DICOM.
        url: of its DICOMweb service.

    Args:
        folder: for its files.
        web: the port of HTTP; a free one for 0.
    """

    title = "ORTHANC"

    def __init__(self, folder: Path, web: int = 0) -> None:
        if not DICOMWEB.exists():
            pytest.skip("Orthanc's DICOMweb is not on this machine: apt-get install orthanc-dicomweb")
        folder.mkdir(exist_ok=True)
        self.port, web = free_port(), web or free_port()
        self._url, self._name = f"http://localhost:{web}", uuid.uuid4().hex
        self.url = f"{self._url}/dicom-web"
        config = {
            "Name": self._name,
            "DicomAet": self.title,
            "DicomPort": self.port,
            "HttpPort": web,
            "StorageDirectory": str(folder / "files"),
            "IndexDirectory": str(folder / "files"),
            "RemoteAccessAllowed": False,
            "AuthenticationEnabled": False,
            "Plugins": [str(DICOMWEB)],
        }
        (folder / "orthanc.json").write_text(json.dumps(config))
        self._process = subprocess.Popen(
            [program("Orthanc"), str(folder / "orthanc.json")], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        until(self._answers)

    def store(self, *files: Path) -> None:
        """Puts files into it."""
        for file in files:
            requests.post(f"{self._url}/instances", data=file.read_bytes(), timeout=60).raise_for_status()

    def instances(self) -> list[dict[str, str]]:
        """The attributes of every instance it holds, by keyword."""
        names = self._get("/instances")
        return [self._get(f"/instances/{name}/simplified-tags") for name in names]

    def files(self) -> list[bytes]:
        """Every instance it holds, as it gives it out."""
        urls = [f"{self._url}/instances/{name}/file" for name in self._get("/instances")]
        return [requests.get(url, timeout=60).content for url in urls]

    def stop(self) -> None:
        self._process.kill()
        self._process.wait()

    def _answers(self) -> bool:
        try:
            return bool(self._get("/system")["Name"] == self._name)
        except requests.ConnectionError:
            assert self._process.poll() is None, "Orthanc has ended"
            return False

    def _get(self, path: str) -> Any:
        response = requests.get(self._url + path, timeout=60)
        response.raise_for_status()
        return response.json()


def certificates(folder: Path) -> Path:
    """An authority, and the certificates of `node` and `peer` that it signed, made by openssl; PEM."""
    folder.mkdir(exist_ok=True)
    request = ["req", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-x509"]
    _openssl(folder, *request, "-subj", "/CN=tests", "-keyout", "authority.key", "-out", "authority.pem")
    for name in ("node", "peer"):
        signed = ["-CA", "authority.pem", "-CAkey", "authority.key", "-addext", "subjectAltName=DNS:localhost"]
        signed += ["-addext", "basicConstraints=critical,CA:FALSE"]
        _openssl(folder, *request, *signed, "-subj", f"/CN={name}", "-keyout", f"{name}.key", "-out", f"{name}.pem")
    return folder


def _openssl(folder: Path, *arguments: str) -> None:
    done = subprocess.run(["openssl", *arguments], cwd=folder, capture_output=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr.decode()

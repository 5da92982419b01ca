"""A hospital with an authority of its own, and the gateways that it starts."""

from __future__ import annotations

from pathlib import Path

import grpc

from serving.client import Client
from serving.security.roles import Role
from serving.security.tokens import make
from serving.server import Gateway, create_server
from serving.settings import Settings
from tests.serving.security.authority import Authority

SECRET = b"0123456789abcdef0123456789abcdef"


class Site:
    """A hospital's files, and a secured gateway in its folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.authority = Authority(folder)
        self.certificate, self.key = self.authority.sign("gateway")
        self.secret = folder / "secret"
        self.secret.write_bytes(SECRET)
        self.started: list[Gateway] = []

    def start(self, **settings: object) -> Gateway:
        usual: dict[str, object] = {
            "registry": self.folder / "registry",
            "port": 0,
            "tls_certificate": self.certificate,
            "tls_key": self.key,
            "token_secret": self.secret,
        }
        gateway = create_server(Settings.from_environment({}, **(usual | settings)))
        gateway.start()
        self.started.append(gateway)
        return gateway

    def client(self, gateway: Gateway, role: Role | None = Role.CLINICIAN, **arguments: object) -> Client:
        token = "" if role is None else make(SECRET, subject="anne", role=role, hours=1)
        usual = {"tls_ca": self.authority.certificate, "token": token, "connect_timeout_s": 1.0, "timeout_s": 5.0}
        return Client(gateway.address, **(usual | arguments))  # type: ignore[arg-type]

    def channel(self, gateway: Gateway) -> grpc.Channel:
        trusted = grpc.ssl_channel_credentials(self.authority.certificate.read_bytes())
        return grpc.secure_channel(gateway.address, trusted)

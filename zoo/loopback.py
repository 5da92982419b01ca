"""Addresses that nobody but this machine reaches."""

from __future__ import annotations

import ipaddress
import os
import re

SCHEMES = ("http", "https", "grpc", "all")
HOSTS = ("localhost", "127.0.0.1", "::1")


def is_loopback(host: str) -> bool:
    """Whether an address to listen on or to ask is this machine's alone: of 127.0.0.0/8, ::1, or localhost."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"


def is_loopback_target(target: str) -> bool:
    """Whether a gRPC target has loopback addresses only: `localhost:50051`, `dns:///[::1]:1` or `ipv4:127.0.0.1:1`.

    Source: https://github.com/grpc/grpc/blob/master/doc/naming.md
    """
    addresses = re.sub(r"^(dns|ipv4|ipv6):(//[^/]*/)?", "", target).split(",")
    return all(is_loopback(re.sub(r":\d+$", "", address)) for address in addresses)


def spare_from_proxies() -> None:
    """Adds the loopback addresses to `no_proxy` of this process, where a proxy is set: a proxy cannot reach them."""
    proxied = any(os.environ.get(name) for scheme in SCHEMES for name in (f"{scheme}_proxy", f"{scheme}_proxy".upper()))
    spared = os.environ.get("no_proxy") or os.environ.get("NO_PROXY") or ""
    if proxied and spared != "*":
        os.environ["no_proxy"] = ",".join(filter(None, (spared, *HOSTS)))

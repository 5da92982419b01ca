"""Where the server is asked: ports, certificates, channel arguments and the page for Prometheus."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from pathlib import Path

import grpc

from serving.modelserver.answers import Answers
from serving.modelserver.config import read_text
from serving.modelserver.metrics import Metrics
from serving.modelserver.options import Options
from serving.modelserver.rest.routes import Routes
from serving.modelserver.rest.server import Page, RestServer
from serving.proto.modelserver.files_pb2 import MonitoringConfig, SSLConfig
from zoo.errors import BadConfig

log = logging.getLogger(__name__)

PROMETHEUS_PATH = "/monitoring/prometheus/metrics"  # util/prometheus_exporter.cc
_UNLIMITED = (
    ("grpc.max_receive_message_length", -1),  # as in TensorFlow Serving
    ("grpc.max_send_message_length", -1),
    ("grpc.so_reuseport", 0),  # so that a port in use is refused instead of shared
)


def channel_options(arguments: str) -> list[tuple[str, int | str]]:
    """The options of the gRPC server: `name=value`, separated by commas, whole numbers as such.

    Raises:
        BadConfig: an argument without a value.
    """
    options: dict[str, int | str] = dict(_UNLIMITED)
    for argument in filter(None, arguments.split(",")):
        name, equals, value = argument.partition("=")
        if not equals or not name:
            raise BadConfig(f"grpc_channel_arguments has {argument!r}; expected name=value, separated by commas.")
        options[name] = int(value) if value.lstrip("-").isdigit() else value
    return list(options.items())


def credentials(options: Options) -> grpc.ServerCredentials | None:
    """What the gRPC port needs for TLS; None without an ssl_config_file.

    Raises:
        BadConfig: the file is missing, no SSLConfig, or lacks what it must have.
    """
    if not options.ssl_config_file:
        return None
    path = Path(options.ssl_config_file)
    config = read_text("ssl_config_file", path, SSLConfig(), 'Expected: server_key: "..." server_cert: "..." as PEM')
    for name, text in (("server_key", config.server_key), ("server_cert", config.server_cert)):
        if "-----BEGIN" not in text:
            raise BadConfig(f"ssl_config_file {path}: {name} is no PEM text. Put the file's text there, not its path.")
    if config.client_verify and not config.custom_ca:
        raise BadConfig(
            f"ssl_config_file {path}: client_verify needs custom_ca, the authority of clients' certificates."
        )
    return grpc.ssl_server_credentials(
        [(config.server_key.encode(), config.server_cert.encode())],
        root_certificates=config.custom_ca.encode() or None,
        require_client_auth=config.client_verify,
    )


def rest_server(options: Options, answers: Answers, metrics: Metrics) -> RestServer | None:
    """The REST API with its port bound; None without a rest_api_port.

    Raises:
        BadConfig: the port cannot be had, or the monitoring_config_file cannot be read.
    """
    pages = _pages(options, metrics)
    if not options.rest_api_port:
        if pages:
            log.warning("monitoring_config_file has no effect without a rest_api_port")
        return None
    return RestServer(
        options.rest_api_port,
        Routes(answers),
        threads=options.rest_api_num_threads or 4 * (os.cpu_count() or 1),
        timeout_s=options.rest_api_timeout_in_ms / 1000,
        pages=pages,
        cors=options.rest_api_enable_cors_support,
    )


def _pages(options: Options, metrics: Metrics) -> Mapping[str, Page]:
    if not options.monitoring_config_file:
        return {}
    path, example = Path(options.monitoring_config_file), "Expected: prometheus_config { enable: true }"
    config = read_text("monitoring_config_file", path, MonitoringConfig(), example).prometheus_config
    return {config.path or PROMETHEUS_PATH: metrics.page} if config.enable else {}

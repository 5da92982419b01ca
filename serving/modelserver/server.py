"""The embedded model server: what `kerascope serve` runs.

Speaks TensorFlow Serving's gRPC API under its flags, so that `tensorflow_model_server` can take its place.
"""

from __future__ import annotations

import gc
import logging
import os
import signal
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import grpc
import tensorflow as tf
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection
from tensorflow_serving.apis import (
    model_service_pb2,
    model_service_pb2_grpc,
    prediction_service_pb2,
    prediction_service_pb2_grpc,
)
from tensorflow_serving.config.model_server_config_pb2 import ModelServerConfig

from serving.memory import keep_large_blocks
from serving.modelserver.answers import Answers
from serving.modelserver.config import model_server_config
from serving.modelserver.endpoints import channel_options, credentials, rest_server
from serving.modelserver.loaded import LoadVersion
from serving.modelserver.loads import Retries
from serving.modelserver.manager import Manager
from serving.modelserver.metrics import Metrics
from serving.modelserver.options import Options
from serving.modelserver.periodic import Periodic
from serving.modelserver.services import ModelService, PredictionService
from serving.modelserver.status import message
from zoo.errors import BadConfig, KerascopeError

log = logging.getLogger(__name__)

SERVICES = tuple(  # asked of their descriptors, which reflection hands out and the grpc stubs do not load
    service.full_name
    for file in (prediction_service_pb2.DESCRIPTOR, model_service_pb2.DESCRIPTOR)
    for service in file.services_by_name.values()
)
GRACE_S = 5.0
_HEALTH_S = 0.2
_MOST_THREADS = 256


class ModelServer:
    """A server whose port is bound; `start` makes it answer.

    Attributes:
        port: the TCP port, also where the options left it open.
        manager: its models.
        metrics: what it tells Prometheus.
    """

    def __init__(self, options: Options) -> None:
        self._options = options
        self.metrics = Metrics()
        self._load = LoadVersion(options, self.metrics)
        self.manager = _manager(options, self._load)
        self._config = ModelServerConfig()
        self._health = health.HealthServicer()
        self._server = grpc.server(
            ThreadPoolExecutor(self._max_threads(), "grpc"), options=channel_options(options.grpc_channel_arguments)
        )
        answers = Answers(
            self.manager,
            self.metrics,
            check_method=options.enable_signature_method_name_check,
            content=options.enable_serialization_as_tensor_content,
        )
        self._add_services(answers)
        self._credentials = credentials(options)
        self.port = self._bind(f"0.0.0.0:{options.port}")
        self._rest = rest_server(options, answers, self.metrics)
        if options.grpc_socket_path:
            self._bind(f"unix:{options.grpc_socket_path}")
        self._threads = [Periodic("file system poll", self.manager.poll, options.file_system_poll_wait_seconds)]
        self._threads.append(Periodic("health", self._tell_health, _HEALTH_S))
        if options.model_config_file and options.model_config_file_poll_wait_seconds:
            seconds = options.model_config_file_poll_wait_seconds
            self._threads.append(Periodic("model config file poll", self._follow_config, seconds))

    def start(self) -> None:
        """Opens for calls and begins to load; `wait_until_settled` tells when that is done.

        Raises:
            BadConfig: the configuration of the models is refused.
        """
        self._read_config()
        self._tell_health()
        self._server.start()
        if self._rest:
            self._rest.start()
        for thread in self._threads:
            thread.start()

    def wait_until_settled(self, timeout_s: float) -> bool:
        """Waits until each model has a version that serves or that failed to load; False if time runs out."""
        until = time.monotonic() + timeout_s
        while not self.manager.is_settled():
            if time.monotonic() > until:
                return False
            time.sleep(0.02)
        return True

    def stop(self, grace_s: float = GRACE_S) -> None:
        """Takes no new call, gives those under way `grace_s` to end, and stops watching."""
        self._health.enter_graceful_shutdown()
        stopped = self._server.stop(grace_s)
        self._load.drain()
        if self._rest:
            self._rest.stop()
        for thread in self._threads:
            thread.stop(grace_s)
        stopped.wait()
        self.manager.close(grace_s)
        self._load.close()

    def _max_threads(self) -> int:
        usual = 4 * (os.cpu_count() or 1)
        return self._options.grpc_max_threads or max(usual, min(self._load.fills_queues(), _MOST_THREADS))

    def _add_services(self, answers: Answers) -> None:
        prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(PredictionService(answers), self._server)
        model_service_pb2_grpc.add_ModelServiceServicer_to_server(ModelService(answers, self.manager), self._server)
        services = [*SERVICES, reflection.SERVICE_NAME]
        if self._options.enable_grpc_healthcheck_service:
            health_pb2_grpc.add_HealthServicer_to_server(self._health, self._server)
            services.append(health.SERVICE_NAME)
        reflection.enable_server_reflection(services, self._server)

    def _bind(self, address: str) -> int:
        try:
            if self._credentials is None:
                return self._server.add_insecure_port(address)
            return self._server.add_secure_port(address, self._credentials)
        except RuntimeError:
            raise BadConfig(
                f"The model server cannot listen on {address}: it is in use or not ours to open. "
                "Stop what listens there, or give another port (0 takes a free one)."
            ) from None

    def _follow_config(self) -> None:
        if self._read_config():
            self.manager.poll()

    def _read_config(self) -> bool:
        """Takes over the configuration; whether it has changed."""
        config = model_server_config(self._options)
        if config == self._config:
            return False
        try:
            self.manager.configure(config)
        except tf.errors.OpError as error:
            raise BadConfig(f"The configuration of the models is refused: {message(error)}") from None
        self._config = config
        return True

    def _tell_health(self) -> None:
        status = health_pb2.HealthCheckResponse.ServingStatus
        for service in ("", *SERVICES):
            self._health.set(service, status.SERVING if self.manager.is_settled() else status.NOT_SERVING)


def create_server(options: Options) -> ModelServer:
    """Binds the port and prepares a server for these options; nothing is loaded before its `start`.

    Raises:
        BadConfig: the port or the socket cannot be had, or TensorFlow's threads can no longer be set.
    """
    _set_parallelism(options)
    return ModelServer(options)


def _manager(options: Options, load: LoadVersion) -> Manager:
    return Manager(
        load,
        threads=options.num_load_threads,
        retries=Retries(options.max_num_load_retries, options.load_retry_interval_micros / 1e6),
        allow_labels_for_unavailable=options.allow_version_labels_for_unavailable_models,
        retired=gc.collect,  # a SavedModel is full of cycles
    )


def run(options: Options) -> int:
    """Serves until SIGINT or SIGTERM, then lets the calls under way end. Returns the process's exit status."""
    try:
        with _signals() as stopping:
            _keep_imports()
            keep_large_blocks()
            server = create_server(options)
            server.start()
            log.info("Running gRPC ModelServer at 0.0.0.0:%d", server.port)
            if options.rest_api_port:
                log.info("Exporting HTTP/REST API at 0.0.0.0:%d", options.rest_api_port)
            stopping.wait()
            log.info("Stopping; calls under way have %g s to end", GRACE_S)
            server.stop()
    except KerascopeError as error:
        log.error("%s", error)
        return 1
    return 0


def _keep_imports() -> None:
    """What is imported by now is not looked through again for garbage, which no call can go on beside.

    Measured with both cores busy, a collection after a version has gone took 1 ms in place of 1 s.
    """
    gc.collect()
    gc.freeze()


@contextmanager
def _signals() -> Iterator[threading.Event]:
    """An event that SIGINT and SIGTERM set instead of what they did before."""
    stopping = threading.Event()
    before = {number: signal.signal(number, lambda *_: stopping.set()) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stopping
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _set_parallelism(options: Options) -> None:
    try:
        if options.tensorflow_intra_op_parallelism:
            tf.config.threading.set_intra_op_parallelism_threads(options.tensorflow_intra_op_parallelism)
        if options.tensorflow_inter_op_parallelism:
            tf.config.threading.set_inter_op_parallelism_threads(options.tensorflow_inter_op_parallelism)
    except RuntimeError:
        raise BadConfig("TensorFlow has already started in this process; its threads cannot be set any more.") from None

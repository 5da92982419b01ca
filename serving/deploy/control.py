"""One model server as its operator speaks to it: ModelService, and which version a label reaches.

API: tensorflow_serving/apis/model_service.proto, get_model_status.proto, model_management.proto and
get_model_metadata.proto at https://github.com/tensorflow/serving.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass

import grpc
from tensorflow_serving.apis.get_model_metadata_pb2 import GetModelMetadataRequest
from tensorflow_serving.apis.get_model_status_pb2 import GetModelStatusRequest, ModelVersionStatus
from tensorflow_serving.apis.model_management_pb2 import ReloadConfigRequest
from tensorflow_serving.apis.model_service_pb2_grpc import ModelServiceStub
from tensorflow_serving.apis.prediction_service_pb2_grpc import PredictionServiceStub
from tensorflow_serving.config.model_server_config_pb2 import ModelServerConfig

from serving.channel import direct
from zoo import errors

DNS = "dns:///"
CALL_S = 10.0
LOOK_S = 0.2
OLD_ERROR_S = 2.0


def resolved(addresses: list[str]) -> list[str]:
    """Each server's own address: `dns:///name:port` stands for every address that the name has.

    Raises:
        ModelNotReady: a name is not known here.
    """
    found: list[str] = []
    for address in addresses:
        if not address.startswith(DNS):
            found.append(address)
            continue
        host, _, port = address.removeprefix(DNS).rpartition(":")
        try:
            answers = socket.getaddrinfo(host, int(port), type=socket.SOCK_STREAM)
        except (OSError, ValueError) as error:
            raise errors.ModelNotReady(
                f"{address} leads to no address: {error}. Give host:port of each model server instead."
            ) from None
        places = [place[0] for *_, place in answers]
        found += [f"[{place}]:{port}" if ":" in str(place) else f"{place}:{port}" for place in places]
    return list(dict.fromkeys(found))


@dataclass(frozen=True)
class Version:
    """Where one version stands.

    Attributes:
        state: START, LOADING, AVAILABLE, UNLOADING or END.
        error: why it would not load; empty where nothing went wrong.
    """

    state: str
    error: str = ""


class Control:
    """One model server; `close` it at the end.

    Attributes:
        address: host:port.
    """

    def __init__(self, address: str) -> None:
        self.address = address
        self._channel = grpc.insecure_channel(address, options=direct(address))
        self._models, self._predictions = ModelServiceStub(self._channel), PredictionServiceStub(self._channel)

    def close(self) -> None:
        """Closes the channel."""
        self._channel.close()

    def versions(self, name: str) -> dict[int, Version]:
        """Every version of a model that the server has been asked for; empty where it knows none.

        Raises:
            ModelNotReady: the server does not answer.
        """
        request = GetModelStatusRequest()
        request.model_spec.name = name
        try:
            answer = self._models.GetModelStatus(request, timeout=CALL_S)
        except grpc.RpcError as call:
            if call.code() is grpc.StatusCode.NOT_FOUND:
                return {}
            raise self._away(call) from None
        state = ModelVersionStatus.State
        return {
            entry.version: Version(
                state.Name(entry.state), entry.status.error_message if entry.status.error_code else ""
            )
            for entry in answer.model_version_status
        }

    def reload(self, config: ModelServerConfig, timeout_s: float) -> None:
        """Has the server serve another configuration.

        Raises:
            ModelNotReady: it refuses it, or does not answer; the message has its reason.
        """
        try:
            answer = self._models.HandleReloadConfigRequest(ReloadConfigRequest(config=config), timeout=timeout_s)
        except grpc.RpcError as call:
            if call.code() in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED):
                raise self._away(call) from None
            raise self._refused(call.details()) from None
        if answer.status.error_code:  # a server may answer OK with the error inside (model_management.proto)
            raise self._refused(answer.status.error_message)

    def wait_for(self, name: str, version: int, until: float) -> None:
        """Returns once a version is available.

        An error that is there from the start may be of an earlier try, until the server begins another: it is believed
        once it has stood for a while.

        Args:
            name, version: of the model.
            until: in time.monotonic()'s seconds.

        Raises:
            ModelNotReady: it failed to load, or does not come up in time.
        """
        first, old_until = None, min(until, time.monotonic() + OLD_ERROR_S)
        while True:
            found = self.versions(name).get(version, Version("unknown to it"))
            if found.state == "AVAILABLE":
                return
            first = first or found
            failed = found.error and (found != first or time.monotonic() > old_until)
            if failed or time.monotonic() > until:
                why = found.error or f"it is {found.state} when the time is up"
                raise errors.ModelNotReady(f"{name} version {version} does not come up at {self.address}: {why}.")
            time.sleep(LOOK_S)

    def labelled(self, name: str, label: str) -> int:
        """The version that answers to a label.

        Raises:
            ModelNotReady: none does.
        """
        request = GetModelMetadataRequest(metadata_field=["signature_def"])
        request.model_spec.name, request.model_spec.version_label = name, label
        try:
            answer = self._predictions.GetModelMetadata(request, timeout=CALL_S)
        except grpc.RpcError as call:
            raise self._refused(call.details()) from None
        return int(answer.model_spec.version.value)

    def labels(self, name: str, known: Iterable[str]) -> dict[str, int]:
        """Those of the labels that the server knows, and the versions that they reach."""
        found = {}
        for label in known:
            with suppress(errors.ModelNotReady):
                found[label] = self.labelled(name, label)
        return found

    def _away(self, call: grpc.RpcError) -> errors.ModelNotReady:
        return errors.ModelNotReady(
            f"The model server at {self.address} does not answer ({call.code().name}). Is it running, and is its port "
            "reachable from here?"
        )

    def _refused(self, why: str) -> errors.ModelNotReady:
        return errors.ModelNotReady(f"The model server at {self.address} refuses: {why}.")

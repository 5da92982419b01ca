"""A steady load: images sent to the node as a modality sends them, questions asked of the gateway as a client asks."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from pynetdicom import AE

from benchmarks.chaos import pictures
from benchmarks.chaos.house import MODALITY, NODE
from serving.client import Client
from serving.hospital import network  # noqa: F401  keeps pynetdicom quiet
from zoo import errors
from zoo.results import Analysis

# After these the same question is asked again: somebody is away or busy.
AWAY = (errors.ModelNotReady, errors.BackendTimeout, errors.StoreNotReady, errors.TooManyRequests)
AGAIN_S = 0.2
SENT, ASKED, SLOW = 1, 2, 3
"""The series of identifiers: what the modalities send, what the clients ask, what comes over slow lines."""


@dataclass
class Told:
    """What the outside world was told; safe to add to from many threads.

    Attributes:
        sent: images whose sender heard success.
        answers: what each question was answered, by the image's identifier.
        faults: what should not have been said.
        turned_away: how often an image was not taken, or a question not answered, and had to be brought again.
    """

    sent: list[str] = field(default_factory=list)
    answers: dict[str, Analysis] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)
    turned_away: int = 0


def send(port: int, instance_uid: str, *, timeout_s: float = 10.0) -> bool:
    """One C-STORE on an association of its own; whether the node said that it has the image."""
    ds = pictures.dataset(instance_uid)
    entity = AE(ae_title=MODALITY)
    entity.connection_timeout = entity.acse_timeout = entity.dimse_timeout = entity.network_timeout = timeout_s
    entity.add_requested_context(ds.SOPClassUID, ds.file_meta.TransferSyntaxUID)
    association = entity.associate("127.0.0.1", port, ae_title=NODE)
    if not association.is_established:
        return False
    try:
        status = association.send_c_store(ds)
        association.release()
    except (RuntimeError, ValueError):  # pynetdicom, where the association ends meanwhile
        return False
    return status.get("Status") == 0


def ask(client: Client, model: str, instance_uid: str) -> Analysis:
    """One question; its identifier is the image's, so that asking again makes no second answer."""
    return client.analyze(pictures.file(instance_uid), model=model, request_id=instance_uid)


class Load:
    """Modalities and clients, from `begin` until `end`; each goes on with one image until it is taken, or answered.

    Args:
        told: where they write what they heard.
        node_port, gateway_port, model: whom they ask.
        per_s: images sent a second, and as many questions asked.
    """

    def __init__(self, told: Told, node_port: int, gateway_port: int, model: str, per_s: float) -> None:
        self.told = told
        self._node_port, self._model, self._pause_s = node_port, model, 1 / per_s
        self._client = Client(f"127.0.0.1:{gateway_port}", timeout_s=120)
        self._stopping, self._given_up = threading.Event(), threading.Event()
        self._numbers = {SENT: itertools.count(), ASKED: itertools.count()}
        kinds: list[tuple[int, Callable[[str], None]]] = [(SENT, self._send), (ASKED, self._ask)]
        self._threads = [threading.Thread(target=self._run, args=kind, daemon=True) for kind in kinds]

    def begin(self) -> None:
        """Returns at once."""
        for thread in self._threads:
            thread.start()

    def end(self, timeout_s: float) -> None:
        """Begins nothing new; what was begun is finished, or is a fault after so long."""
        self._stopping.set()
        end = time.monotonic() + timeout_s
        for thread in self._threads:
            thread.join(max(0.0, end - time.monotonic()))
            if thread.is_alive():
                self.told.faults.append("an image was not taken, or a question not answered, in the end")
        self._given_up.set()
        self._client.close()

    def image(self) -> None:
        """One more image, sent now; returns when the node has it."""
        self._send(pictures.uid(SENT, next(self._numbers[SENT])))

    def question(self) -> None:
        """One more question, asked now; returns when it is answered."""
        self._ask(pictures.uid(ASKED, next(self._numbers[ASKED])))

    def _run(self, series: int, act: Callable[[str], None]) -> None:
        due = time.monotonic()
        while not self._stopping.is_set():
            act(pictures.uid(series, next(self._numbers[series])))
            due = max(due + self._pause_s, time.monotonic() - 1)
            self._stopping.wait(max(0.0, due - time.monotonic()))

    def _send(self, instance_uid: str) -> None:
        while not send(self._node_port, instance_uid):
            self.told.turned_away += 1
            if self._given_up.wait(AGAIN_S):
                return
        self.told.sent.append(instance_uid)

    def _ask(self, instance_uid: str) -> None:
        while not self._given_up.is_set():
            try:
                self.told.answers[instance_uid] = ask(self._client, self._model, instance_uid)
                return
            except AWAY:
                self.told.turned_away += 1
                self._given_up.wait(AGAIN_S)
            except errors.KerascopeError as error:
                self.told.faults.append(f"a question was answered {type(error).__name__}: {error}")
                return

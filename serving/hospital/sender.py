"""Takes results from the queue and sends them to a PACS, by C-STORE or STOW-RS, until it has said that it has them."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import datetime
from functools import partial

from pydicom import Dataset
from pydicom.uid import (
    Comprehensive3DSRStorage,
    EncapsulatedPDFStorage,
    ExplicitVRLittleEndian,
    ParametricMapStorage,
    SecondaryCaptureImageStorage,
)
from pynetdicom import AE
from pynetdicom.association import Association

from serving.audit.access import SUCCESS
from serving.audit.trail import Audit
from serving.client import Client
from serving.hospital.attempt import attempt
from serving.hospital.config import NodeConfig
from serving.hospital.dicomweb import Service
from serving.hospital.endpoints import Destination, Result
from serving.hospital.network import client_context
from serving.hospital.results import filing
from serving.hospital.worker import AWAY, MOST_ATTEMPTS
from serving.store.deliveries import Delivery
from serving.store.store import Store
from zoo import errors

log = logging.getLogger(__name__)

CLASSES: dict[str, Result] = {
    Comprehensive3DSRStorage: "structured-report",
    SecondaryCaptureImageStorage: "overlay",
    ParametricMapStorage: "map",
    EncapsulatedPDFStorage: "pdf",
}
# PS3.4 table B.2-1: success, and the three warnings with which the object is stored all the same.
STORED = {0x0000, 0xB000, 0xB006, 0xB007}


class Sender:
    """A storage SCU; `step` sends the results of one analysis to one PACS.

    The same analysis makes the same objects, so what is sent again after a lost acknowledgement is stored once.
    """

    def __init__(self, config: NodeConfig, store: Store, client: Client, audit: Audit | None) -> None:
        assert store.spool is not None
        self._config, self._store, self._spool, self._client, self._audit = config, store, store.spool, client, audit
        self._destinations = {each.ae_title: each for each in config.destination}

    def step(self) -> bool:
        """Takes one delivery and sees to it; False where none waits.

        Raises:
            StoreNotReady: the store is away; the delivery is taken again when it is back.
        """
        delivery = self._store.deliveries.take()
        if delivery is None:
            return False
        try:
            attempt(f"delivery {delivery.number}", partial(self._deliver, delivery), partial(self._put_off, delivery))
        finally:
            self._store.deliveries.let_go(delivery)
        return True

    def _deliver(self, delivery: Delivery) -> None:
        destination = self._destinations.get(delivery.destination)
        if destination is None:
            raise errors.BadConfig(f"The node's file names no destination {delivery.destination} any more.")
        objects = [each for each in self._objects(delivery) if CLASSES.get(each.SOPClassUID) in destination.results]
        if objects:
            self._send(destination, objects)
        if self._audit is not None:
            peer, subject = destination.address, f"study:{objects[0].StudyInstanceUID}" if objects else ""
            self._audit.write(
                action="send",
                user=destination.ae_title,
                peer=peer,
                subject=subject,
                analysis_id=delivery.analysis_id,
                outcome=SUCCESS,
            )
        self._store.deliveries.sent(delivery)
        log.info("sent %d results of analysis %s to %s", len(objects), delivery.analysis_id, destination.ae_title)

    def _objects(self, delivery: Delivery) -> list[Dataset]:
        stored = self._store.analyses.get(delivery.analysis_id)
        assert stored.analysis is not None
        card = self._client.card(stored.model, stored.version)
        at: datetime = stored.created.astimezone().replace(tzinfo=None)
        return filing.objects(self._spool.get(delivery.sha256), stored.analysis, card, at=at)

    def _send(self, destination: Destination, objects: Sequence[Dataset]) -> None:
        """One request of STOW-RS, or one association with a C-STORE an object.

        Raises:
            ModelNotReady: the PACS is away, or has no room now.
            BadRequest: it does not take such an object.
        """
        if destination.url:
            Service(destination.ae_title, destination, self._config.tls).store(objects)
            return
        association = self._association(destination, objects)
        try:
            for each in objects:
                self._send_one(destination, association.send_c_store(each))
        finally:
            association.release()

    def _association(self, destination: Destination, objects: Sequence[Dataset]) -> Association:
        entity = AE(ae_title=self._config.ae_title)
        entity.connection_timeout, entity.acse_timeout, entity.dimse_timeout = 10, 15, 30
        for uid in dict.fromkeys(each.SOPClassUID for each in objects):
            entity.add_requested_context(uid, ExplicitVRLittleEndian)
        tls = (client_context(self._config.tls), destination.host) if destination.tls and self._config.tls else None
        association = entity.associate(destination.host, destination.port, ae_title=destination.ae_title, tls_args=tls)
        if not association.is_established:
            raise errors.ModelNotReady(f"{destination.ae_title} takes no association. It is asked again.")
        return association

    def _send_one(self, destination: Destination, response: Dataset) -> None:
        status = response.get("Status")
        if status is None or 0xA700 <= status <= 0xA7FF:
            raise errors.ModelNotReady(f"{destination.ae_title} went away or has no room. It is asked again.")
        if status not in STORED:
            raise errors.BadRequest(f"{destination.ae_title} does not take the result: status 0x{status:04X}.")

    def _put_off(self, delivery: Delivery, error: errors.KerascopeError) -> None:
        name = type(error).__name__
        if isinstance(error, AWAY) or (delivery.attempts < MOST_ATTEMPTS and isinstance(error, errors.BadRequest)):
            self._store.deliveries.later(delivery, name, str(error))
            log.warning("delivery %d waits after %d attempts: %s", delivery.number, delivery.attempts, name)
        else:
            self._store.deliveries.failed(delivery, name, str(error))
            log.error("delivery %d failed: %s", delivery.number, name)

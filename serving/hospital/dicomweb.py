"""A DICOMweb service that is asked (PS3.18): QIDO-RS, WADO-RS and STOW-RS, with its errors as ours."""

from __future__ import annotations

import io
import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import requests
from dicomweb_client.api import DICOMwebClient
from pydicom import Dataset, dcmwrite
from pydicom.datadict import tag_for_keyword
from requests.auth import AuthBase, HTTPBasicAuth
from retrying import RetryError

from serving.hospital.endpoints import Tls, WebService
from zoo import errors

logging.getLogger("dicomweb_client").setLevel(logging.CRITICAL)  # its lines hold UIDs and URLs

PAGE = 200
CONNECT_S, ANSWER_S = 10.0, 60.0
LONGEST_ANSWER = 1 << 30
ATTEMPTS, PAUSE_MS = 3, 200
Found = dict[str, str]


class Service:
    """A DICOMweb service; each method may raise what `_translated` lists.

    Args:
        name: by which messages call it.
        peer: where it is, and what it wants to see.
        tls: this node's, whose certificate it is shown.

    Raises:
        BadConfig: a file with a password or token cannot be read.
    """

    def __init__(self, name: str, peer: WebService, tls: Tls | None) -> None:
        self.name = name
        session = _Session()
        session.verify = str(peer.authority) if peer.authority else True
        session.auth = _auth(peer)
        if tls is not None and peer.url.startswith("https://"):
            session.cert = (str(tls.certificate), str(tls.key))
        self._client = DICOMwebClient(
            peer.url.rstrip("/"), session, timeout=(CONNECT_S, ANSWER_S), callback=_check_length
        )
        self._client.set_http_retry_params(max_attempts=ATTEMPTS, wait_exponential_multiplier=PAUSE_MS)

    def studies(self, **matching: str) -> list[Found]:
        """The studies that match, by keyword: StudyInstanceUID."""
        return self._all(self._client.search_for_studies, "StudyInstanceUID", search_filters=matching)

    def series(self, study: str, **matching: str) -> list[Found]:
        """A study's series: SeriesInstanceUID, and if the service says them BodyPartExamined and SeriesDescription."""
        said = ("BodyPartExamined", "SeriesDescription")
        return self._all(
            self._client.search_for_series,
            "SeriesInstanceUID",
            *said,
            study_instance_uid=study,
            search_filters=matching,
            fields=list(said),
        )

    def instances(self, study: str, series: str) -> list[Found]:
        """A series' instances: SOPInstanceUID and SOPClassUID."""
        return self._all(
            self._client.search_for_instances,
            "SOPInstanceUID",
            "SOPClassUID",
            study_instance_uid=study,
            series_instance_uid=series,
        )

    def fetch(self, study: str, series: str, instance: str) -> bytes:
        """An instance as a file, in the transfer syntax that the service keeps it in."""
        with self._translated():
            dataset = self._client.retrieve_instance(study, series, instance)
            file = io.BytesIO()
            dcmwrite(file, dataset, enforce_file_format=True)
            return file.getvalue()

    def store(self, objects: Sequence[Dataset]) -> None:
        """Stores instances; returns when the service has them all.

        Raises:
            ModelNotReady: it has no room now.
            BadRequest: it does not take one of them.
        """
        with self._translated():
            answer = self._client.store_instances(list(objects))
            reasons = [int(item.FailureReason) for item in answer.get("FailedSOPSequence", ())]
        if any(0xA700 <= reason <= 0xA7FF for reason in reasons):
            raise errors.ModelNotReady(f"{self.name} has no room. It is asked again.")
        if reasons:
            raise errors.BadRequest(f"{self.name} does not take the result: reason 0x{reasons[0]:04X}.")

    def _all(self, search: Callable[..., Any], key: str, *more: str, **asked: Any) -> list[Found]:
        """Every match, page by page; a service that knows no pages gives the same one again, which ends it."""
        found: dict[str, Found] = {}
        while True:
            with self._translated():
                page = [_said(each, (key, *more)) for each in search(limit=PAGE, offset=len(found), **asked)]
            new = {each[key]: each for each in page if each[key] not in found}
            if not new:
                return list(found.values())
            found |= new

    @contextmanager
    def _translated(self) -> Iterator[None]:
        """The library's errors as ours, without its words, which quote URLs and UIDs.

        Raises:
            ModelNotReady: the service is away, busy, or no certificate of its authority's.
            Unauthenticated, Forbidden: it does not let us in.
            BadRequest: it has no such thing, or answers what is no DICOMweb.
        """
        try:
            yield
        except errors.KerascopeError:
            raise
        except requests.HTTPError as error:
            raise self._refused(error.response.status_code if error.response is not None else 0) from None
        except requests.exceptions.SSLError:
            raise errors.ModelNotReady(
                f"{self.name}: no secure connection. Is its certificate for this host, and signed by `authority`? Does "
                "it ask for ours, which is that of [tls]?"
            ) from None
        except (requests.ConnectionError, requests.Timeout, RetryError):
            raise errors.ModelNotReady(f"{self.name} does not answer. Is it running, and is its url right?") from None
        except Exception:  # whatever a library does with an answer that is none
            raise errors.BadRequest(f"{self.name} answers what is no DICOMweb (PS3.18). Is its url right?") from None

    def _refused(self, status: int) -> errors.KerascopeError:
        said = f"{self.name} answers HTTP status {status}"
        if status == 401:
            return errors.Unauthenticated(f"{said}: it wants a password or token. Name its file, or renew it.")
        if status == 403:
            return errors.Forbidden(f"{said}: what it was shown does not allow this. Ask its administrator.")
        if status in (408, 429) or status >= 500:
            return errors.ModelNotReady(f"{said}: it cannot do it now. Try again later.")
        return errors.BadRequest(f"{said}: it has no such thing, or does not take it. Is its url right?")


class _Session(requests.Session):
    """One whose own authority counts before that of REQUESTS_CA_BUNDLE, which requests would let win."""

    def merge_environment_settings(self, *arguments: Any, **named: Any) -> Any:
        settings = super().merge_environment_settings(*arguments, **named)
        if self.verify is not True:
            settings["verify"] = self.verify
        return settings


class _Bearer(AuthBase):
    """A token from a file, read anew at each request: whoever renews it need not stop us."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"Bearer {_read(self._path)}"
        return request


def _auth(peer: WebService) -> AuthBase | None:
    if peer.token_file is not None:
        return _Bearer(peer.token_file)
    return HTTPBasicAuth(peer.user, _read(peer.password_file)) if peer.password_file is not None else None


def _read(path: Path) -> str:
    try:
        return path.read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        said = error.strerror if isinstance(error, OSError) else "it is no text"
        raise errors.BadConfig(f"{path} cannot be read: {said}. Name another, or let this user read it.") from None


def _check_length(response: requests.Response, *_: Any, **__: Any) -> requests.Response:
    """Called before a body is read."""
    if int(response.headers.get("Content-Length") or 0) > LONGEST_ANSWER:
        response.close()
        raise errors.BadRequest(
            "The service's answer is longer than 1 GiB; no picture that is read here needs as much."
        )
    return response


def _said(found: dict[str, Any], keywords: Sequence[str]) -> Found:
    """The first value of each, from DICOM JSON (PS3.18 annex F); empty where there is none."""
    values = {keyword: found.get(f"{tag_for_keyword(keyword):08X}", {}).get("Value") or [""] for keyword in keywords}
    return {keyword: str(value[0] or "") for keyword, value in values.items()}

"""What is true in the end: every study and answer once, right, and recorded."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence

from benchmarks.chaos.house import House
from benchmarks.chaos.load import Told
from benchmarks.chaos.parts import until
from benchmarks.chaos.pictures import differs, picture_of
from serving.audit import trail
from serving.records import Status, StoredAnalysis
from serving.store.store import Store
from zoo import errors
from zoo.results import Analysis

PAGE = 500


def faults(house: House, told: Told, reference: Sequence[Analysis]) -> list[str]:
    """Everything that is not as it should be, in words.

    Args:
        house: at rest: nothing is being sent or asked.
        told: what the outside world heard.
        reference: what the model says of each picture when nothing is wrong.
    """
    store = house.store()
    try:
        kept = _by_image(store)
        return [
            *told.faults,
            *_once(told, kept),
            *_right(told, kept, reference),
            *_queue(told, store),
            *_recorded(house),
        ]
    finally:
        store.close()


def _by_image(store: Store) -> dict[str, list[StoredAnalysis]]:
    kept, last = defaultdict(list), 0
    while page := store.analyses.since(last, limit=PAGE):
        for answer in page:
            kept[answer.instance_uid].append(answer)
        last = page[-1].sequence
    return kept


def _once(told: Told, kept: dict[str, list[StoredAnalysis]]) -> Iterator[str]:
    """None lost, none twice."""
    for instance_uid in (*told.sent, *told.answers):
        if not kept.get(instance_uid):
            yield f"{instance_uid} is lost: its sender was told that all is well, and the store has no answer"
    for instance_uid, answers in kept.items():
        if len(answers) > 1:
            yield f"{instance_uid} was analysed {len(answers)} times"


def _right(told: Told, kept: dict[str, list[StoredAnalysis]], reference: Sequence[Analysis]) -> Iterator[str]:
    """What was kept is what the model says of the picture, and what was heard is what was kept."""
    for instance_uid, answers in kept.items():
        for answer in answers:
            if answer.status is not Status.DONE or answer.analysis is None:
                yield f"{instance_uid} was refused: {answer.reason}"
            elif differs(answer.analysis, reference[picture_of(instance_uid)]):
                yield f"{instance_uid} has a wrong answer in the store"
    for instance_uid, heard in told.answers.items():
        if differs(heard, reference[picture_of(instance_uid)]):
            yield f"{instance_uid} was answered wrongly"
        if kept.get(instance_uid) and kept[instance_uid][0].analysis_id != heard.provenance.analysis_id:
            yield f"{instance_uid} was answered otherwise than the store has it"


def _queue(told: Told, store: Store) -> Iterator[str]:
    """Every image taken is done, if not now then soon, and its file is there."""
    taken = len(set(told.sent))
    all_done = dict.fromkeys(store.queue.counts(), 0) | {Status.DONE.value: taken}
    try:
        until(lambda: store.queue.counts() == all_done, "every job is done")
    except TimeoutError:
        yield f"{taken} images were taken, and the queue says {store.queue.counts()}"
    assert store.spool is not None
    assert store.kept is not None
    files = len({*store.spool.digests(), *store.kept.digests()})  # a de-identified copy takes a file's place
    if files < taken:
        yield f"{taken} images were taken, and the spool has {files} files"


def _recorded(house: House) -> Iterator[str]:
    for path in house.trails:
        try:
            trail.verify(path)
        except errors.KerascopeError as error:
            yield str(error)

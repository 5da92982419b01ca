"""What `kerascope predict` does with a folder, or many files: a line for each, and a file that it can go on from.

The file of results has one JSON object a line. The first says what was asked; every other one is a file's answer. Needs
no TensorFlow.
"""

from __future__ import annotations

import hashlib
import json as jsonlib
import sys
import uuid
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from serving.client import Client, ImageAnswer
from serving.predict import as_dict
from zoo import errors
from zoo.cards import RESEARCH_USE_ONLY


@dataclass(kw_only=True)
class Results:
    """What was asked, and which files have their answer.

    Attributes:
        model, version: which model.
        stream_id: of the stream, so that the gateway's store knows it again.
        answered: the files that have findings or a refusal; those that nobody could answer for are not there.
        after: the highest number of an answer in the gateway's store.
        path: where it is kept; None for nowhere.
    """

    model: str
    version: int
    stream_id: str = field(default_factory=lambda: uuid.uuid4().hex)
    answered: set[str] = field(default_factory=set)
    after: int = 0
    path: Path | None = None

    @classmethod
    def begun(cls, path: Path | None, model: str, version: int) -> Results:
        """Those of a file, if it is there, to go on with; else a new one.

        Raises:
            BadRequest: the file is no such file, of another model, or cannot be written.
        """
        results = cls(model=model, version=version, path=path)
        try:
            if path is None or not path.exists():
                results._append({"stream_id": results.stream_id, "model": model, "version": version})
            else:
                results._go_on(path)
        except OSError as error:
            raise errors.BadRequest(f"The results {path} cannot be written: {error.strerror}.") from None
        except (ValueError, KeyError, TypeError):
            raise errors.BadRequest(f"{path} is no file of results of `kerascope predict`. Name another.") from None
        return results

    def add(self, file: str, answer: ImageAnswer) -> dict[str, object]:
        """One file's answer, kept and as plain values."""
        line = {"file": file, "sequence": answer.sequence, "from_store": answer.from_store, **_said(answer)}
        self._append(line)
        return line

    def image_id(self, file: str) -> str:
        """A file's name on the stream: a keyed digest, because paths have been known to hold patients' names."""
        return hashlib.blake2b(file.encode(), key=self.stream_id.encode()[:64], digest_size=16).hexdigest()

    def _go_on(self, path: Path) -> None:
        text = path.read_text("utf-8")
        whole = text[: text.rfind("\n") + 1]  # a line that a power cut left half is asked again
        first, *lines = (jsonlib.loads(line) for line in whole.splitlines())
        if (first["model"], first["version"]) != (self.model, self.version):
            raise errors.BadRequest(
                f"{path} holds answers of {first['model']} version {first['version']} (0 is the newest). Name that "
                "model, or another file."
            )
        self.stream_id = str(first["stream_id"])
        self.after = max((line["sequence"] for line in lines), default=0)
        self.answered = {line["file"] for line in lines if "analysis" in line or line["error"]["reason"]}
        path.write_text(whole, "utf-8")

    def _append(self, line: dict[str, object]) -> None:
        if self.path is not None:
            with self.path.open("a", encoding="utf-8") as file:
                file.write(jsonlib.dumps(line) + "\n")


def predict_many(
    paths: Sequence[Path],
    *,
    model: str,
    gateway: str = "localhost:50051",
    version: int = 0,
    results: Path | None = None,
    json: bool = False,
    console: Console | None = None,
) -> None:
    """Asks a gateway about many files on one stream, and prints a line for each as it is answered.

    Args:
        paths: files, and folders, of which every file is sent, those of folders within as well.
        model: its name.
        gateway: host:port.
        version: of the model; 0 for the newest.
        results: where to keep the answers; asked again with the same file, it goes on with what has none.
        json: prints the lines of that file in place of words.
        console: where to print; standard output if None.

    Raises:
        BadRequest: no file, or a file of results that does not fit.
        As `Client.analyze_stream`; a picture that is turned away is no error but its line.
    """
    console = console or Console()
    kept = Results.begun(results, model, version)
    found = files(paths)
    names = {kept.image_id(str(path)): path for path in found if str(path) not in kept.answered}
    count: Counter[str] = Counter(before=len(found) - len(names))
    with Client(gateway) as client, _progress(console, len(names), json=json) as advance:
        answers = client.analyze_stream(
            names.items(), model=model, version=version, stream_id=kept.stream_id, after=kept.after
        )
        for answer in answers:
            if answer.image_id in names:  # the store may know of files that have gone since
                line = kept.add(str(names[answer.image_id]), answer)
                count["answered" if answer.analysis else "turned away"] += 1
                count["unusual"] += bool(answer.analysis and answer.analysis.caution)
                console.print(jsonlib.dumps(line) if json else words(line), markup=False, soft_wrap=True)
                advance()
    if not json:
        _close(count, kept, console)


def files(paths: Iterable[Path]) -> list[Path]:
    """The files named, and those of the folders named; hidden ones are left out.

    Raises:
        BadRequest: there is none.
    """
    found = [file for path in paths for file in ([path] if not path.is_dir() else sorted(path.rglob("*")))]
    chosen = list(dict.fromkeys(file for file in found if not file.is_dir() and not file.name.startswith(".")))
    if not chosen:
        raise errors.BadRequest(f"There is no file in {', '.join(map(str, paths))}. Name DICOM, PNG or JPEG files.")
    return chosen


def words(line: dict[str, object]) -> str:
    """A file's answer in one line: the leading finding and whether the image is unusual, or why there is none."""
    match line:
        case {"file": file, "analysis": {"leading": leading, "findings": list(findings), "caution": caution}}:
            found = next(finding for finding in findings if finding["label"] == leading)
            unusual = f" (unusual for this model: {caution['ratio']:.2f} times the limit)" if caution else ""
            return f"{file}: {leading} {found['verdict']}, {found['probability']:.3f}{unusual}"
        case {"file": file, "error": {"reason": reason, "name": name, "message": message}}:
            return f"{file}: {reason or name}. {message}"
    raise ValueError(line)


def _said(answer: ImageAnswer) -> dict[str, object]:
    if answer.analysis is not None:
        return {"analysis": as_dict(answer.analysis)}
    error = answer.error
    reason = error.reason.value if isinstance(error, (errors.BadImage, errors.ImageRefused)) else ""
    return {"error": {"name": type(error).__name__, "reason": reason, "message": str(error)}}


@contextmanager
def _progress(console: Console, total: int, *, json: bool) -> Iterator[Callable[[], None]]:
    """A bar below the lines; with JSON on standard error, and none where both are the same terminal."""
    drawn = Console(stderr=True) if json else console
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=drawn, transient=True, disable=json and sys.stdout.isatty()) as progress:
        task = progress.add_task("images", total=total)
        yield lambda: progress.advance(task)


def _close(count: Counter[str], kept: Results, console: Console) -> None:
    unusual = f" ({count['unusual']} with a caution: unusual for the model)" if count["unusual"] else ""
    said = f"{count['answered']} answered{unusual}, {count['turned away']} turned away"
    before = f", {count['before']} known from before" if count["before"] else ""
    where = f" Results in {kept.path}." if kept.path else ""
    console.print(f"{said}{before}.{where}", markup=False)
    console.print(RESEARCH_USE_ONLY, style="bold")

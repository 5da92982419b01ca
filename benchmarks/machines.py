"""`python -m benchmarks.machines`: the demo, from training to answer and refusal, on machines that this one can play.

The last bits of a trained model differ from processor to processor; whether the demo ends well must not. A machine that
has run is not run again, unless by `--force`. Status 1 where one did not end with 0, or did not refuse what it should.
Everything lies in build/machines: `<machine>/` as the demo left it, its log, its outcome, and machines.json.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from benchmarks.processors import ROOT, Machine, chosen, onednn
from training.runs import code_revision

OUT = ROOT / "build" / "machines"


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """How the demo ended on one machine. What it did not come to is None.

    Attributes:
        machine, seed: which.
        onednn: the instruction set that oneDNN reports, and by what a convolution is computed.
        status: the demo's exit status.
        seconds: from its start to its end.
        auroc: of the test split, the mean over the labels.
        test_images, refused, cautioned: of the test split, by the gate.
        answer: what the analysis answered.
        refused_samples: how many samples were refused before the one that was answered.
        caution: the answer's.
        refusal: the reason for which the unsuitable picture was refused.
        message: why the demo stopped, in its own words; empty where it did not.
        revision, options: the code's, and how large the demo was.
    """

    machine: str
    seed: int
    onednn: str
    status: int
    seconds: float
    auroc: float | None
    test_images: int | None
    refused: int | None
    cautioned: int | None
    answer: str | None
    refused_samples: int | None
    caution: str | None
    refusal: str | None
    message: str
    revision: str
    options: tuple[str, ...]

    @property
    def ended_well(self) -> bool:
        """Whether the demo ended with 0 and refused what it should refuse."""
        return self.status == 0 and self.refusal is not None


def play(machine: Machine, options: tuple[str, ...], out: Path, step: Callable[[str], None]) -> Outcome:
    """The demo once, from nothing, on one machine; `step` is called with each step's title."""
    home, message, reported = out / machine.name, "", onednn(machine)
    began = time.monotonic()
    demo = (str(ROOT / "deploy" / "demo.py"), "--once", "--fresh", "--home", str(home), "--set", f"seed={machine.seed}")
    with (out / f"{machine.name}.log").open("w") as log, machine.popen(*demo, *options) as process:
        for line in process.stdout or ():
            log.write(line)
            if title := re.match(r"\d of \d  [\w ]+?(?= ─)|Serving(?= ─)", line):
                step(title[0])
            elif line.startswith("The demo stopped:"):
                message = line.strip()
    return Outcome(
        machine=machine.name,
        seed=machine.seed,
        onednn=reported,
        status=process.returncode,
        seconds=round(time.monotonic() - began, 1),
        message=message,
        revision=code_revision(),
        options=options,
        **_evaluated(home),
        **_answered(home),
    )


def _evaluated(home: Path) -> dict[str, Any]:
    """What the bundle's card says of the test split."""
    bundle = _json(home / "phantoms.json").get("bundle")
    card = _json(home / bundle / "assets.extra" / "card.json") if bundle else {}
    values = [label["metrics"]["auroc"]["value"] for label in card.get("labels", ()) if label.get("metrics")]
    known = [value for value in values if value is not None]
    return {"auroc": sum(known) / len(known) if known else None} | _gate(card)


def _gate(card: dict[str, Any]) -> dict[str, int | None]:
    """What the gate did to the test split, by the card."""
    tested = (card.get("gate") or {}).get("tested") or {}
    return {
        "test_images": tested.get("images"),
        "refused": tested.get("refused"),
        "cautioned": tested.get("cautioned"),
    }


def _answered(home: Path) -> dict[str, Any]:
    """What the demo answered and refused, by its summary."""
    summary = _json(home / "summary.json")
    analysed = summary.get("analysed")
    label = analysed and analysed["leading"]
    return {
        "answer": analysed and f"{label} {analysed['verdict']}, {analysed['probabilities'][label]:.2f}",
        "refused_samples": len(summary["refused_samples"]) if summary else None,
        "caution": analysed and analysed["caution"],
        "refusal": summary.get("stranger", {}).get("reason"),
    }


def _json(path: Path) -> dict[str, Any]:
    """A file's content; empty where there is none."""
    return json.loads(path.read_text()) if path.is_file() else {}


def table(outcomes: list[Outcome]) -> Table:
    """One row a machine."""
    headings = ("Machine", "oneDNN", "Status", "s", "AUROC", "Refused", "Cautioned", "Answer", "Refusal")
    drawn = Table(*headings, title="The demo on machines this one can play; refused and cautioned of the test images")
    for one in outcomes:
        drawn.add_row(
            one.machine,
            one.onednn,
            str(one.status),
            f"{one.seconds:.0f}",
            "" if one.auroc is None else f"{one.auroc:.3f}",
            _share(one.refused, one.test_images),
            _share(one.cautioned, one.test_images),
            _answer(one),
            one.refusal or "[red]none[/]",
        )
    return drawn


def _share(count: int | None, images: int | None) -> str:
    return f"{count / images:.1%} ({count} of {images})" if count is not None and images else "not measured"


def _answer(outcome: Outcome) -> str:
    """The answer, how many samples were refused before it, and whether it came with a caution."""
    if outcome.answer is None:
        return outcome.message
    passed = f"; {outcome.refused_samples} samples refused before it" if outcome.refused_samples else ""
    return f"{outcome.answer}{passed}{'; with a caution' if outcome.caution else ''}"


def main(arguments: list[str] | None = None) -> int:
    """Plays the machines that have not run yet, prints and writes all outcomes."""
    console, asked = Console(), _arguments(arguments)
    outcomes = outcomes_of(asked, console)
    console.print(table(outcomes))
    (asked.out / "machines.json").write_text(json.dumps([asdict(one) for one in outcomes], indent=2))
    return int(not all(one.ended_well for one in outcomes))


def outcomes_of(asked: argparse.Namespace, console: Console) -> list[Outcome]:
    """The outcome of each machine chosen; written as soon as there is one, and read where there is one of this size."""
    asked.out.mkdir(parents=True, exist_ok=True)
    sets = [part for override in asked.set for part in ("--set", override)]
    options = ("--patients", str(asked.patients), "--size", str(asked.size), *sets)
    outcomes = []
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console) as progress:
        bar = progress.add_task("Machines")
        for machine in progress.track(chosen(asked.only, every_seed=asked.every_seed), task_id=bar):
            file = asked.out / f"{machine.name}.json"
            outcome = None if asked.force else _kept(file, options, console)
            if outcome is None:
                outcome = play(machine, options, asked.out, partial(_describe, progress, bar, machine))
                file.write_text(json.dumps(asdict(outcome), indent=2))
                console.print(f"{machine.name}: status {outcome.status} after {outcome.seconds:.0f} s")
            outcomes.append(outcome)
    return outcomes


def _describe(progress: Progress, bar: Any, machine: Machine, title: str) -> None:
    progress.update(bar, description=f"{machine.name}: {title}")


def _kept(file: Path, options: tuple[str, ...], console: Console) -> Outcome | None:
    """The outcome of a former run of the same size."""
    found = _json(file)
    if not found or tuple(found["options"]) != options:
        return None
    outcome = Outcome(**found | {"options": options})
    console.print(f"{outcome.machine}: has run, at revision {outcome.revision[:9]}; --force runs it again.")
    return outcome


def _arguments(arguments: list[str] | None) -> argparse.Namespace:
    names = [machine.name for machine in chosen(None, every_seed=True)]
    parser = argparse.ArgumentParser(prog="python -m benchmarks.machines", description="The demo on many machines.")
    parser.add_argument("--only", action="append", choices=names, metavar="NAME", help=", ".join(names))
    parser.add_argument("--every-seed", action="store_true", help="each machine with each seed, not the default alone")
    parser.add_argument("--force", action="store_true", help="run again what has run")
    parser.add_argument("--patients", type=int, default=360, help="how many phantoms")
    parser.add_argument("--size", type=int, default=384, help="side of a phantom's picture, in pixels")
    parser.add_argument("--set", action="append", default=[], help="key=value, over the training file's own")
    parser.add_argument("--out", type=Path, default=OUT, help="where everything lies")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())

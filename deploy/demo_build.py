"""What the demo makes: phantoms, a trained model, its evaluation and its bundle."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from services import KERASCOPE

from zoo import errors
from zoo.bundles import Bundle

ROOT = Path(__file__).resolve().parents[1]
CONFIGS = {"none": "phantoms", "imagenet": "phantoms-imagenet"}
ANEW = "If it stops here again: `make demo FRESH=1` deletes what was made before and makes everything anew."
GO_ON = "What was made before is kept: `make demo` goes on with it."


@dataclass(frozen=True)
class Plan:
    """What the demo is to make.

    Attributes:
        home: the folder for all of it.
        config: the training file's name; also the run's and the model's.
        patients, size: of the phantoms.
        overrides: `key=value` for `kerascope train --set`.
    """

    home: Path
    config: str
    patients: int
    size: int
    overrides: tuple[str, ...]

    @property
    def training_file(self) -> Path:
        """The training file."""
        return ROOT / "training" / "configs" / f"{self.config}.toml"

    @property
    def run_folder(self) -> Path:
        """Where training and evaluation leave what they make."""
        return self.home / "runs" / self.config

    @property
    def data(self) -> Path:
        """The folder of the phantoms."""
        return self.home / "data"

    @property
    def registry(self) -> Path:
        """The registry of bundles."""
        return self.home / "registry"

    @property
    def samples(self) -> Path:
        """The pictures that the dashboard offers."""
        return self.home / "samples"

    @property
    def overlay(self) -> Path:
        """The heat map of the answered sample, over it."""
        return self.home / "overlay.png"

    @property
    def summary(self) -> Path:
        """`summary.json`."""
        return self.home / "summary.json"

    @property
    def fingerprint(self) -> str:
        """Changes whenever what is to be made does."""
        facts = [self.training_file.read_text(), self.patients, self.size, self.overrides]
        return hashlib.sha256(json.dumps(facts).encode()).hexdigest()

    @property
    def record(self) -> Path:
        """The file that says which plan was begun here, and which bundle it made once it has."""
        return self.home / f"{self.config}.json"

    def recorded(self) -> dict[str, Any]:
        """The content of `record`; empty where there is none that can be read."""
        try:
            found = json.loads(self.record.read_text())
        except (OSError, ValueError):
            return {}
        return found if isinstance(found, dict) else {}

    def clear(self) -> None:
        """Deletes everything the demo makes, and nothing else that lies in `home`."""
        folders = (self.data, self.home / "runs", self.registry, self.samples, self.home / "logs")
        records = (self.home / f"{config}.json" for config in CONFIGS.values())
        for path in (*folders, *records, self.summary, self.overlay, *self.home.glob("store.db*")):
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)


def build(plan: Plan, console: Console) -> Bundle:
    """Data, training, evaluation and export; or what a former run made by the same plan.

    What an interrupted run of the same plan left is used.
    """
    if bundle := reusable(plan, console):
        return bundle
    plan.home.mkdir(parents=True, exist_ok=True)
    plan.record.write_text(json.dumps({"fingerprint": plan.fingerprint}))
    _make(plan, console)
    newest = max((plan.registry / plan.config).glob("[0-9]*"), key=lambda folder: int(folder.name))
    known = {"bundle": str(newest.relative_to(plan.home)), "fingerprint": plan.fingerprint}
    plan.record.write_text(json.dumps(known))
    return Bundle(newest)


def reusable(plan: Plan, console: Console) -> Bundle | None:
    """The bundle that the same plan made before; None where there is none.

    Deletes what another plan made, and everything where the bundle is damaged: the commands would refuse to go on.
    """
    known = plan.recorded()
    try:
        if known.get("fingerprint", plan.fingerprint) != plan.fingerprint:
            raise errors.BadBundle("It was made by another plan.")
        if "bundle" not in known:
            return None
        bundle = Bundle(plan.home / str(known["bundle"]))
        bundle.verify()
        version = bundle.card.version  # reads the card, which one of an older Kerascope may not survive
        console.print(f"Using the bundle made before, version {version}: {bundle.path}", soft_wrap=True)
        return bundle
    except errors.BadBundle as error:
        console.print(f"What was made before cannot be used, and is made anew. {error}", soft_wrap=True, markup=False)
        plan.clear()
        return None


def _make(plan: Plan, console: Console) -> None:
    """The four commands."""
    overrides = (f"manifest={plan.data / 'manifest.csv'}", *plan.overrides)
    flags = [part for override in overrides for part in ("--set", override)]
    picture = ("--patients", str(plan.patients), "--size", str(plan.size))
    folder, registry = str(plan.run_folder), str(plan.registry)
    for title, *arguments in (
        ("1 of 4  Generating phantom radiographs", "data", "phantoms", str(plan.data), *picture),
        ("2 of 4  Training", "train", str(plan.training_file), "--runs", str(plan.home / "runs"), *flags),
        ("3 of 4  Evaluating on patients never seen", "evaluate", folder),
        ("4 of 4  Exporting the bundle", "export", folder, "--registry", registry, "--pictures"),
    ):
        _run(console, title, *arguments)


def _run(console: Console, title: str, *arguments: str) -> None:
    """One `kerascope` command in the foreground, its progress shown.

    Raises:
        BadRun: it failed.
    """
    console.rule(f"[bold]{title}", align="left")
    began = time.monotonic()
    status = subprocess.run([*KERASCOPE, *arguments], check=False).returncode
    if status:
        raise errors.BadRun(f"`kerascope {' '.join(arguments)}` ended with status {status}; its message is above.")
    console.print(f"[dim]{title}: {time.monotonic() - began:.0f} s")

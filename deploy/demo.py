"""`make demo`: the whole of Kerascope on one machine, from no data to three running services.

    phantoms -> training -> evaluation -> bundle -> model server, gateway, dashboard -> one analysis

Everything is done by the same `kerascope` commands a user types. What a former run made is used again.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from rich.console import Console
from rich.panel import Panel
from rich.table import Table
from services import KERASCOPE, Services, free_port, listens

from serving.client import Client
from serving.predict import write_overlay
from zoo import errors
from zoo.bundles import Bundle
from zoo.cards import RESEARCH_USE_ONLY
from zoo.results import Analysis, Verdict

ROOT = Path(__file__).resolve().parents[1]
CONFIGS = {"none": "phantoms", "imagenet": "phantoms-imagenet"}

console = Console()


class Stopped(Exception):
    """Ctrl-C or a SIGTERM."""


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
    def fingerprint(self) -> str:
        """Changes whenever what is to be made does."""
        facts = [self.training_file.read_text(), self.patients, self.size, self.overrides]
        return hashlib.sha256(json.dumps(facts).encode()).hexdigest()


def run(title: str, *arguments: str) -> None:
    """One `kerascope` command in the foreground, its progress shown."""
    console.rule(f"[bold]{title}", align="left")
    began = time.monotonic()
    status = subprocess.run([*KERASCOPE, *arguments], check=False).returncode
    if status:
        raise errors.BadRun(f"`kerascope {' '.join(arguments)}` ended with status {status}; its message is above.")
    console.print(f"[dim]{title}: {time.monotonic() - began:.0f} s")


def build(plan: Plan) -> Bundle:
    """Data, training, evaluation and export; or what a former run made by the same plan."""
    made = plan.home / f"{plan.config}.json"
    known = json.loads(made.read_text()) if made.is_file() else {}
    if known.get("fingerprint") == plan.fingerprint and (plan.home / known["bundle"]).is_dir():
        bundle = Bundle(plan.home / known["bundle"])
        bundle.verify()
        console.print(f"Using the bundle made before: {bundle.path}", soft_wrap=True)
        return bundle
    data, registry = plan.home / "data", plan.home / "registry"
    picture = ("--patients", str(plan.patients), "--size", str(plan.size))
    flags = [
        part for override in (f"manifest={data / 'manifest.csv'}", *plan.overrides) for part in ("--set", override)
    ]
    run("1 of 4  Generating phantom radiographs", "data", "phantoms", str(data), *picture)
    run("2 of 4  Training", "train", str(plan.training_file), "--runs", str(plan.home / "runs"), *flags)
    run("3 of 4  Evaluating on patients never seen", "evaluate", str(plan.run_folder))
    run("4 of 4  Exporting the bundle", "export", str(plan.run_folder), "--registry", str(registry), "--pictures")
    newest = max((registry / plan.config).glob("[0-9]*"), key=lambda folder: int(folder.name))
    made.write_text(json.dumps({"bundle": str(newest.relative_to(plan.home)), "fingerprint": plan.fingerprint}))
    return Bundle(newest)


def pick_samples(plan: Plan, labels: tuple[str, ...]) -> list[Path]:
    """Copies images of test patients to `samples`: one with each finding and one with none, where there are such."""
    with (plan.run_folder / "split.csv").open() as table:
        rows = [row for row in csv.DictReader(table) if row["split"] == "test"]
    found = [next((row for row in rows if row[label] == "1"), None) for label in labels]
    clear = next((row for row in rows if all(row[label] == "0" for label in labels)), None)
    names = dict.fromkeys(row["file"] for row in (*found, clear) if row)
    samples = plan.home / "samples"
    shutil.rmtree(samples, ignore_errors=True)
    samples.mkdir(parents=True)
    return [
        Path(shutil.copy(plan.run_folder / name, samples / f"unseen-{number}.dcm"))
        for number, name in enumerate(names, start=1)
    ]


def start(services: Services, plan: Plan, bundle: Bundle) -> tuple[str, str, str]:
    """The three services; gives the addresses of model server, gateway and dashboard."""
    addresses = tuple(f"localhost:{free_port(port)}" for port in (8500, 50051, 8501))
    model_server, gateway, dashboard = addresses
    ports = [address.rsplit(":", 1)[1] for address in addresses]
    base, registry = str(bundle.path.parent), str(plan.home / "registry")
    services.start("model-server", "serve", "--model_name", bundle.name, "--model_base_path", base, "--port", ports[0])
    os.environ["KERASCOPE_STORE"] = f"sqlite:///{plan.home / 'store.db'}"  # the gateway's: answers and reviews stay
    there = ("--registry", registry, "--model-server", model_server, "--port", ports[1])
    services.start("gateway", "gateway", "--insecure", *there)
    samples = str(plan.home / "samples")
    services.start("dashboard", "dashboard", "--gateway", gateway, "--port", ports[2], "--samples", samples)
    return model_server, gateway, dashboard


def show_analysis(analysis: Analysis, sample: Path) -> None:
    """The finding with its operating point and where the evidence lies."""
    finding = analysis.leading
    point = finding.operating_point
    text = f"[bold]{finding.label}: {finding.verdict.value}[/], probability {finding.probability:.2f}"
    if point is not None:
        sensitivity, specificity = (
            "not measured" if part.value is None else f"{part.value:.2f} ({part.low:.2f} to {part.high:.2f})"
            for part in (point.sensitivity, point.specificity)
        )
        text += f"\nPresent from {point.threshold:.2f}; there sensitivity {sensitivity}, specificity {specificity}"
    if finding.verdict is not Verdict.ABSENT:
        text += f"\nThe evidence is strongest in the {finding.place} of the picture"
    text += f"\n[dim]{analysis.notice}"
    console.print(Panel(text, title=f"{sample.name}, never seen in training", expand=False))


def summarise(plan: Plan, bundle: Bundle, analysis: Analysis, sample: Path) -> dict[str, object]:
    """What `summary.json` holds: figures of the card, which come from the evaluation, and of this analysis."""
    return {
        "notice": RESEARCH_USE_ONLY,
        "model": bundle.name,
        "version": bundle.version,
        "findings": {
            label.name: {
                "auroc": label.metrics.auroc.model_dump(),
                "pointing_game": label.metrics.pointing_game.model_dump() if label.metrics.pointing_game else None,
                "pointing_images": label.metrics.pointing_images,
                "pointing_centre": label.metrics.pointing_centre,
            }
            for label in bundle.card.labels
            if label.metrics
        },
        "analysed": {
            "sample": str(sample),
            "probabilities": {finding.label: finding.probability for finding in analysis.findings},
            "leading": analysis.leading.label,
            "verdict": analysis.leading.verdict.value,
            "evidence_peak": analysis.leading.peak,
            "timings": vars(analysis.timings),
        },
        "bundle": str(bundle.path),
        "report": str(plan.run_folder / "evaluation" / "report.html"),
        "overlay": str(plan.home / "overlay.png"),
    }


def show_summary(bundle: Bundle, summary: dict[str, object]) -> None:
    """The same as a table."""
    table = Table("Finding", "Test AUROC", "95 % interval", "Pointing game", "Centre guess", title="On unseen patients")
    for label in bundle.card.labels:
        if not (measured := label.metrics):
            continue
        game, auroc = measured.pointing_game, measured.auroc
        table.add_row(
            label.name,
            "undefined" if auroc.value is None else f"{auroc.value:.3f}",
            "" if auroc.low is None else f"{auroc.low:.3f} to {auroc.high:.3f}",
            "no masks" if game is None or game.value is None else f"{game.value:.2f} of {measured.pointing_images}",
            "" if measured.pointing_centre is None else f"{measured.pointing_centre:.2f}",
        )
    console.print(table)
    for what in ("bundle", "report", "overlay"):
        console.print(f"{what:8} {summary[what]}", soft_wrap=True)


def demo(plan: Plan, services: Services, *, once: bool) -> None:
    """The whole of it; returns after the analysis if `once`, else serves until interrupted."""
    bundle = build(plan)
    sample = (samples := pick_samples(plan, bundle.card.label_names))[0]
    console.rule("[bold]Serving", align="left")
    began = time.monotonic()
    model_server, gateway, dashboard = start(services, plan, bundle)
    with Client(gateway) as client:
        services.wait_until(lambda: client.ready(bundle.name), "the model behind the gateway", console)
        services.wait_until(lambda: listens(dashboard), "the dashboard", console)
        console.print(f"Serving after {time.monotonic() - began:.0f} s")
        analysis = client.analyze(sample.read_bytes(), model=bundle.name)
    write_overlay(sample, analysis.leading, plan.home / "overlay.png")
    show_analysis(analysis, sample)
    summary = summarise(plan, bundle, analysis, sample)
    (plan.home / "summary.json").write_text(json.dumps(summary, indent=2))
    show_summary(bundle, summary)
    console.print(f"{'summary':8} {plan.home / 'summary.json'}", soft_wrap=True)
    if once:
        return
    console.print(f"\nDashboard     http://{dashboard}\nGateway       {gateway}  (gRPC)")
    console.print(f"Model server  {model_server}  (gRPC)\n\nTry, in another terminal:")
    command = Path(sys.executable).parent / "kerascope"
    console.print(f"  {command} predict {samples[-1]} --model {bundle.name} --gateway {gateway}", soft_wrap=True)
    console.print("Ctrl-C stops all three.")
    while True:
        services.check()
        time.sleep(1)


def stop_on_signals() -> None:
    """Both signals unwind the stack, so that whatever was started is stopped."""

    def stopped(number: int, frame: FrameType | None) -> None:
        raise Stopped

    signal.signal(signal.SIGINT, stopped)
    signal.signal(signal.SIGTERM, stopped)


def read_arguments() -> argparse.Namespace:
    """The command line; what `make demo` does not give is there for the tests."""
    parser = argparse.ArgumentParser(description="From no data to three running services.")
    parser.add_argument("--weights", choices=CONFIGS, default="none", help="imagenet fetches weights and fine-tunes")
    parser.add_argument("--once", action="store_true", help="stop after one analysis")
    parser.add_argument("--home", type=Path, default=ROOT / "build" / "demo", help="where all of it is made")
    parser.add_argument("--patients", type=int, default=360, help="how many phantoms")
    parser.add_argument("--size", type=int, default=384, help="side of a phantom's picture, in pixels")
    parser.add_argument("--set", action="append", default=[], help="key=value, over the training file's own")
    return parser.parse_args()


def main() -> int:
    """Runs the demo; 0 if it came to its end or was stopped while serving."""
    arguments = read_arguments()
    plan = Plan(
        arguments.home.resolve(),
        CONFIGS[arguments.weights],
        arguments.patients,
        arguments.size,
        tuple(arguments.set),
    )
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    stop_on_signals()
    services = Services(plan.home / "logs")
    try:
        demo(plan, services, once=arguments.once)
    except Stopped:
        serving = bool(services.processes)
        console.print("\nStopping." if serving else "\nStopped; `make demo` goes on where this left off.")
        return 0 if serving else 130
    except errors.KerascopeError as error:
        console.print(f"[red]The demo stopped:[/] {error}", soft_wrap=True)
        return 1
    finally:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        services.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""`make demo`: the whole of Kerascope on one machine, from no data to three running services.

    phantoms -> training -> evaluation -> bundle -> model server, gateway, dashboard -> one analysis

Everything is done by the same `kerascope` commands a user types. What a former run made is used again.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

from rich.console import Console
from rich.panel import Panel
from rich.table import Table

from serving.client import Client
from zoo import errors
from zoo.bundles import Bundle, Registry
from zoo.cards import RESEARCH_USE_ONLY
from zoo.imaging.image import read_file
from zoo.imaging.overlay import encode_png, heatmap, overlay
from zoo.results import Analysis, Verdict

ROOT = Path(__file__).resolve().parents[1]
HOME = ROOT / "build" / "demo"
CONFIGS = {"none": "phantoms", "imagenet": "phantoms-imagenet"}
PHANTOMS = ("--patients", "360", "--size", "384")
KERASCOPE = (sys.executable, "-m", "kerascope")

console = Console()


class Stopped(Exception):
    """Ctrl-C or a SIGTERM."""


@dataclass
class Services:
    """Processes started in the background, each with its log; stopping stops them all."""

    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def start(self, name: str, *arguments: str) -> None:
        """Starts `kerascope <arguments>`; its output goes to `build/demo/logs/<name>.log`."""
        (HOME / "logs").mkdir(parents=True, exist_ok=True)
        with (HOME / "logs" / f"{name}.log").open("wb") as log:
            # In a session of its own, so that Ctrl-C reaches this process alone, which then stops the others in order.
            self.processes[name] = subprocess.Popen(
                [*KERASCOPE, *arguments], stdout=log, stderr=subprocess.STDOUT, cwd=ROOT, start_new_session=True
            )

    def check(self) -> None:
        """Raises if one has ended by itself, with the end of its log."""
        for name, process in self.processes.items():
            if process.poll() is not None:
                log = (HOME / "logs" / f"{name}.log").read_text(errors="replace")
                raise errors.ModelNotReady(f"The {name} stopped with status {process.returncode}:\n{log[-2000:]}")

    def stop(self) -> None:
        """Asks each to stop, the last started first, and waits; one that does not listen is killed."""
        for process in reversed(self.processes.values()):
            process.terminate()
        for process in reversed(self.processes.values()):
            try:
                process.wait(timeout=15)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self.processes.clear()


def free_port(wanted: int) -> int:
    """`wanted` if nothing listens there, else any free port of this machine."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", wanted))
        except OSError:
            probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def run(title: str, *arguments: str) -> None:
    """One `kerascope` command in the foreground, its progress shown."""
    console.rule(f"[bold]{title}", align="left")
    began = time.monotonic()
    status = subprocess.run([*KERASCOPE, *arguments], cwd=ROOT, check=False).returncode
    if status:
        raise errors.BadRun(f"`kerascope {' '.join(arguments)}` ended with status {status}; its message is above.")
    console.print(f"[dim]{title}: {time.monotonic() - began:.0f} s")


def build(weights: str) -> tuple[Bundle, Path]:
    """Data, training, evaluation and export, or what a former run made of the same configuration."""
    config = ROOT / "training" / "configs" / f"{CONFIGS[weights]}.toml"
    made, key = HOME / f"{CONFIGS[weights]}.json", hashlib.sha256(config.read_bytes()).hexdigest()
    known = json.loads(made.read_text()) if made.is_file() else {}
    if known.get("config_sha256") == key and (HOME / known["bundle"]).is_dir():
        bundle = Bundle(HOME / known["bundle"])
        bundle.verify()
        console.print(f"Using the bundle made before: {bundle.path.relative_to(ROOT)}")
        return bundle, HOME / known["run"]
    data, runs, registry = HOME / "data", HOME / "runs", HOME / "registry"
    run("1 of 4  Generating phantom radiographs", "data", "phantoms", str(data), *PHANTOMS)
    run("2 of 4  Training", "train", str(config), "--runs", str(runs), "--set", f"manifest={data / 'manifest.csv'}")
    folder = runs / CONFIGS[weights]
    run("3 of 4  Evaluating on patients never seen", "evaluate", str(folder))
    run("4 of 4  Exporting the bundle", "export", str(folder), "--registry", str(registry))
    bundle = Registry(registry).bundle(json.loads((folder / "config.json").read_text())["name"])
    facts = {"bundle": str(bundle.path.relative_to(HOME)), "run": str(folder.relative_to(HOME)), "config_sha256": key}
    made.write_text(json.dumps(facts, indent=2))
    return bundle, folder


def pick_samples(run_folder: Path) -> list[Path]:
    """Copies images of test patients, one with each finding, to `build/demo/samples`; they were never trained on."""
    import csv

    samples = HOME / "samples"
    with (run_folder / "split.csv").open() as table:
        rows = [row for row in csv.DictReader(table) if row["split"] == "test"]
    labels = [name.removeprefix("mask_") for name in rows[0] if name.startswith("mask_")]
    found = [next((row for row in rows if float(row[label] or 0) == 1), None) for label in labels]
    clear = next((row for row in rows if not any(float(row[label] or 0) for label in labels)), None)
    names = dict.fromkeys(row["file"] for row in (*found, clear) if row)
    shutil.rmtree(samples, ignore_errors=True)
    samples.mkdir(parents=True)
    return [Path(shutil.copy(run_folder / name, samples / f"unseen-{n}.dcm")) for n, name in enumerate(names, 1)]


def start(services: Services, bundle: Bundle, samples: Path) -> tuple[str, str, str]:
    """The three services; gives the addresses of model server, gateway and dashboard."""
    model_server, gateway, dashboard = (f"localhost:{free_port(port)}" for port in (8500, 50051, 8501))
    port = [address.rsplit(":", 1)[1] for address in (model_server, gateway, dashboard)]
    base = str(bundle.path.parent)
    services.start("model-server", "serve", "--model_name", bundle.name, "--model_base_path", base, "--port", port[0])
    services.start(
        "gateway", "gateway", "--registry", str(HOME / "registry"), "--model-server", model_server, "--port", port[1]
    )
    services.start("dashboard", "dashboard", "--gateway", gateway, "--port", port[2], "--samples", str(samples))
    return model_server, gateway, dashboard


def wait_until(ready: Callable[[], bool], services: Services, what: str, timeout_s: float = 120) -> None:
    """Waits with a spinner; a service that ends meanwhile is an error at once."""
    deadline = time.monotonic() + timeout_s
    with console.status(f"Waiting for {what}"):
        while not ready():
            services.check()
            if time.monotonic() > deadline:
                raise errors.BackendTimeout(f"{what} did not answer within {timeout_s:.0f} s; see {HOME / 'logs'}.")
            time.sleep(0.2)


def answers(address: str) -> bool:
    """Whether something listens at host:port."""
    host, port = address.rsplit(":", 1)
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex((host, int(port))) == 0


def analyse(client: Client, bundle: Bundle, sample: Path) -> tuple[Analysis, Path]:
    """One unseen image through the gateway; the overlay of its leading finding as a PNG."""
    analysis = client.analyze(sample.read_bytes(), model=bundle.name)
    heat, _ = heatmap(analysis.leading.evidence)
    picture = HOME / "overlay.png"
    picture.write_bytes(encode_png(overlay(read_file(sample).pixels, heat, opacity=0.6)))
    return analysis, picture


def show_analysis(analysis: Analysis, sample: Path) -> None:
    """The finding with its operating point and where the evidence lies."""
    finding = analysis.leading
    point = finding.operating_point
    text = f"[bold]{finding.label}: {finding.verdict.value}[/], probability {finding.probability:.2f}"
    if point is not None:
        sensitivity, specificity = (
            f"{part.value:.2f} ({part.low:.2f} to {part.high:.2f})" if part.value is not None else "not measured"
            for part in (point.sensitivity, point.specificity)
        )
        text += f"\nPresent from {point.threshold:.2f}; there sensitivity {sensitivity}, specificity {specificity}"
    if finding.verdict is not Verdict.ABSENT:
        text += f"\nThe evidence is strongest in the {finding.place} of the picture"
    console.print(
        Panel(f"{text}\n[dim]{analysis.notice}", title=f"{sample.name}, never seen in training", expand=False)
    )


def summarise(bundle: Bundle, run_folder: Path, analysis: Analysis, picture: Path, sample: Path) -> dict[str, object]:
    """What `build/demo/summary.json` holds: figures read from the card, which come from the evaluation."""
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
        "report": str(run_folder / "evaluation" / "report.html"),
        "overlay": str(picture),
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
            *(
                ("undefined", "")
                if auroc.value is None
                else (f"{auroc.value:.3f}", f"{auroc.low:.3f} to {auroc.high:.3f}")
            ),
            "no masks" if game is None or game.value is None else f"{game.value:.2f} of {measured.pointing_images}",
            "" if measured.pointing_centre is None else f"{measured.pointing_centre:.2f}",
        )
    console.print(table)
    for what in ("bundle", "report", "overlay"):
        console.print(f"{what:8} {summary[what]}", soft_wrap=True)
    console.print(f"{'summary':8} {HOME / 'summary.json'}", soft_wrap=True)


def stop_on_signals() -> None:
    """Both signals unwind the stack, so that whatever was started is stopped."""

    def stopped(number: int, frame: FrameType | None) -> None:
        raise Stopped

    signal.signal(signal.SIGINT, stopped)
    signal.signal(signal.SIGTERM, stopped)


def demo(weights: str, once: bool, services: Services) -> None:
    """The whole of it; returns at once after the analysis if `once`, else when interrupted."""
    bundle, run_folder = build(weights)
    samples = pick_samples(run_folder)
    console.rule("[bold]Serving", align="left")
    began = time.monotonic()
    model_server, gateway, dashboard = start(services, bundle, HOME / "samples")
    with Client(gateway) as client:
        wait_until(lambda: client.ready(bundle.name), services, "the model behind the gateway")
        wait_until(lambda: answers(dashboard), services, "the dashboard")
        console.print(f"Serving after {time.monotonic() - began:.0f} s")
        analysis, picture = analyse(client, bundle, samples[0])
    show_analysis(analysis, samples[0])
    summary = summarise(bundle, run_folder, analysis, picture, samples[0])
    (HOME / "summary.json").write_text(json.dumps(summary, indent=2))
    show_summary(bundle, summary)
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


def main() -> int:
    """Runs the demo; 0 if it came to its end or was stopped while serving."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--weights", choices=CONFIGS, default="none", help="imagenet fetches weights and fine-tunes")
    parser.add_argument("--once", action="store_true", help="stop after one analysis")
    arguments = parser.parse_args()
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    stop_on_signals()
    services = Services()
    try:
        demo(arguments.weights, arguments.once, services)
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

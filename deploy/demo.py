"""`make demo`: the whole of Kerascope on one machine, from no data to three running services.

    phantoms -> training -> evaluation -> bundle -> model server, gateway, dashboard -> one answer, one refusal

Everything is done by the same `kerascope` commands a user types. What a former run made is used again.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import time
from pathlib import Path
from types import FrameType

from demo_build import ANEW, CONFIGS, GO_ON, ROOT, Plan, build
from demo_images import Answer, asked, draw_stranger, first_answer, pick_samples
from demo_output import show_answer, show_stranger, show_summary, summarise
from rich.console import Console
from rich.markup import escape
from services import Services, free_port, listens

from serving.client import Client
from serving.predict import write_overlay
from zoo import errors
from zoo.bundles import Bundle
from zoo.results import Analysis

console = Console()


class Stopped(Exception):
    """Ctrl-C or a SIGTERM."""


def start(services: Services, plan: Plan, bundle: Bundle) -> tuple[str, str, str]:
    """The three services; gives the addresses of model server, gateway and dashboard."""
    addresses = tuple(f"localhost:{free_port(port)}" for port in (8500, 50051, 8501))
    model_server, gateway, dashboard = addresses
    ports = [address.rsplit(":", 1)[1] for address in addresses]
    base, registry = str(bundle.path.parent), str(plan.registry)
    services.start("model-server", "serve", "--model_name", bundle.name, "--model_base_path", base, "--port", ports[0])
    os.environ["KERASCOPE_STORE"] = f"sqlite:///{plan.home / 'store.db'}"  # the gateway's: answers and reviews stay
    there = ("--registry", registry, "--model-server", model_server, "--port", ports[1])
    services.start("gateway", "gateway", "--insecure", *there)
    services.start("dashboard", "dashboard", "--gateway", gateway, "--port", ports[2], "--samples", str(plan.samples))
    return model_server, gateway, dashboard


def analyse(plan: Plan, services: Services, bundle: Bundle, gateway: str, dashboard: str) -> Answer:
    """Waits for the services, then shows an answer for an unseen image and a refusal of a picture of another kind."""
    samples, stranger = pick_samples(plan, bundle.card.label_names), draw_stranger(plan)
    began = time.monotonic()
    with Client(gateway, timeout_s=120) as client:
        services.wait_until(lambda: client.ready(bundle.name), "the model behind the gateway", console)
        services.wait_until(lambda: listens(dashboard), "the dashboard", console)
        console.print(f"Serving after {time.monotonic() - began:.0f} s")

        def ask(sample: Path) -> Analysis:
            return client.analyze(sample.read_bytes(), model=bundle.name)

        answer = first_answer(ask, samples, console)
        refusal = asked(ask, stranger)
    write_overlay(answer.sample, answer.analysis.leading, plan.overlay)
    show_answer(answer, console)
    show_stranger(refusal, console)
    summary = summarise(plan, bundle, answer, refusal)
    plan.summary.write_text(json.dumps(summary, indent=2))
    show_summary(bundle, summary, console)
    console.print(f"{'summary':8} {plan.summary}", soft_wrap=True)
    return answer


def demo(plan: Plan, services: Services, *, once: bool) -> None:
    """The whole of it; returns after the analysis if `once`, else serves until interrupted."""
    plan.summary.unlink(missing_ok=True)  # a former run's, which says nothing of this one
    bundle = build(plan, console)
    console.rule("[bold]Serving", align="left")
    model_server, gateway, dashboard = start(services, plan, bundle)
    answer = analyse(plan, services, bundle, gateway, dashboard)
    if once:
        return
    console.print(f"\nDashboard     http://{dashboard}\nGateway       {gateway}  (gRPC)")
    console.print(f"Model server  {model_server}  (gRPC)\n\nTry, in another terminal:")
    command = Path(sys.executable).parent / "kerascope"
    console.print(f"  {command} predict {answer.sample} --model {bundle.name} --gateway {gateway}", soft_wrap=True)
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
    parser.add_argument("--once", action="store_true", help="stop after one answer and one refusal")
    parser.add_argument("--fresh", action="store_true", help="delete what was made before and make everything anew")
    parser.add_argument("--home", type=Path, default=ROOT / "build" / "demo", help="where all of it is made")
    parser.add_argument("--patients", type=int, default=360, help="how many phantoms")
    parser.add_argument("--size", type=int, default=384, help="side of a phantom's picture, in pixels")
    parser.add_argument("--set", action="append", default=[], help="key=value, over the training file's own")
    return parser.parse_args()


def advice(error: Exception) -> str:
    """What to do next: to begin anew helps where data, run or bundle are at fault, and not where a service is."""
    services = (errors.ModelNotReady, errors.BackendTimeout, errors.BadConfig)
    return GO_ON if isinstance(error, services) else ANEW


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
        if arguments.fresh:
            plan.clear()
        demo(plan, services, once=arguments.once)
    except Stopped:
        serving = bool(services.processes)
        console.print("\nStopping." if serving else "\nStopped; `make demo` goes on where this left off.")
        return 0 if serving else 130
    except (errors.KerascopeError, OSError) as error:
        console.print(f"[red]The demo stopped:[/] {escape(str(error))}", soft_wrap=True)
        console.print(advice(error))
        return 1
    finally:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        services.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main())

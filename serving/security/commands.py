"""`kerascope gateway`, `gateway token` and `gateway ready`. What one needs is imported only when it is called."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from zoo import terminal

app = typer.Typer()


@app.callback(invoke_without_command=True)
def gateway(
    context: typer.Context,
    registry: terminal.Registry = Path("registry"),
    model_server: Annotated[str, typer.Option(envvar="KERASCOPE_MODEL_SERVER", help="host:port.")] = "localhost:8500",
    host: Annotated[str, typer.Option(envvar="KERASCOPE_HOST", help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(envvar="KERASCOPE_PORT", help="Port to listen on; 0 picks a free one.")] = 50051,
    metrics_port: Annotated[
        int | None, typer.Option(envvar="KERASCOPE_METRICS_PORT", help="Port for Prometheus; off unless given.")
    ] = None,
    insecure: Annotated[
        bool,
        typer.Option("--insecure", envvar="KERASCOPE_INSECURE", help="No TLS, no tokens; for this machine alone."),
    ] = False,
) -> None:
    """Answer hospital systems: images in, findings with their evidence out."""
    if context.invoked_subcommand is not None:
        return
    terminal.load_tensorflow()
    from serving.server import run
    from serving.settings import Settings

    settings = Settings.from_environment(
        registry=registry,
        model_server=model_server,
        host=host,
        port=port,
        metrics_port=metrics_port,
        insecure=insecure or None,
    )
    raise typer.Exit(run(settings))


@app.command()
def token(
    secret_file: Annotated[Path, typer.Option(help="The gateway's token_secret.")],
    subject: Annotated[str, typer.Option(help="Who will hold the token: it is the audit trail's `who`.")],
    role: Annotated[str, typer.Option(help="system, clinician, engineer or admin.")],
    hours: Annotated[float, typer.Option(min=0.01, max=24 * 366, help="How long it is valid.")] = 8.0,
    audience: Annotated[str, typer.Option(help="The gateway's token_audience, if it has one.")] = "",
) -> None:
    """Print a token, for tests and small sites; a hospital's identity provider makes its own."""
    from serving.security.roles import role_of
    from serving.security.tokens import make, read_secret

    secret = read_secret(secret_file)
    terminal.say(make(secret, subject=subject, role=role_of(role), hours=hours, audience=audience))


@app.command()
def ready(gateway: terminal.Gateway = "localhost:50051") -> None:
    """Say whether a gateway answers: status 0 if it does, 1 if not."""
    from serving.client import Client

    with Client(gateway, timeout_s=5) as client:
        answers = client.ready("")
    terminal.say(f"{gateway} {'answers' if answers else 'does not answer'}")
    raise typer.Exit(not answers)

"""`kerascope serve`: the flags of `tensorflow_model_server`, spelt and read as it reads them."""

from __future__ import annotations

import dataclasses
import inspect
import re
from typing import Any

import typer
from typer.core import TyperCommand

from serving.modelserver.options import REFUSED, Options
from zoo import errors, extras, terminal

app = typer.Typer()
# The flags that are read from the environment where they are not given.
ENVIRONMENT = {"trusted_key": "KERASCOPE_TRUSTED_KEY"}
_KINDS = {"bool": bool, "float": float, "int": int, "str": str}


class ModelServerCommand(TyperCommand):
    """Reads `--flag=true` and `--flag=false`, and says of TensorFlow Serving's other flags that they are not here."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """The words left over, as click has it.

        Raises:
            BadConfig: a flag of TensorFlow Serving's that this server does not honour.
        """
        spelt = {option: param for param in self.params for option in param.opts}
        return super().parse_args(ctx, [_read(word, spelt) for word in args])


def _read(word: str, spelt: dict[str, Any]) -> str:
    flag, _, value = word.partition("=")
    name = flag.removeprefix("--")
    if name in REFUSED and flag != name:
        raise errors.BadConfig(f"--{name} is TensorFlow Serving's; the embedded server refuses it: {REFUSED[name]}.")
    if flag in spelt and spelt[flag].is_flag and value in ("true", "false"):
        return flag if value == "true" else f"--no{name}"
    return word


def _meanings() -> dict[str, str]:
    section = (inspect.getdoc(Options) or "").partition("Attributes:\n")[2]
    found = re.findall(r"^    (\w+): (.*(?:\n {8}.*)*)", section, re.MULTILINE)
    return {name: re.sub(r"\s+", " ", text) for name, text in found}


def _parameters() -> list[inspect.Parameter]:
    meanings, found = _meanings(), []
    for field in dataclasses.fields(Options):
        name, kind = field.name, type(field.default)
        spelt = f"--{name}/--no{name}" if kind is bool else f"--{name}"
        said = meanings[name][0].upper() + meanings[name][1:]
        option = typer.Option(field.default, spelt, envvar=ENVIRONMENT.get(name), help=said)
        keyword = inspect.Parameter.KEYWORD_ONLY
        found.append(inspect.Parameter(name, keyword, default=option, annotation=_KINDS[str(field.type)]))
    version = typer.Option(False, "--version", help="Print the versions and stop.")
    return [*found, inspect.Parameter("version", inspect.Parameter.KEYWORD_ONLY, default=version, annotation=bool)]


def serve(version: bool, **flags: Any) -> None:
    """Serve SavedModels as TensorFlow Serving would, with its flags."""
    import logging

    if version:
        _say_version()
        return
    options = Options(**flags)
    if options.engine == "openvino":
        extras.need("openvino", "`kerascope serve --engine openvino`")
    terminal.load_tensorflow()
    from serving.modelserver.server import run

    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    raise typer.Exit(run(options))


def _say_version() -> None:
    from importlib.metadata import version

    terminal.say(f"TensorFlow ModelServer: kerascope {version('kerascope')}")
    terminal.say(f"TensorFlow Library: {version('tensorflow')}")


serve.__signature__ = inspect.Signature(_parameters())  # type: ignore[attr-defined]
serve.__annotations__ = {parameter.name: parameter.annotation for parameter in _parameters()}
app.command(cls=ModelServerCommand)(serve)

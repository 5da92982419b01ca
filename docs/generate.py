"""Writes the reference pages that say what the code says: `make docs`. A test compares them with the committed ones.

docs/reference/command.md           from the typer application
docs/reference/card.md              from zoo/cards.py
docs/reference/training-config.md   from training/config/
docs/reference/gateway-api.md       from serving/proto/kerascope/v1/inference.proto
docs/reference/errors.md            from zoo/errors.py and serving/status.py
docs/reference/settings.md          from serving/settings.py
docs/reference/data-sets.md         from training/datasets/
docs/reference/dicom-node.md        from serving/hospital/config.py
docs/reference/tasks.md             from zoo/tasks/ (docs/zoo_pages.py)
docs/reference/backbones.md         from zoo/backbones.py (docs/zoo_pages.py)
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import typer

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

import kerascope  # noqa: E402
from docs import zoo_pages  # noqa: E402
from docs.markup import default_of, described, fields, page, preamble, proto_blocks, table  # noqa: E402
from serving import settings, status  # noqa: E402
from serving.hospital import config as node  # noqa: E402
from training import config  # noqa: E402
from training.datasets import sets  # noqa: E402
from zoo import cards, errors, reference, reliability, tasks  # noqa: E402

HERE = Path(__file__).parent / "reference"
PROTO = ROOT / "serving" / "proto" / "kerascope" / "v1" / "inference.proto"

REASONS = {
    errors.Reason.EMPTY: "no bytes, or no pixels",
    errors.Reason.NOT_AN_IMAGE: "none of DICOM, PNG and JPEG, or a file that cannot be read",
    errors.Reason.DAMAGED: "begins as one of them and cannot be decoded, or lacks what it must have",
    errors.Reason.TOO_LARGE: "more bytes or pixels than the gateway reads",
    errors.Reason.TOO_SMALL: "fewer pixels than a model can say anything about",
    errors.Reason.UNREADABLE_TRANSFER_SYNTAX: "a DICOM compression that no decoder here reads",
    errors.Reason.UNSUPPORTED_PIXELS: "a DICOM photometric interpretation or pixel layout that is not read",
    errors.Reason.MULTIPLE_FRAMES: "a series or a film; send one frame",
    errors.Reason.WRONG_MODALITY: "the DICOM Modality is none of the model's",
    errors.Reason.WRONG_BODY_PART: "the DICOM BodyPartExamined is not the model's",
    errors.Reason.WRONG_VIEW: "the DICOM ViewPosition is not the model's",
    errors.Reason.WRONG_SHAPE: "much longer or wider than what the model was made for",
    errors.Reason.COLOUR: "a colour picture for a model that reads grey",
    errors.Reason.GREY: "a grey picture for a model that learnt from colour pictures",
    errors.Reason.BLANK: "all pixels are nearly the same",
    errors.Reason.SATURATED: "mostly pure white, or nothing but black and white",
    errors.Reason.INVERTED: "a negative: with its greys exchanged it would resemble what the model learnt from",
    errors.Reason.TOO_FEW_BITS: "fewer than 8 bits per sample",
    errors.Reason.OUT_OF_DISTRIBUTION: "farther from what the model learnt from than the card's limit",
}


def command_page() -> str:
    """docs/reference/command.md."""
    root = typer.main.get_command(kerascope.app)
    parts = [
        f"{root.help}\n",
        "Every command answers to `--help`, and ends with status 0, 1 (a mistake, said in one line "
        "that begins with `kerascope:`) or 2 (an unknown command or option).\n",
    ]
    parts += [_command(path, command) for path, command in commands(root)]
    return page("The command `kerascope`", "kerascope.py", *parts)


def commands(command: Any, path: str = "kerascope") -> Iterator[tuple[str, Any]]:
    """Every command that does something, with the words that call it, in the order of `--help`."""
    for name, inner in getattr(command, "commands", {}).items():
        if hasattr(inner, "commands"):
            if inner.invoke_without_command:
                yield f"{path} {name}", inner
            yield from commands(inner, f"{path} {name}")
        else:
            yield f"{path} {name}", inner


def _command(path: str, command: Any) -> str:
    arguments = [param for param in command.params if param.param_type_name == "argument"]
    options = [param for param in command.params if param.param_type_name == "option" and param.name != "help"]
    usage = " ".join([path, *(param.name.upper() for param in arguments), *(["[OPTIONS]"] if options else [])])
    rows = [(f"`{param.name.upper()}`", "required", param.help or "") for param in arguments]
    rows += [(_spelt(param), _default(param), _meaning(param)) for param in options]
    body = table(("Argument or option", "Default", "Meaning"), rows) if rows else ""
    return f"## `{path}`\n\n{command.help}\n\n    {usage}\n\n{body}"


def _spelt(param: Any) -> str:
    both = [*param.opts, *param.secondary_opts]
    return " / ".join(f"`{name}`" for name in both)


def _default(param: Any) -> str:
    if param.required:
        return "required"
    if param.default in (None, "", ()):
        return "none"
    return f"`{str(param.default).lower() if isinstance(param.default, bool) else param.default}`"


def _meaning(param: Any) -> str:
    help_text = param.help or "As TensorFlow Serving's flag."
    return f"{help_text} Environment: `{param.envvar}`." if param.envvar else help_text


def card_page() -> str:
    """docs/reference/card.md."""
    owners = (
        cards.ModelCard,
        cards.InputSpec,
        cards.Label,
        cards.OperatingPoint,
        cards.LabelMetrics,
        cards.Interval,
        cards.Calibration,
        cards.TrainingData,
        cards.Training,
        reference.Gate,
        reference.Reference,
        reference.Limits,
        reference.Tested,
        cards.Baseline,
        cards.Subgroup,
        reliability.MethodReliability,
        reliability.Localisation,
    )
    parts = [f"## {owner.__name__}\n\n{preamble(owner)}\n{fields(owner)}" for owner in owners]
    intro = (
        "The file `assets.extra/card.json` of every bundle, and what `kerascope zoo show NAME`, the gateway's "
        "`GetModel` and `Client.card` give. Unknown keys are refused.\n"
    )
    return page("The model card", "zoo/cards.py", intro, *parts)


def config_page() -> str:
    """docs/reference/training-config.md."""
    intro = (inspect.getdoc(config.run) or "") + "\n"
    known = "Tasks: " + ", ".join(f"`{name}`" for name in tasks.TASKS) + ".\n"
    return page(
        "The training file",
        "training/config/",
        intro,
        "`kerascope train CONFIG.toml --set key=value` sets a value over the file's own; stages count from 1: "
        "`--set stage.2.epochs=3`.\n",
        f"## Top level\n\n{fields(config.RunConfig)}\n{known}",
        f"## `[[stage]]`\n\n{preamble(config.Stage)}\n{fields(config.Stage)}",
        f"## `[split]`\n\n{preamble(config.Split)}\n{fields(config.Split)}",
        f"## `[augment]`\n\n{preamble(config.Augment)}\n{fields(config.Augment)}",
        f"## `[task_definition]`\n\n{preamble(config.TaskDefinition)}\n"
        + fields(config.TaskDefinition, also=tasks.Task),
    )


def api_page() -> str:
    """docs/reference/gateway-api.md."""
    head, blocks = proto_blocks(PROTO.read_text(encoding="utf-8"))
    intro = "\n".join(head) + "\n"
    parts = [_block(*block) for block in blocks]
    return page("The gateway's API", "serving/proto/kerascope/v1/inference.proto", intro, *parts)


def _block(kind: str, name: str, said: str, members: list[tuple[str, str]]) -> str:
    heading = {"service": "Method", "message": "Field", "enum": "Value"}[kind]
    rows = [(f"`{member}`", meaning) for member, meaning in members]
    parts = [
        f"## {kind} `{name}`\n",
        f"{said}\n" if said else "",
        table((heading, "Meaning"), rows) if rows else "Empty.\n",
    ]
    return "\n".join(part for part in parts if part)


def errors_page() -> str:
    """docs/reference/errors.md."""
    rows = [
        (f"`{kind.__name__}`", f"`{code.name}`", (inspect.getdoc(kind) or "").split("\n\n")[0])
        for kind, code in status.STATUS.items()
    ]
    reasons = [
        (f"`{reason.value}`", REASONS[reason] + ("" if raised(reason) else " (nothing raises it yet)"))
        for reason in errors.Reason
    ]
    return page(
        "Errors",
        "zoo/errors.py and serving/status.py",
        "Every error raised on purpose is a `zoo.errors.KerascopeError`. The gateway turns it into a gRPC status, and "
        "`serving.client.Client` raises the same error again, with the same message. A message says what was found, "
        "what was expected and what to do, and never holds a patient's name, identifier or date.\n",
        table(("Error", "gRPC status", "Meaning"), rows),
        f"Two trailing metadata travel with the status: `{status.ERROR_KEY}`, the error's name, and, where a picture "
        f"was turned away, `{status.REASON_KEY}`, one of these:\n",
        table(("Reason", "Meaning"), reasons),
    )


def raised(reason: errors.Reason) -> bool:
    """Whether any code that reads or checks images names this reason."""
    sources = (ROOT / "zoo" / "imaging").rglob("*.py")
    return any(f"Reason.{reason.name}" in path.read_text(encoding="utf-8") for path in sources)


def settings_page() -> str:
    """docs/reference/settings.md."""
    meanings = described(settings.Settings)
    rows = [
        (f"`{settings.PREFIX}{name.upper()}`", default_of(field), meanings[name])
        for name, field in settings.Settings.model_fields.items()
    ]
    others = [
        ("`KERASCOPE_GATEWAY`", '`"localhost:50051"`', "`kerascope predict` and `kerascope dashboard`: the gateway."),
        (
            "`KERASCOPE_TLS_CA`",
            "none",
            "All that ask a gateway: a file, in PEM, of the authority that signed its certificate. Set, TLS is spoken.",
        ),
        (
            "`KERASCOPE_TLS_CERTIFICATE`, `KERASCOPE_TLS_KEY`",
            "none",
            "All that ask a gateway: files of their own, in PEM, where the gateway has `tls_client_ca`.",
        ),
        (
            "`KERASCOPE_TOKEN_FILE`, `KERASCOPE_TOKEN`",
            "none",
            "All that ask a gateway: a file with a token, read anew at each call; or the token itself.",
        ),
        (
            "`KERASCOPE_INDEX`",
            "`releases/index.json` of the installation",
            "`kerascope zoo list` and `zoo pull`: the index of bundles, a file or an http(s) address.",
        ),
        ("`KERASCOPE_SAMPLES`", "none", "`kerascope dashboard`: a folder of pictures to offer."),
        ("`KERAS_HOME`", '`"~/.keras"`', "Keras: where ImageNet weights are kept, in its subfolder `models`."),
        ("`TF_CPP_MIN_LOG_LEVEL`", "`0`", "TensorFlow: 3 keeps its start-up messages quiet."),
    ]
    headings = ("Variable", "Default", "Meaning")
    return page(
        "Settings of running processes",
        "serving/settings.py",
        "A running gateway is told what to do by its environment; an option of `kerascope gateway` counts before the "
        "variable. Facts about a model are in [its card](card.md), those about a training run in "
        "[its file](training-config.md).\n",
        "## The gateway\n",
        table(headings, rows),
        "## The others\n",
        table(headings, others),
    )


def node_page() -> str:
    """docs/reference/dicom-node.md."""
    parts = [
        f"## `{heading}`\n\n{preamble(owner)}\n{fields(owner)}"
        for heading, owner in (
            ("[[rule]]", node.Rule),
            ("[[destination]]", node.Destination),
            ("[tls]", node.Tls),
            ("[web]", node.Web),
            ("[[archive]]", node.Archive),
        )
    ]
    return page(
        "The DICOM node's file",
        "serving/hospital/config.py",
        "What `kerascope dicom-node FILE` reads: [connect a PACS](../how-to/connect-a-pacs.md). Unknown keys are "
        "refused.\n",
        f"## Top level\n\n{preamble(node.NodeConfig)}\n{fields(node.NodeConfig)}",
        *parts,
    )


def sets_page() -> str:
    """docs/reference/data-sets.md."""
    rows = [
        (f"[`{name}`](#{name})", record.title, f"`{record.task}`" if record.task else "", record.licence)
        for name, record in sets.SETS.items()
    ]
    return page(
        "Public data sets",
        "training/datasets/",
        "What `kerascope data import NAME SOURCE OUT` reads: "
        "[import a public data set](../how-to/import-a-public-data-set.md). The licence is what its owners say; read "
        "their terms.\n",
        table(("Set", "Title", "Task", "Licence"), rows),
        *(_set(record) for record in sets.SETS.values()),
    )


def _set(record: sets.PublicSet) -> str:
    options = [
        (
            f"`--set {option.name}=`",
            f"`{option.default}`" if option.default else "none",
            option.meaning + (": " + ", ".join(f"`{choice}`" for choice in option.choices if choice))
            if option.choices
            else option.meaning,
        )
        for option in record.options
    ]
    parts = [
        f"## {record.name}\n\n{record.title}. {record.obtain}" + (f" <{record.page}>" if record.page else "") + "\n",
        f"Cite: {record.citation}.\n" if record.citation else "",
        f"```text\n{record.layout.strip()}\n```\n",
        (inspect.getdoc(record.reader) or "") + "\n",
        table(("Option", "Default", "Meaning"), options) if options else "",
    ]
    return "\n".join(part for part in parts if part)


PAGES: dict[str, Callable[[], str]] = {
    "command.md": command_page,
    "card.md": card_page,
    "training-config.md": config_page,
    "gateway-api.md": api_page,
    "errors.md": errors_page,
    "settings.md": settings_page,
    "data-sets.md": sets_page,
    "dicom-node.md": node_page,
    "tasks.md": zoo_pages.tasks_page,
    "backbones.md": zoo_pages.backbones_page,
}


def main() -> None:
    """Writes every page."""
    HERE.mkdir(exist_ok=True)
    for name, make in PAGES.items():
        (HERE / name).write_text(make(), encoding="utf-8")


if __name__ == "__main__":
    main()

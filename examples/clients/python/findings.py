"""Asks a gateway about DICOM, PNG or JPEG files. Research use only.

    python findings.py localhost:50051 MODEL FILE...

One file is one call (`Analyze`), several are one stream (`AnalyzeStream`), whose answers come as they are found. Where
the gateway asks for TLS and tokens, KERASCOPE_TLS_CA and KERASCOPE_TOKEN_FILE name them. Needs Kerascope's core, and no
TensorFlow.
"""

from __future__ import annotations

import sys
from pathlib import Path

from serving.client import Client
from zoo import errors
from zoo.results import Analysis


def show(file: str, analysis: Analysis) -> None:
    """Prints the caution, where there is one, and each finding with its calibrated probability and what that means at
    the model's operating point.
    """
    if analysis.caution is not None:
        print(f"{file}: {analysis.caution.message}")
    for finding in analysis.findings:
        print(f"{file}: {finding.label} {finding.probability:.3f} {finding.verdict.value}")


def main(address: str, model: str, files: list[str]) -> None:
    """Asks and prints."""
    with Client(address) as client:
        if len(files) == 1:
            show(files[0], client.analyze(Path(files[0]).read_bytes(), model=model))
        else:
            names = {f"image-{number}": Path(file) for number, file in enumerate(files)}
            for answer in client.analyze_stream(names.items(), model=model):
                file = str(names[answer.image_id])
                if answer.analysis is not None:
                    show(file, answer.analysis)
                else:
                    print(f"{file}: {type(answer.error).__name__}. {answer.error}")
        print(client.card(model).notice)


if __name__ == "__main__":
    try:
        main(sys.argv[1], sys.argv[2], sys.argv[3:])
    except errors.KerascopeError as error:
        sys.exit(str(error))

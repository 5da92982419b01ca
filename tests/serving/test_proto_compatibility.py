"""What was once in the proto stays: names, numbers and types, so that an old client and a new gateway understand each
other. What is new is written into the snapshot by `python tests/serving/test_proto_compatibility.py`.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from serving.proto.kerascope.v1 import inference_pb2

SNAPSHOT = Path(__file__).with_name("inference.v1.json")


def described() -> dict[str, dict[str, Any]]:
    """Every name of the proto with what must not change about it."""
    file = inference_pb2.DESCRIPTOR
    found: dict[str, dict[str, Any]] = {}
    for name, message in file.message_types_by_name.items():
        found[f"message {name}"] = {field.name: kind(field) for field in message.fields}
    for name, enum in file.enum_types_by_name.items():
        found[f"enum {name}"] = {value.name: value.number for value in enum.values}
    for name, service in file.services_by_name.items():
        found[f"service {name}"] = {method.name: signature(method) for method in service.methods}
    return found


def kind(field: Any) -> str:
    """A field's number and type: `3 optional Interval`."""
    named = field.message_type or field.enum_type
    label = "repeated" if field.is_repeated else "optional" if field.has_presence else "single"
    return f"{field.number} {label} {named.name if named else field.type}"


def signature(method: Any) -> str:
    streams = ("stream " if method.client_streaming else "", "stream " if method.server_streaming else "")
    return f"{streams[0]}{method.input_type.name} -> {streams[1]}{method.output_type.name}"


def test_nothing_that_was_in_the_proto_has_changed_or_gone():
    now = described()
    for name, before in json.loads(SNAPSHOT.read_text()).items():
        assert name in now, f"{name} has gone"
        kept = {member: now[name].get(member) for member in before}
        assert kept == before, f"{name} has changed: an old client reads it wrongly"


def test_no_number_is_used_twice():
    for name, members in described().items():
        if not name.startswith("service"):
            numbers = [str(what).split()[0] for what in members.values()]
            assert len(numbers) == len(set(numbers)), name


def test_the_snapshot_has_what_is_new():
    assert json.loads(SNAPSHOT.read_text()) == described(), (
        f"Run `python {Path(__file__).name}` and commit the snapshot."
    )


if __name__ == "__main__":
    SNAPSHOT.write_text(json.dumps(described(), indent=1) + "\n")

"""Promotion, canary and rollback against real embedded model servers."""

from __future__ import annotations

from pathlib import Path

import pytest

from serving.deploy.labels import promoted, rolled_back, with_canary
from zoo import errors

pytestmark = pytest.mark.slow


def rollout(file: Path, *addresses: str):
    from serving.deploy.rollout import Rollout

    return Rollout(file, addresses, timeout_s=60)


def reached(address: str, label: str) -> int:
    """The version that a call with a label reaches, seen by its answer: Line's offset is its version."""
    from tests.serving.model_server_client import Client, predict_request

    request = predict_request()
    request.model_spec.version_label = label
    client = Client(address)
    answer = client.predict(request)
    client.channel.close()
    return int(answer.outputs["y"].float_val[0] if answer.outputs["y"].float_val else first(answer)) - 2


def first(answer) -> float:
    import tensorflow as tf

    return float(tf.make_ndarray(answer.outputs["y"])[0, 0])


def states(address: str) -> dict[int, str]:
    from tests.serving.model_server_client import Client

    client = Client(address)
    found = client.states()
    client.channel.close()
    return found


def test_a_canary_is_promoted_and_rolled_back_on_every_server(file, start):
    servers = [start(), start()]
    change = rollout(file, *servers)
    assert change.apply("line", lambda before: with_canary(before, 2)) == {"stable": 1, "canary": 2}
    for server in servers:
        assert (reached(server, "stable"), reached(server, "canary")) == (1, 2)
    assert change.apply("line", lambda before: promoted(before, None)) == {"stable": 2, "previous": 1}
    for server in servers:
        assert (reached(server, "stable"), reached(server, "previous")) == (2, 1)
    assert change.apply("line", lambda before: rolled_back(before, None)) == {"stable": 1}
    for server in servers:
        assert reached(server, "stable") == 1
        assert states(server) == {1: "AVAILABLE", 2: "END"}
    assert file.read_text().startswith("# Kept by hand.\n")
    assert [path.name for path in file.parent.iterdir()] == ["models.config"]  # no draft is left


def test_a_version_that_does_not_load_leaves_file_and_server_as_they_were(file, start, base_path):
    server, before = start(), file.read_text()
    (base_path / "3").mkdir()
    (base_path / "3" / "saved_model.pb").write_bytes(b"no graph")
    with pytest.raises(errors.ModelNotReady, match=r"version 3 does not come up at .*servers are as they were"):
        rollout(file, server).apply("line", lambda labels: promoted(labels, 3))
    assert file.read_text() == before
    assert reached(server, "stable") == 1


def test_a_server_that_refuses_brings_the_others_back(file, start):
    # A server that cannot be reached is the refusal that can be had at will.
    server, before = start(), file.read_text()
    with pytest.raises(errors.ModelNotReady, match=r"does not answer .*localhost:1 could not be told"):
        rollout(file, server, "localhost:1").apply("line", lambda labels: promoted(labels, 2))
    assert file.read_text() == before
    assert reached(server, "stable") == 1


def test_a_file_without_labels_starts_from_what_callers_get_now(file, start, base_path):
    file.write_text(
        f'model_config_list {{ config {{ name: "line" base_path: "{base_path}" model_platform: "tensorflow" '
        "model_version_policy { specific { versions: 1 } } } }"
    )
    server = start()
    after = rollout(file, server).apply("line", lambda before: with_canary(before, 2))
    assert after == {"stable": 1, "canary": 2}
    assert (reached(server, "stable"), reached(server, "canary")) == (1, 2)


def test_a_model_that_is_not_listed_and_a_file_that_is_none_are_said(file, start):
    server = start()
    with pytest.raises(errors.UnknownModel, match="Listed: line"):
        rollout(file, server).apply("lime", lambda labels: labels)
    file.write_text("no config")
    with pytest.raises(errors.BadConfig, match="no ModelServerConfig"):
        rollout(file, server).apply("line", lambda labels: labels)


def test_a_name_stands_for_every_server_behind_it():
    from serving.deploy.control import resolved

    assert "127.0.0.1:8500" in resolved(["dns:///localhost:8500"])
    assert resolved(["model-server:8500"]) == ["model-server:8500"]  # not asked of DNS: the reader may have a tunnel
    with pytest.raises(errors.ModelNotReady, match="leads to no address"):
        resolved(["dns:///nowhere.invalid:8500"])

"""Messages that no client would send: each a good answer or an error of ours. `python -m benchmarks.fuzz_gateway` sends
100,000.
"""

from __future__ import annotations

import collections

import grpc
import pytest

from benchmarks import fuzz_gateway


@pytest.mark.slow
def test_every_message_has_a_good_answer_or_an_error_of_ours(registry, model_server, start_gateway, tmp_path):
    gateway = start_gateway(registry, model_server.port, store=f"sqlite:///{tmp_path}/store.db")
    with grpc.insecure_channel(gateway.address) as channel:
        found = collections.Counter(said for said, _ in fuzz_gateway.rounds(channel, "tiny-chest", 400))
    assert not [said for said in found if said.startswith("UNTYPED")]
    assert {"answered", "BadRequest", "UnknownModel"} <= found.keys()

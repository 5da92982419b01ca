"""A channel to model servers: which of several is asked, what is asked twice, when a silent one is noticed."""

from __future__ import annotations

import json

from zoo.loopback import is_loopback_target

# Several servers behind one name take turns, and a call that met a server that is going is made of another one: Predict
# changes nothing, so asking twice is safe. Where most calls fail (all queues are full, say) there is no second asking.
# https://github.com/grpc/grpc/blob/master/doc/service_config.md, gRFC A6 (retries and their throttling)
SERVICE_CONFIG = {
    "loadBalancingConfig": [{"round_robin": {}}],
    "methodConfig": [
        {
            "name": [{"service": f"tensorflow.serving.{service}"} for service in ("PredictionService", "ModelService")],
            "retryPolicy": {
                "maxAttempts": 3,
                "initialBackoff": "0.05s",
                "maxBackoff": "0.5s",
                "backoffMultiplier": 2,
                "retryableStatusCodes": ["UNAVAILABLE"],
            },
        }
    ],
    "retryThrottling": {"maxTokens": 200, "tokenRatio": 0.5},  # a hundred calls may meet the same dying server
}

# A server that comes back is found within about a second; one that hangs is noticed by a ping during a call.
CHANNEL_OPTIONS = (
    ("grpc.service_config", json.dumps(SERVICE_CONFIG)),
    ("grpc.max_send_message_length", -1),
    ("grpc.max_receive_message_length", -1),
    ("grpc.initial_reconnect_backoff_ms", 200),
    ("grpc.min_reconnect_backoff_ms", 1000),
    ("grpc.max_reconnect_backoff_ms", 1000),
    ("grpc.keepalive_time_ms", 20_000),
    ("grpc.keepalive_timeout_ms", 10_000),
)


def direct(target: str) -> tuple[tuple[str, object], ...]:
    """The channel option that asks this machine's own servers without the proxy of `http_proxy` and the like; none for
    other targets. grpc_types.h, GRPC_ARG_ENABLE_HTTP_PROXY."""
    return (("grpc.enable_http_proxy", 0),) if is_loopback_target(target) else ()

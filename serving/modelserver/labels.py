"""Version labels: names such as "stable" and "canary" that a configuration gives to versions."""

from __future__ import annotations

from collections.abc import Container, Mapping

import tensorflow as tf
from tensorflow_serving.config.model_server_config_pb2 import ModelServerConfig

Labels = Mapping[str, Mapping[str, int]]


def assign(
    config: ModelServerConfig,
    before: Labels,
    serving: Mapping[str, Container[int]],
    *,
    any_version: bool,
) -> Labels:
    """Model -> label -> version, as the configuration has them.

    A label may name only a version that serves now. With `any_version` a new label may name any version,
    but a label that exists moves only to one that serves (TensorFlow Serving,
    ServerCore::UpdateModelVersionLabelMap).

    Raises:
        tf.errors.FailedPreconditionError: a label names a version that it may not.
    """
    after: dict[str, dict[str, int]] = {}
    for model in config.model_config_list.config:
        for label, version in model.version_labels.items():
            moves = before.get(model.name, {}).get(label, version) != version
            if version not in serving.get(model.name, ()) and (moves or not any_version):
                raise tf.errors.FailedPreconditionError(
                    None,
                    None,
                    f"Request to assign label to version {version} of model {model.name}, which is not currently "
                    "available for inference (allow_version_labels_for_unavailable_models lets a new label be)",
                )
            after.setdefault(model.name, {})[label] = version
    return after

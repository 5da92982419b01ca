"""The configuration of the models: read from a file or from the flags, and checked.

Rules and key phrases are those of TensorFlow Serving's server_core.cc.
"""

from __future__ import annotations

from pathlib import Path, PurePosixPath
from typing import TypeVar

import tensorflow as tf
from google.protobuf import text_format
from google.protobuf.message import Message
from tensorflow_serving.config.model_server_config_pb2 import (
    ModelConfig,
    ModelConfigList,
    ModelServerConfig,
    ModelType,
)

from serving.modelserver.options import Options
from zoo.errors import BadConfig

PLATFORM = "tensorflow"
_EXAMPLE = 'Expected: model_config_list { config { name: "n" base_path: "/p" model_platform: "tensorflow" } }'

Text = TypeVar("Text", bound=Message)


def model_server_config(options: Options) -> ModelServerConfig:
    """The models that the options ask for.

    Raises:
        BadConfig: the configuration file is missing or is no ModelServerConfig in text format.
    """
    if options.model_config_file:
        return read_config(Path(options.model_config_file))
    base_path = str(Path(options.model_base_path).absolute())
    model = ModelConfig(name=options.model_name, base_path=base_path, model_platform=PLATFORM)
    return ModelServerConfig(model_config_list=ModelConfigList(config=[model]))


def read_config(path: Path) -> ModelServerConfig:
    """One ModelServerConfig from a text file; raises BadConfig if it cannot be read."""
    return read_text("model_config_file", path, ModelServerConfig(), _EXAMPLE)


def read_text(flag: str, path: Path, message: Text, example: str) -> Text:
    """Fills a message from the file in protobuf's text format that a flag names.

    Raises:
        BadConfig: the file cannot be read, or holds something else; `example` says what was expected.
    """
    try:
        return text_format.Parse(path.read_text(encoding="utf-8"), message)
    except (OSError, UnicodeDecodeError) as error:
        raise BadConfig(f"{flag} {path} cannot be read: {error}.") from None
    except text_format.ParseError as error:
        kind = message.DESCRIPTOR.name
        raise BadConfig(f"{flag} {path} is no {kind} in protobuf's text format: {error}. {example}") from None


def check(config: ModelServerConfig) -> None:
    """Raises tf.errors.InvalidArgumentError if a configuration asks for what cannot be served."""
    if config.WhichOneof("config") != "model_config_list":
        raise _invalid(
            "ServerModelConfig type not supported by this server. Only ModelConfigList is currently supported"
        )
    names: set[str] = set()
    for model in config.model_config_list.config:
        if model.name in names:
            raise _invalid(f"Illegal to list model {model.name} multiple times in config list")
        names.add(model.name)
        if not PurePosixPath(model.base_path).is_absolute():
            raise _invalid(
                f"Expected model {model.name} to have an absolute path or URI; got base_path()={model.base_path}"
            )
        _check_platform(model)
        if model.HasField("logging_config"):
            raise _invalid(
                f"No request-logger-creator provided. Model {model.name} has a logging_config, and requests are not "
                "logged here, nor by a TensorFlow Serving as it is released: leave it out."
            )


def _check_platform(model: ModelConfig) -> None:
    if model.model_type != ModelType.MODEL_TYPE_UNSPECIFIED:
        if model.model_platform:
            raise _invalid(
                "Illegal setting both ModelServerConfig::model_type (deprecated) and ModelServerConfig::model_platform."
            )
        if model.model_type != ModelType.TENSORFLOW:
            raise _invalid(f"ModelServerConfig::model_type choice {model.model_type} not supported.")
    elif not model.model_platform:
        raise _invalid(
            "Illegal setting neither ModelServerConfig::model_type (deprecated) nor ModelServerConfig::model_platform."
        )
    elif model.model_platform != PLATFORM:
        raise _invalid(f"Model {model.name} requests unsupported platform {model.model_platform}")


def _invalid(message: str) -> tf.errors.InvalidArgumentError:
    return tf.errors.InvalidArgumentError(None, None, message)

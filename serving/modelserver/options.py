"""The flags of `tensorflow_model_server` that this server honours, and the models that they ask for."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from google.protobuf import text_format
from tensorflow_serving.config.model_server_config_pb2 import ModelConfig, ModelConfigList, ModelServerConfig

from zoo.errors import BadConfig

PLATFORM = "tensorflow"


@dataclass(frozen=True)
class Options:
    """What to serve and how; each field bears the name, meaning and default of TensorFlow Serving's flag.

    Attributes:
        port: TCP port of the gRPC API, on all interfaces; 0 takes a free one.
        grpc_socket_path: a Unix socket to listen on as well; empty for none.
        model_name: name of the one model, where no model_config_file is given.
        model_base_path: its folder of numbered versions. It may be relative here; TensorFlow Serving, and
            both in a configuration file, want it absolute.
        model_config_file: a ModelServerConfig in protobuf's text format; model_name and model_base_path
            are then ignored.
        model_config_file_poll_wait_seconds: read that file again this often; 0 for once only.
        file_system_poll_wait_seconds: look for new and removed versions this often; 0 for once only.
        tensorflow_intra_op_parallelism: threads within one operation; 0 leaves the choice to TensorFlow.
        tensorflow_inter_op_parallelism: operations at once; 0 leaves the choice to TensorFlow.
        grpc_max_threads: calls answered at once; 0 for four per processor core.
        enable_model_warmup: replay assets.extra/tf_serving_warmup_requests before a version serves.
        allow_version_labels_for_unavailable_models: a new label may name a version that is not loaded
            (yet); a configuration file with version_labels needs it at the start.
    """

    port: int = 8500
    grpc_socket_path: str = ""
    model_name: str = "default"
    model_base_path: str = ""
    model_config_file: str = ""
    model_config_file_poll_wait_seconds: float = 0
    file_system_poll_wait_seconds: float = 1
    tensorflow_intra_op_parallelism: int = 0
    tensorflow_inter_op_parallelism: int = 0
    grpc_max_threads: int = 0
    enable_model_warmup: bool = True
    allow_version_labels_for_unavailable_models: bool = False

    def __post_init__(self) -> None:
        if not 0 <= self.port <= 65535:
            raise BadConfig(f"port is {self.port}; it must be from 0 (any free port) to 65535.")
        for name in (
            "model_config_file_poll_wait_seconds",
            "file_system_poll_wait_seconds",
            "tensorflow_intra_op_parallelism",
            "tensorflow_inter_op_parallelism",
            "grpc_max_threads",
        ):
            if getattr(self, name) < 0:
                raise BadConfig(f"{name} is {getattr(self, name)}; it must be 0 or more.")
        if not self.model_base_path and not self.model_config_file:
            raise BadConfig("There is no model to serve. Give model_base_path (and model_name) or model_config_file.")


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
    try:
        return text_format.Parse(path.read_text(encoding="utf-8"), ModelServerConfig())
    except (OSError, UnicodeDecodeError) as error:
        raise BadConfig(f"model_config_file {path} cannot be read: {error}.") from None
    except text_format.ParseError as error:
        raise BadConfig(
            f"model_config_file {path} is no ModelServerConfig in protobuf's text format: {error}. "
            'Expected: model_config_list { config { name: "n" base_path: "/p" model_platform: "tensorflow" } }'
        ) from None

"""The flags of `tensorflow_model_server` that this server honours, and those that it refuses by name.

Source of names, meanings and defaults: TensorFlow Serving's model_servers/main.cc and server.h.
"""

from __future__ import annotations

from dataclasses import dataclass

from zoo.errors import BadConfig

REFUSED = {
    "enable_profiler": "it has no profiler service",
    "flush_filesystem_caches": "it leaves the file system's caches alone",
    "force_allow_any_version_labels_for_unavailable_models": "a label moves only to a version that serves",
    "num_request_iterations_for_warmup": "each warm-up record is replayed once",
    "num_tflite_interpreters_per_pool": "it runs no TensorFlow Lite models",
    "num_tflite_pools": "it runs no TensorFlow Lite models",
    "num_unload_threads": "letting go of a version takes no thread",
    "per_process_gpu_memory_fraction": "it computes on the processor; TensorFlow Serving is for GPUs",
    "platform_config_file": "it has one platform, tensorflow",
    "prefer_tflite_model": "it runs no TensorFlow Lite models",
    "remove_unused_fields_from_bundle_metagraph": "it keeps no graph but the one that it runs",
    "saved_model_tags": 'it loads the graph tagged "serve"',
    "skip_initialize_tpu": "it has no TPU",
    "tensorflow_session_config_file": "give tensorflow_intra_op_parallelism and tensorflow_inter_op_parallelism",
    "tensorflow_session_parallelism": "give tensorflow_intra_op_parallelism and tensorflow_inter_op_parallelism",
    "thread_pool_factory_config_file": "its threads are TensorFlow's own",
    "use_alts_credentials": "it has no ALTS; give ssl_config_file",
    "xla_cpu_compilation_enabled": "it computes as the SavedModel says",
    "xla_gpu_compilation_enabled": "it computes as the SavedModel says",
}
"""Flags of `tensorflow_model_server` that this server does not honour, and why or what instead."""

ENGINES = ("tensorflow", "openvino")
"""What may compute the signatures."""

PAD_UP, BATCH_DOWN = "PAD_UP", "BATCH_DOWN"
PADDING_POLICIES = (PAD_UP, BATCH_DOWN)
"""What is done with rows that make no allowed number (TensorFlow's kernels/batching_util/batch_scheduler_utils.h)."""


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
        rest_api_port: TCP port of the REST API, on all interfaces; 0 for none.
        rest_api_num_threads: REST requests answered at once; 0 for four per processor core.
        rest_api_timeout_in_ms: milliseconds until a REST request that waits is answered with an error.
        rest_api_enable_cors_support: tell browsers that pages from elsewhere may ask the REST API.
        monitoring_config_file: a MonitoringConfig in protobuf's text format; it can open a page for Prometheus on the
            REST port.
        ssl_config_file: an SSLConfig in protobuf's text format; the gRPC API then speaks TLS.
        grpc_channel_arguments: arguments of the gRPC server: name=value, separated by commas.
        enable_grpc_healthcheck_service: answer gRPC's health checks, which TensorFlow Serving does only if asked.
        grpc_max_threads: calls answered at once; 0 for four per processor core, and with enable_batching for as many
            as fill the queues, at most 256.
        enable_batching: compute calls that arrive together in one go.
        batching_parameters_file: a BatchingParameters in protobuf's text format, in place of the defaults.
        enable_per_model_batching_parameters: take them from batching_params.pbtxt in the version's folder, all but the
            threads; a version without that file is not batched.
        batch_padding_policy: what is done with calls that make none of the allowed_batch_sizes. BATCH_DOWN computes as
            many as make one, and the rest after them: on a processor, rows of padding take as long as others. PAD_UP
            pads them, as TensorFlow Serving does. The words are TensorFlow's; this flag is ours.
        num_load_threads: versions loaded at once; 0 for one per processor core until a version serves, then one.
        max_num_load_retries: tries after the first that failed, before a version is given up. One whose files change
            is tried again at once, given up or not.
        load_retry_interval_micros: microseconds between two tries; a negative number for none.
        enable_signature_method_name_check: Classify and Regress want a signature whose method_name is theirs; without
            it, one with the right inputs and outputs will do.
        enable_serialization_as_tensor_content: Predict writes the numbers of its answers as tensor_content, and not
            into the field of their type, such as float_val.
        engine: tensorflow, or openvino for more speed on x86 processors (the optional extra [openvino]). This flag
            is ours.
        mixed_precision: bfloat16 to compute in it, with engine openvino and where the processor can; answers are then
            off by up to a hundredth. Empty for float32.
        trusted_key: file of public keys, PEM: only a version that one of them signed (kerascope zoo sign), and that is
            as it was then, is loaded; empty to load any. This flag is ours.
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
    rest_api_port: int = 0
    rest_api_num_threads: int = 0
    rest_api_timeout_in_ms: int = 30_000
    rest_api_enable_cors_support: bool = False
    monitoring_config_file: str = ""
    ssl_config_file: str = ""
    grpc_channel_arguments: str = ""
    enable_grpc_healthcheck_service: bool = True
    grpc_max_threads: int = 0
    enable_batching: bool = False
    batching_parameters_file: str = ""
    enable_per_model_batching_parameters: bool = False
    batch_padding_policy: str = BATCH_DOWN
    num_load_threads: int = 0
    max_num_load_retries: int = 5
    load_retry_interval_micros: int = 60_000_000
    enable_signature_method_name_check: bool = False
    enable_serialization_as_tensor_content: bool = False
    engine: str = "tensorflow"
    mixed_precision: str = ""
    trusted_key: str = ""
    enable_model_warmup: bool = True
    allow_version_labels_for_unavailable_models: bool = False

    def __post_init__(self) -> None:
        if not 0 <= self.port <= 65535:
            raise BadConfig(f"port is {self.port}; it must be from 0 (any free port) to 65535.")
        if not 0 <= self.rest_api_port <= 65535 or (self.rest_api_port and self.rest_api_port == self.port):
            raise BadConfig(
                f"rest_api_port is {self.rest_api_port}; it must be from 1 to 65535 and not gRPC's port, or 0 for none."
            )
        if self.rest_api_timeout_in_ms <= 0:
            raise BadConfig(f"rest_api_timeout_in_ms is {self.rest_api_timeout_in_ms}; it must be 1 or more.")
        for name in (
            "model_config_file_poll_wait_seconds",
            "file_system_poll_wait_seconds",
            "tensorflow_intra_op_parallelism",
            "tensorflow_inter_op_parallelism",
            "grpc_max_threads",
            "rest_api_num_threads",
            "num_load_threads",
            "max_num_load_retries",
        ):
            if getattr(self, name) < 0:
                raise BadConfig(f"{name} is {getattr(self, name)}; it must be 0 or more.")
        if self.batch_padding_policy not in PADDING_POLICIES:
            raise BadConfig(
                f"batch_padding_policy is {self.batch_padding_policy!r}; it must be one of "
                f"{', '.join(PADDING_POLICIES)}."
            )
        if self.engine not in ENGINES:
            raise BadConfig(f"engine is {self.engine!r}; it must be one of {', '.join(ENGINES)}.")
        if self.mixed_precision and (self.mixed_precision, self.engine) != ("bfloat16", "openvino"):
            raise BadConfig(
                f"mixed_precision is {self.mixed_precision!r} with engine {self.engine}; it may be bfloat16 with "
                "engine openvino. Leave it out, or change the engine."
            )
        if not self.model_base_path and not self.model_config_file:
            raise BadConfig("There is no model to serve. Give model_base_path (and model_name) or model_config_file.")

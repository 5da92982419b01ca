"""What the doctor finds of machine, software, ports and environment: what is broken is told, and no secret."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from serving.doctor import environment, machine, ports, report, software
from serving.doctor.checks import Check, State

INTEL = "model name\t: Some Processor\nflags\t\t: fpu sse2 avx avx2 avx512f amx_tile\n"


def written(root: Path, **files: str) -> Path:
    for name, text in files.items():
        path = root / name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


def test_the_processor_is_named_with_what_onednn_uses(tmp_path):
    found = machine.processor(written(tmp_path, proc__cpuinfo=INTEL))
    assert found.found == "Some Processor: AVX, AVX2, AVX-512, AMX"
    assert found.state is State.OK


def test_a_processor_without_avx_is_wrong(tmp_path):
    found = machine.processor(written(tmp_path, proc__cpuinfo=INTEL.replace(" avx", " x")))
    assert found.state is State.WRONG
    assert "AVX" in found.fix


def test_the_quota_of_a_group_above_this_one_counts(tmp_path):
    # 50 ms of each 100 ms: half a core.
    (tmp_path / "sys/fs/cgroup/pod/box").mkdir(parents=True)
    written(tmp_path / "proc/self", cgroup="0::/pod/box\n")
    written(tmp_path / "sys/fs/cgroup/pod").joinpath("cpu.max").write_text("50000 100000\n")
    (tmp_path / "sys/fs/cgroup/pod/box/cpu.max").write_text("max 100000\n")
    assert machine.cpu_quota(tmp_path) == 0.5
    found = machine.cores(tmp_path)
    assert found.state is State.UNUSUAL
    assert "TF_NUM_INTRAOP_THREADS=1" in found.fix


def test_the_quota_of_the_first_version_of_control_groups_counts(tmp_path):
    written(tmp_path / "proc/self", cgroup="4:cpu,cpuacct:/box\n")
    (tmp_path / "sys/fs/cgroup/cpu/box").mkdir(parents=True)
    (tmp_path / "sys/fs/cgroup/cpu/box/cpu.cfs_quota_us").write_text("150000\n")
    assert machine.cpu_quota(tmp_path) == 1.5


def test_memory_is_what_the_control_group_allows(tmp_path):
    written(tmp_path / "proc", meminfo="MemTotal: 16000000 kB\nMemAvailable: 9000000 kB\n")
    assert machine.memory(tmp_path).state is State.OK
    written(tmp_path / "proc/self", cgroup="0::/\n")
    (tmp_path / "sys/fs/cgroup").mkdir(parents=True)
    (tmp_path / "sys/fs/cgroup/memory.max").write_text("2000000000\n")
    found = machine.memory(tmp_path)
    assert found.state is State.UNUSUAL
    assert "limited to 2.0 GB" in found.found


def test_a_python_that_is_not_ours_is_wrong():
    assert software.python((3, 9)).state is State.WRONG
    assert software.python((3, 11)).state is State.OK


def test_an_extra_that_is_not_installed_is_named_with_its_command():
    needs = ["numpy>=1", "no-such-package>=1; extra == 'onnx'", "numpy; extra == 'serve'"]
    found = software.extras([Requirement(need) for need in needs]).found
    assert "pip install 'kerascope[onnx]'" in found
    assert "kerascope[serve]" not in found


def test_a_package_of_another_version_than_asked_for_is_wrong():
    (found,) = software.wrong_versions([Requirement("numpy<1.0"), Requirement("pydantic>=2")])
    assert (found.name, found.state, found.fix) == ("numpy", State.WRONG, "pip install 'numpy<1.0'")


LISTENER = (
    "import socket, sys; s = socket.create_server(('', 0)); print(s.getsockname()[1], flush=True); sys.stdin.read()"
)


@pytest.fixture
def listening() -> Iterator[tuple[int, int]]:
    """A process that is called as the gateway is, and listens: its port and its number."""
    command = [sys.executable, "-c", LISTENER, "kerascope", "gateway", "/home/doe"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        yield int(process.stdout.readline()), process.pid
        process.kill()


def test_a_port_that_another_program_has_taken_is_told_with_what_to_do():
    with socket.create_server(("", 0)) as taken:
        port = taken.getsockname()[1]
        found = ports.examine_port(port, "gateway", "kerascope gateway --port")
    assert found.state is State.UNUSUAL
    assert f"(process {os.getpid()})" in found.found
    assert "kerascope gateway --port" in found.fix
    assert ports.examine_port(port, "gateway", "").found == "free"


def test_a_port_that_our_own_gateway_has_taken_is_as_it_should_be(listening):
    port, process = listening
    found = ports.examine_port(port, "gateway", "")
    assert found == Check(ports.PART, f"{port}, gateway", f"taken by kerascope gateway (process {process})")


def test_the_ports_are_those_that_our_commands_open():
    import kerascope
    from serving.hospital.config import NodeConfig

    dashboard = next(c for c in kerascope.app.registered_commands if c.callback and c.callback.__name__ == "dashboard")
    assert dashboard.callback is not None
    assert ports.DASHBOARD in dashboard.callback.__defaults__
    assert NodeConfig.model_fields["port"].default == ports.DICOM_NODE
    assert set(ports.defaults()) == {8500, 8501, 50051, 11112}


def test_no_value_that_may_be_a_secret_or_a_path_is_shown(tmp_path):
    secrets = {
        "KERASCOPE_TOKEN": "s3cret",
        "KERASCOPE_STORE": "postgresql://jane:s3cret@host/patients",
        "TF_XLA_FLAGS": "--tf_xla_dump=/data/jane",
        "https_proxy": "http://jane:s3cret@proxy:3128",
        "LD_LIBRARY_PATH": "/home/jane/lib",
        "TF_SOMETHING": "jane",
        "KERAS_HOME": str(tmp_path / "jane"),
        "KERAS_BACKEND": "/home/jane",
        "PATIENT": "jane",
    }
    checks = list(environment.examine(secrets))
    shown = json.dumps(report.as_dict(checks))
    assert "jane" not in shown
    assert "s3cret" not in shown
    assert "PATIENT" not in shown
    for name in secrets.keys() - {"PATIENT"}:
        assert name in shown


def test_a_variable_that_changes_numbers_is_shown_with_its_value_and_what_it_does():
    (found, *_) = environment.examine({"ONEDNN_MAX_CPU_ISA": "AVX2", "KERAS_HOME": "/nowhere"})
    assert found.state is State.UNUSUAL
    assert found.found.startswith("is AVX2: hides processor features")


def test_a_proxy_that_stands_between_gateway_and_model_server_is_told():
    assert next(environment.proxy({"http_proxy": "http://proxy"})).fix == "export no_proxy=localhost,127.0.0.1"
    assert not list(environment.proxy({"http_proxy": "http://proxy", "no_proxy": "localhost,127.0.0.1"}))


def test_unusual_settings_of_keras_are_told_and_unusable_ones_are_wrong(tmp_path):
    (tmp_path / "keras.json").write_text('{"image_data_format": "channels_first"}')
    (found,) = environment.keras({"KERAS_HOME": str(tmp_path)})
    assert found.state is State.UNUSUAL
    assert "channels_first (keras.json)" in found.found
    (tmp_path / "keras.json").write_text('{"floatx": "bfloat16"}')
    (found,) = environment.keras({"KERAS_HOME": str(tmp_path)})
    assert found.state is State.WRONG


def test_only_what_is_wrong_makes_it_unwell():
    usual = [Check("p", "n", "f", state) for state in State if state is not State.WRONG]
    assert report.well(usual)
    assert not report.well([*usual, Check("p", "n", "f", State.WRONG)])

from __future__ import annotations

from pathlib import Path

import pytest

from serving.settings import Settings
from zoo import errors


def test_settings_come_from_the_environment_and_overrides_count_first():
    environment = {"KERASCOPE_REGISTRY": "/models", "KERASCOPE_PORT": "6000", "KERASCOPE_GATEWAY": "elsewhere:1"}
    settings = Settings.from_environment(environment, port=0, model_server=None)
    assert settings.registry == Path("/models")
    assert settings.port == 0
    assert settings.model_server == "localhost:8500"


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("KERASCOPE_PORT", "tcp://10.0.0.1:50051"),
        ("KERASCOPE_PORT", "70000"),
        ("KERASCOPE_MODEL_SERVER", "localhost"),
        ("KERASCOPE_REQUEST_TIMEOUT_S", "0"),
        ("KERASCOPE_LOG_LEVEL", "LOUD"),
    ],
)
def test_an_impossible_setting_is_named_with_its_variable(variable: str, value: str):
    with pytest.raises(errors.BadConfig) as caught:
        Settings.from_environment({variable: value})
    assert value in str(caught.value)
    assert variable in str(caught.value)


def test_an_unknown_override_is_an_error_that_lists_the_settings():
    with pytest.raises(errors.BadConfig, match=r"No setting is called 'prot'.*port"):
        Settings.from_environment({}, prot=1)

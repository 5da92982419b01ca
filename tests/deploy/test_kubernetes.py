"""The manifests, put together as kustomize does and held against Kubernetes' own schemas. No cluster was asked."""

from __future__ import annotations

import dataclasses
from typing import Any

import kubernetes_validate
import pytest

from tests.deploy.kustomize import Resource, build
from tests.test_deploy import DEPLOY, ROOT, TENSORFLOW_SERVING_ALONE

OVERLAYS = ("gpu", "cpu")
# The oldest that has every field used (probes by gRPC, autoscaling/v2), and the newest there is a schema of.
VERSIONS = ("1.27", kubernetes_validate.latest_version())


def overlay(kind: str) -> list[Resource]:
    return build(DEPLOY / "kubernetes" / "overlays" / kind)


def one(kind: str, name: str, resources: list[Resource]) -> dict[str, Any]:
    (found,) = [r for r in resources if (r["kind"], r["metadata"]["name"]) == (kind, name)]
    return found


def pod(name: str, resources: list[Resource]) -> dict[str, Any]:
    template: dict[str, Any] = one("Deployment", name, resources)["spec"]["template"]
    return template


def container(name: str, resources: list[Resource]) -> dict[str, Any]:
    (found,) = pod(name, resources)["spec"]["containers"]
    return found


def flags(resources: list[Resource]) -> dict[str, str]:
    return dict(argument.removeprefix("--").split("=", 1) for argument in container("model-server", resources)["args"])


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("kind", OVERLAYS)
def test_every_resource_is_one_that_kubernetes_accepts(kind, version):
    for resource in overlay(kind):
        kubernetes_validate.validate(resource, version, strict=True)


def test_a_misspelt_field_is_found():
    resource = one("Deployment", "model-server", overlay("gpu"))
    resource["spec"]["template"]["spec"]["automountServiceAcountToken"] = False
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(resource, VERSIONS[-1], strict=True)


@pytest.mark.parametrize(("kind", "ending"), [("gpu", "-gpu"), ("cpu", "")])
def test_the_image_is_pinned_and_one_server_has_one_gpu(kind, ending):
    from serving.deploy.commands import TENSORFLOW_SERVING

    server = container("model-server", overlay(kind))
    assert server["image"] == f"tensorflow/serving:{TENSORFLOW_SERVING}{ending}"
    assert server["resources"]["limits"].get("nvidia.com/gpu") == (1 if kind == "gpu" else None)
    assert ("per_process_gpu_memory_fraction" in flags(overlay(kind))) is (kind == "gpu")


def test_a_gpu_is_given_back_before_the_next_server_asks_for_one():
    rolling = one("Deployment", "model-server", overlay("gpu"))["spec"]["strategy"]["rollingUpdate"]
    assert rolling == {"maxSurge": 0, "maxUnavailable": 1}


@pytest.mark.parametrize("kind", OVERLAYS)
@pytest.mark.parametrize("name", ["model-server", "gateway", "dashboard"])
def test_a_pod_runs_as_nobody_special_and_can_change_nothing(kind, name):
    resources = overlay(kind)
    spec, inside = pod(name, resources)["spec"], container(name, resources)["securityContext"]
    assert spec["securityContext"]["runAsNonRoot"] is True
    assert spec["securityContext"]["runAsUser"] == 10001
    assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert spec["automountServiceAccountToken"] is False
    assert inside["readOnlyRootFilesystem"] is True
    assert inside["allowPrivilegeEscalation"] is False
    assert inside["capabilities"] == {"drop": ["ALL"]}
    for mount in container(name, resources)["volumeMounts"]:
        assert mount.get("readOnly") or mount["mountPath"] == "/tmp"
    labels = one("Namespace", "kerascope", resources)["metadata"]["labels"]
    assert labels["pod-security.kubernetes.io/enforce"] == "restricted"


def allowed(resources: list[Resource], name: str, port: int) -> list[str]:
    """The pods that may call a port of a pod, by their label."""
    rules = one("NetworkPolicy", name, resources)["spec"]["ingress"]
    peers = [peer for rule in rules if {"port": port} in rule["ports"] for peer in rule["from"]]
    assert all("podSelector" in peer or port == 8501 for peer in peers)
    return [next(iter(peer["podSelector"]["matchLabels"].values())) for peer in peers if "podSelector" in peer]


def test_only_the_gateway_reaches_the_model_server_and_the_model_server_reaches_nobody():
    resources = overlay("gpu")
    policy = one("NetworkPolicy", "model-server", resources)["spec"]
    assert policy["podSelector"] == {"matchLabels": pod("model-server", resources)["metadata"]["labels"]}
    assert policy["policyTypes"] == ["Ingress", "Egress"]
    assert "egress" not in policy
    assert allowed(resources, "model-server", 8500) == ["gateway"]
    assert allowed(resources, "model-server", 8501) == ["prometheus"]
    closed = one("NetworkPolicy", "closed", resources)["spec"]
    assert closed == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}


def test_the_gateway_is_let_out_to_what_it_asks_and_in_from_its_clients():
    resources = overlay("gpu")
    assert allowed(resources, "gateway", 50051) == ["dashboard", "true"]
    out = one("NetworkPolicy", "gateway", resources)["spec"]["egress"]
    assert out[0] == {"to": [{"podSelector": {"matchLabels": {"app": "model-server"}}}], "ports": [{"port": 8500}]}
    assert {port["port"] for rule in out[1:] for port in rule["ports"]} == {53}


def test_the_profiler_is_off_and_nothing_publishes_the_model_server():
    resources = overlay("gpu")
    assert flags(resources)["enable_profiler"] == "false"
    ports = {port["name"] for r in resources if r["kind"] == "Service" for port in r["spec"]["ports"]}
    assert ports == {"grpc", "http"}
    service = one("Service", "model-server", resources)["spec"]
    assert [port["port"] for port in service["ports"]] == [8500]
    assert not [
        r for r in resources if r["kind"] == "Ingress" or r.get("spec", {}).get("type") in ("NodePort", "LoadBalancer")
    ]


def test_the_gateway_finds_every_replica_by_name_and_takes_them_in_turn():
    resources = overlay("cpu")
    address = {e["name"]: e["value"] for e in container("gateway", resources)["env"]}["KERASCOPE_MODEL_SERVER"]
    service = one("Service", "model-server", resources)
    assert address == f"dns:///{service['metadata']['name']}:{service['spec']['ports'][0]['port']}"
    assert service["spec"]["clusterIP"] == "None"  # without an address of its own, or all calls go to one replica
    # A replica that came later is found when a connection ends and the name is asked again.
    assert "grpc.max_connection_age_ms=" in flags(resources)["grpc_channel_arguments"]


def test_a_service_leads_to_pods_and_ports_that_there_are():
    resources = overlay("gpu")
    for service in (r for r in resources if r["kind"] == "Service"):
        name = service["metadata"]["name"]
        assert service["spec"]["selector"].items() <= pod(name, resources)["metadata"]["labels"].items()
        named = {port["name"] for port in container(name, resources)["ports"]}
        assert {port["targetPort"] for port in service["spec"]["ports"]} <= named


def test_the_files_that_the_flags_name_are_in_the_config_map():
    resources = overlay("gpu")
    data = one("ConfigMap", "model-server", resources)["data"]
    given = flags(resources)
    for flag in ("model_config_file", "batching_parameters_file", "monitoring_config_file"):
        assert given[flag].removeprefix("/etc/tfserving/") in data
    ready = container("model-server", resources)["readinessProbe"]["exec"]["command"]
    assert ready == ["bash", "/etc/tfserving/ready.sh"]
    assert data["ready.sh"].startswith("#!/bin/bash")


def test_health_is_asked_where_it_is_offered():
    resources = overlay("gpu")
    assert flags(resources)["enable_grpc_healthcheck_service"] == "true"
    for probe in ("startupProbe", "livenessProbe"):
        assert container("model-server", resources)[probe]["grpc"]["port"] == int(flags(resources)["port"])


@pytest.mark.parametrize("kind", OVERLAYS)
def test_certificates_and_tokens_come_from_secrets_that_are_mounted_and_nowhere_else(kind):
    resources = overlay(kind)
    assert not [r for r in resources if r["kind"] == "Secret"]
    held = {
        "gateway": {"/run/secrets/tls": "gateway-tls", "/run/secrets/tokens": "gateway-tokens"},
        "dashboard": {"/run/secrets/tls": "gateway-tls", "/run/secrets/token": "dashboard-token"},
    }
    for name, expected in held.items():
        volumes = {v["name"]: v["secret"] for v in pod(name, resources)["spec"]["volumes"] if "secret" in v}
        mounts = {m["mountPath"]: m["name"] for m in container(name, resources)["volumeMounts"] if m["name"] in volumes}
        assert {path: volumes[volume]["secretName"] for path, volume in mounts.items()} == expected
        assert {secret["defaultMode"] for secret in volumes.values()} == {0o440}
        told = {e["name"]: e["value"] for e in container(name, resources)["env"]}
        named = [value for variable, value in told.items() if "TLS_" in variable or "TOKEN" in variable]
        assert {value.rsplit("/", 1)[0] for value in named} == set(expected)
    (key,) = pod("dashboard", resources)["spec"]["volumes"][0]["secret"]["items"]
    assert key["key"] == "ca.crt"  # and not the gateway's own key


def test_no_probe_of_the_gateway_expects_grpc_without_tls():
    gateway = container("gateway", overlay("gpu"))
    assert not [probe for name, probe in gateway.items() if name.endswith("Probe") and "grpc" in probe]
    assert gateway["readinessProbe"]["exec"]["command"][:3] == ["kerascope", "gateway", "ready"]


def test_the_embedded_server_takes_the_flags_but_for_those_of_gpus_and_profilers():
    from serving.modelserver.options import Options

    known = {field.name for field in dataclasses.fields(Options)}
    assert flags(overlay("gpu")).keys() - known == TENSORFLOW_SERVING_ALONE
    assert flags(overlay("cpu")).keys() - known == {"enable_profiler"}


@pytest.mark.parametrize("kind", OVERLAYS)
def test_servers_are_added_for_calls_that_wait_by_a_metric_that_the_adapter_makes(kind):
    import yaml

    scaler = one("HorizontalPodAutoscaler", "model-server", overlay(kind))["spec"]
    assert scaler["scaleTargetRef"]["name"] == "model-server"
    assert 1 < scaler["minReplicas"] <= scaler["maxReplicas"]
    assert "replicas" not in one("Deployment", "model-server", overlay(kind))["spec"]
    (metric,) = scaler["metrics"]
    rules = yaml.safe_load((DEPLOY / "prometheus" / "adapter.yaml").read_text())["rules"]["custom"]
    assert metric["pods"]["metric"]["name"] in {rule["name"]["as"] for rule in rules}


@pytest.mark.parametrize("kind", OVERLAYS)
def test_the_overlays_are_what_render_writes(kind):
    pytest.importorskip("tensorflow_serving")
    from serving.deploy import files
    from serving.deploy.commands import TENSORFLOW_SERVING

    written = files.kustomization(kind, TENSORFLOW_SERVING, (2, 4), 0.9)
    assert (DEPLOY / "kubernetes" / "overlays" / kind / "kustomization.yaml").read_text() == written


def test_the_images_named_are_targets_of_the_dockerfile():
    stages = (ROOT / "Dockerfile").read_text()
    for name in ("gateway", "dashboard"):
        assert container(name, overlay("gpu"))["image"] == f"kerascope-{name}"
        assert f" AS {name}\n" in stages

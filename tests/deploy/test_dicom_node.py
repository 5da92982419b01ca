"""The DICOM node in compose and Kubernetes, read as their tools read them, and its file as the node itself reads it."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import kubernetes_validate
import pytest
import yaml

from serving.deploy import render
from serving.hospital.config import NodeConfig
from tests.deploy.kustomize import Resource, build
from tests.deploy.test_kubernetes import VERSIONS, container, one, overlay, pod
from tests.test_deploy import DEPLOY, ROOT, services, stages

DATA = "/var/lib/kerascope"
# What the image has not: the gateway's, the trainer's and the dashboard's needs.
ABSENT = ("training", "dashboard", "tensorflow", "tensorflow_serving", "keras", "prometheus_client", "grpc_reflection")
ABSENT += ("scipy", "pandas", "sklearn", "streamlit", "matplotlib")


def resources() -> list[Resource]:
    return build(DEPLOY / "kubernetes" / "dicom-node")


def config() -> NodeConfig:
    return NodeConfig.load(DEPLOY / "dicom-node" / "node.toml")


def ports(service: str) -> list[str]:
    return [published.rsplit(":", 1)[1] for published in services()[service]["ports"]]


def test_the_node_and_the_pull_start_without_what_is_not_in_their_image():
    code = f"import sys; sys.modules.update(dict.fromkeys({ABSENT!r})); "
    code += "import serving.hospital.node, serving.hospital.pull, serving.hospital.deidentified_copies"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_the_nodes_file_fits_the_composition_it_is_mounted_in():
    node, service = config(), services()["dicom-node"]
    assert (node.host, str(node.port)) == ("0.0.0.0", ports("dicom-node")[0])
    assert node.gateway == f"gateway:{ports('gateway')[0]}"
    assert set(service["networks"]) & set(services()["gateway"]["networks"]) == {"front"}
    assert stages()["dicom-node"].all("CMD") == ['["dicom-node", "/etc/kerascope/node.toml"]']
    assert "./dicom-node:/etc/kerascope:ro" in service["volumes"]
    models = (DEPLOY / "tfserving" / "models.config").read_text()
    assert all(f'name: "{rule.model}"' in models for rule in node.rule)


def test_all_that_the_node_writes_lies_on_its_volume():
    node = config()
    assert f"dicom-node:{DATA}" in services()["dicom-node"]["volumes"]
    written = [node.spool, node.audit, node.uid_secret, node.store.removeprefix("sqlite:///")]
    assert all(str(path).startswith(f"{DATA}/") for path in written)
    (made,) = [run for run in stages()["dicom-node"].all("RUN") if DATA in run]
    assert "--mode=700 --owner=10001 --group=10001" in made


@pytest.mark.parametrize("version", VERSIONS)
def test_every_resource_is_one_that_kubernetes_accepts(version: str):
    for resource in resources():
        kubernetes_validate.validate(resource, version, strict=True)


def test_its_pod_runs_as_nobody_special_and_writes_to_its_volume_alone():
    spec, inside = pod("dicom-node", resources())["spec"], container("dicom-node", resources())
    assert (spec["securityContext"]["runAsNonRoot"], spec["securityContext"]["runAsUser"]) == (True, 10001)
    assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert spec["automountServiceAccountToken"] is False
    assert inside["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    writable = {mount["mountPath"] for mount in inside["volumeMounts"] if not mount.get("readOnly")}
    assert writable == {DATA, "/tmp"}
    claims = {
        v["name"]: v["persistentVolumeClaim"]["claimName"] for v in spec["volumes"] if "persistentVolumeClaim" in v
    }
    assert claims == {"data": one("PersistentVolumeClaim", "dicom-node", resources())["metadata"]["name"]}


def test_two_nodes_never_share_the_volume():
    deployment = one("Deployment", "dicom-node", resources())["spec"]
    assert (deployment["replicas"], deployment["strategy"]) == (1, {"type": "Recreate"})


def test_its_config_map_is_the_file_of_compose_and_its_secrets_are_mounted():
    data = one("ConfigMap", "dicom-node", resources())["data"]
    assert data == {"node.toml": (DEPLOY / "dicom-node" / "node.toml").read_text()}
    volumes = {v["name"]: v["secret"] for v in pod("dicom-node", resources())["spec"]["volumes"] if "secret" in v}
    assert {each["secretName"] for each in volumes.values()} == {"gateway-tls", "node-token"}
    assert volumes["tls"]["items"] == [{"key": "ca.crt", "path": "ca.crt"}]  # and not the gateway's own key
    mounts = {m["name"]: m["mountPath"] for m in container("dicom-node", resources())["volumeMounts"]}
    told = {each["name"]: each["value"] for each in container("dicom-node", resources())["env"]}
    assert told == {
        "KERASCOPE_TLS_CA": f"{mounts['tls']}/ca.crt",
        "KERASCOPE_TOKEN_FILE": f"{mounts['token']}/token",
    }


def test_the_gateway_lets_it_in_and_it_reaches_nothing_else():
    labels = pod("dicom-node", resources())["metadata"]["labels"]
    gateway = one("NetworkPolicy", "gateway", overlay("cpu"))["spec"]["ingress"][0]["from"]
    assert {"kerascope.client": "true"}.items() <= labels.items()
    assert {"kerascope.client": "true"} in [peer["podSelector"]["matchLabels"] for peer in gateway]
    policy: dict[str, Any] = one("NetworkPolicy", "dicom-node", resources())["spec"]
    assert policy["podSelector"]["matchLabels"].items() <= labels.items()
    assert policy["egress"][0] == {
        "to": [{"podSelector": {"matchLabels": {"app": "gateway"}}}],
        "ports": [{"port": 50051}],
    }
    assert {port["port"] for rule in policy["egress"][1:] for port in rule["ports"]} == {53}
    (service,) = [each for each in resources() if each["kind"] == "Service"]
    named = {port["name"]: port["containerPort"] for port in container("dicom-node", resources())["ports"]}
    assert [named[port["targetPort"]] for port in service["spec"]["ports"]] == [config().port]
    assert "type" not in service["spec"]


def test_its_image_is_a_target_of_the_dockerfile_and_its_files_are_rendered():
    name, _, tag = container("dicom-node", resources())["image"].partition(":")
    assert f"{name}:{tag}" == services()["dicom-node"]["image"]
    assert name.removeprefix("kerascope-") in stages()
    assert "dicom-node" in render.COPIED
    assert yaml.safe_load((DEPLOY / "kubernetes" / "dicom-node" / "kustomization.yaml").read_text())["resources"][
        0
    ] == ("../../dicom-node")

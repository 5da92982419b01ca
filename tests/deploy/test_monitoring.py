"""Dashboards, alerts and scrape configuration name only metrics and places that there are; their queries parse."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import promql_parser
import pytest
import yaml

from tests.test_deploy import DEPLOY, compose, services

PROMETHEUS, GRAFANA = DEPLOY / "prometheus", DEPLOY / "grafana"
DASHBOARDS = sorted((GRAFANA / "dashboards").glob("*.json"))
# Prometheus' own, and those of prometheus-client's ProcessCollector.
STANDARD = {"up", "process_resident_memory_bytes"}
# TensorFlow's own, beside TensorFlow Serving's, on the same page (cc/saved_model/loader.cc).
LOADER = {":tensorflow:cc:saved_model:load_attempt_count": {"model_path", "status"}}


def of_the_model_server() -> dict[str, set[str]]:
    """Name -> labels, as the embedded server has them from TensorFlow Serving's sources."""
    from serving.modelserver.metrics import KINDS

    found = {name: set(kind.labels) for name, kind in KINDS.items() if not kind.limits}
    for name, kind in KINDS.items():
        if kind.limits:
            found |= {f"{name}_{part}": {*kind.labels, "le"} for part in ("bucket", "sum", "count")}
    return found | LOADER


def plain(query: str) -> str:
    """A query with Grafana's variables filled in."""
    return re.sub(r"\$__(rate_interval|range)", "5m", query).replace("$model", ".*")


def selectors(query: str) -> list[promql_parser.VectorSelector]:
    """Every `metric{...}` in a query."""
    found: list[promql_parser.VectorSelector] = []

    def look(node: Any) -> None:
        if isinstance(node, promql_parser.MatrixSelector):
            node = node.vector_selector
        if isinstance(node, promql_parser.VectorSelector):
            found.append(node)

    promql_parser.walk(promql_parser.parse(plain(query)), pre_visit=look)
    return found


def of_the_gateway() -> set[str]:
    from serving.metrics import Metrics

    samples = {"counter": ("_total",), "histogram": ("_bucket", "_sum", "_count"), "gauge": ("",)}
    families = [family for family in Metrics().registry.collect() if family.name.startswith("kerascope_")]
    return {family.name + ending for family in families for ending in samples[family.type]}


def names(query: str) -> set[str]:
    return {selector.name for selector in selectors(query)}


def queries(dashboard: Path) -> list[str]:
    panels = json.loads(dashboard.read_text())["panels"]
    return [target["expr"] for panel in panels for target in panel["targets"]]


def alerts() -> list[dict[str, Any]]:
    groups = yaml.safe_load((PROMETHEUS / "alerts.yml").read_text())["groups"]
    return [rule for group in groups for rule in group["rules"]]


@pytest.mark.parametrize("dashboard", DASHBOARDS, ids=lambda path: path.stem)
def test_a_dashboard_asks_only_for_metrics_that_there_are(dashboard):
    known = of_the_gateway() | of_the_model_server().keys() | STANDARD
    for query in queries(dashboard):
        assert names(query), query
        assert names(query) <= known, query


def test_every_metric_of_the_gateway_is_on_its_dashboard():
    shown = {name for query in queries(GRAFANA / "dashboards" / "gateway.json") for name in names(query)}
    families = {re.sub(r"_(total|bucket|sum|count)$", "", name) for name in of_the_gateway()}
    seen = {re.sub(r"_(total|bucket|sum|count)$", "", name) for name in shown}
    assert families - seen == {"kerascope_model_server_calls"}  # the histogram beside it counts them as well


def test_a_metric_that_is_not_there_would_be_found():
    assert not names("rate(kerascope_reqests_total[5m])") <= of_the_gateway()
    assert names("sum(rate(kerascope_requests_total[5m])) > 1") == {"kerascope_requests_total"}


@pytest.mark.parametrize("dashboard", DASHBOARDS, ids=lambda path: path.stem)
def test_a_dashboard_is_whole(dashboard):
    board = json.loads(dashboard.read_text())
    numbers = [panel["id"] for panel in board["panels"]]
    assert len(set(numbers)) == len(numbers)
    places = [(p["gridPos"]["x"], p["gridPos"]["y"]) for p in board["panels"]]
    assert len(set(places)) == len(places)
    sources = yaml.safe_load((GRAFANA / "provisioning" / "datasources" / "prometheus.yaml").read_text())["datasources"]
    assert {panel["datasource"]["uid"] for panel in board["panels"]} == {source["uid"] for source in sources}
    for variable in board["templating"]["list"]:
        assert f"${variable['name']}" in json.dumps(board["panels"])
        metric = re.findall(r"label_values\(([\w:]+), \w+\)", variable["definition"])[0]
        assert metric in of_the_gateway() | of_the_model_server().keys()


@pytest.mark.parametrize("rule", alerts(), ids=lambda rule: rule["alert"])
def test_an_alert_is_about_metrics_and_labels_that_there_are(rule):
    assert names(rule["expr"]) <= of_the_gateway() | of_the_model_server().keys() | STANDARD
    assert rule["labels"]["severity"] in ("warning", "critical")
    grouped = set(re.findall(r"by \(([\w, ]+)\)", rule["expr"])) | {"instance"}
    known = {label.strip() for group in grouped for label in group.split(",")}
    assert set(re.findall(r"\$labels\.(\w+)", rule["annotations"]["summary"])) <= known


def test_the_labels_asked_for_are_those_that_there_are():
    given = of_the_gateways_labels() | of_the_model_server()
    asked = [query for board in DASHBOARDS for query in queries(board)] + [rule["expr"] for rule in alerts()]
    for query in asked:
        labels = {label.strip() for group in re.findall(r"by \(([\w, ]+)\)", query) for label in group.split(",")}
        for selector in (found for found in selectors(query) if found.name not in STANDARD):
            wanted = {matcher.name for matcher in selector.matchers.matchers} | (
                labels if len(names(query)) == 1 else set()
            )
            assert wanted <= given[selector.name] | {"job", "instance"}, query
        known = {label for name in names(query) for label in given.get(name, set())}
        assert labels <= known | {"job", "instance"}, query  # of a query about two metrics, a label of one of them


def of_the_gateways_labels() -> dict[str, set[str]]:
    """Name -> labels, of a gateway that has told of a refusal and of a caution."""
    import grpc

    from serving.metrics import Metrics

    metrics = Metrics()
    metrics.called("Analyze", "m", grpc.StatusCode.INVALID_ARGUMENT, 0.1, "BLANK", "embedding")
    metrics.asked("m", "analyze", grpc.StatusCode.OK, 0.1)
    metrics.show_ready({"m/1": True, "m": True})
    with metrics.in_flight("Analyze"):
        samples = [sample for family in metrics.registry.collect() for sample in family.samples]
    return {sample.name: set(sample.labels) for sample in samples}


def test_prometheus_asks_services_that_there_are_at_ports_that_they_have():
    said = yaml.safe_load((PROMETHEUS / "prometheus.yml").read_text())
    places = {job["job_name"]: job["dns_sd_configs"][0] for job in said["scrape_configs"]}
    assert places["kerascope-gateway"]["names"] == ["gateway"]
    assert str(places["kerascope-gateway"]["port"]) == services()["gateway"]["environment"]["KERASCOPE_METRICS_PORT"]
    (name,) = places["tensorflow-serving"]["names"]
    server = services()["model-server-cpu"]
    assert name in server["networks"]["metrics"]["aliases"]
    assert f"--rest_api_port={places['tensorflow-serving']['port']}" in server["command"]
    assert "metrics" in services()["prometheus"]["networks"]
    config = (DEPLOY / "tfserving" / "monitoring.config").read_text()
    assert said["scrape_configs"][1]["metrics_path"] in config
    assert [(PROMETHEUS / name).is_file() for name in said["rule_files"]] == [True]


def test_jobs_bear_the_names_that_alerts_ask_for_on_kubernetes_as_well():
    jobs = {"kerascope-gateway", "tensorflow-serving"}
    asked = {job for rule in alerts() for job in re.findall(r'job="([\w-]+)"', rule["expr"])}
    assert asked == jobs
    cluster = (PROMETHEUS / "kubernetes.yml").read_text()
    assert all(f"replacement: {job}" in cluster for job in jobs)


def test_the_adapters_query_parses_and_asks_for_the_queueing_latency():
    (rule,) = yaml.safe_load((PROMETHEUS / "adapter.yaml").read_text())["rules"]["custom"]
    query = rule["metricsQuery"].replace("<<.GroupBy>>", "pod").replace("<<.LabelMatchers>>", 'namespace="kerascope"')
    assert names(query) == {":tensorflow:serving:batching_session:queuing_latency_bucket"}
    assert names(query).pop() in rule["seriesQuery"]


def test_grafana_is_given_the_folders_that_its_files_name():
    mounts = dict(volume.split(":")[:2] for volume in services()["grafana"]["volumes"])
    provider = yaml.safe_load((GRAFANA / "provisioning" / "dashboards" / "kerascope.yaml").read_text())["providers"][0]
    assert provider["options"]["path"] == mounts["./grafana/dashboards"]
    assert mounts["./grafana/provisioning"] == "/etc/grafana/provisioning"
    assert {"prometheus", "grafana"} <= compose()["volumes"].keys()

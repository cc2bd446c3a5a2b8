"""Grafana's dashboards: every question can be answered, nothing overlaps, and what the platform promises is there."""

import json
from pathlib import Path
from typing import Any

import pytest

from blueprint.alarms import ALARMS
from blueprint.environments import CLUSTER_ENVIRONMENTS
from k8s_charts.dashboards import BOARDS
from k8s_charts.dashboards.board import COLUMNS, Board
from k8s_charts.facts import placeholders
from k8s_charts.values.exporters import jobs
from tests.support.manifests import Manifests
from tests.support.prometheus import OTHERS, asked, exported_by_cloudwatch, grouped, own, promtool, write

KNOWN = {**OTHERS, **own(), **exported_by_cloudwatch(jobs(placeholders()))}


def expressions(board: Board) -> list[str]:
    return [query.expr for panel in board.panels for query in panel.queries]


@pytest.fixture(params=BOARDS, ids=lambda board: board.name)
def board(request: pytest.FixtureRequest) -> Board:
    assert isinstance(request.param, Board)
    return request.param


def test_the_three_dashboards_are_in_config_maps_that_the_sidecar_takes(manifests: Manifests) -> None:
    found = {one.name: one.body for one in manifests.of("ConfigMap", namespace="monitoring")}
    assert {f"dashboard-{name}" for name in ("generation", "infrastructure", "business")} == set(found)
    for body in found.values():
        assert body["metadata"]["labels"] == {"grafana_dashboard": "1"}
        (text,) = body["data"].values()
        assert json.loads(text)["title"] in ("Generation", "Infrastructure", "Business")
        assert len(text) < 500_000, "a ConfigMap holds a megabyte"


def test_every_question_is_about_something_that_is_measured(board: Board) -> None:
    for expr in expressions(board):
        metrics = asked(expr)
        assert metrics, expr
        for metric, labels in metrics.items():
            assert metric in KNOWN, f"nobody exports {metric}: {expr}"
            assert labels <= KNOWN[metric], f"{metric} has no {labels - KNOWN[metric]}: {expr}"
            assert grouped(expr) <= KNOWN[metric], f"{metric} has no {grouped(expr) - KNOWN[metric]}: {expr}"


def test_prometheus_can_read_every_question(board: Board, tmp_path: Path) -> None:
    rules = [
        {"record": f"panel:{number}", "expr": expr.replace("$environment", "dev|prod")}
        for number, expr in enumerate(expressions(board))
    ]
    file = write(tmp_path / "rules.yaml", {"groups": [{"name": "panels", "rules": rules}]})
    done = promtool("check", "rules", file)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("name", "title", "worth"),
    [
        ("business", "Credits spent in a day, by model", 10),
        ("business", "Images in a day, by model", 4),
        ("business", "Credits an image", 2.5),
        ("generation", "Images a minute, by model", 0.8),
    ],
)
def test_a_worker_that_lives_for_one_job_counts(name: str, title: str, worth: float, tmp_path: Path) -> None:
    """Its series begins with what the job was worth; increase() holds that for old, and the boards showed nothing."""
    (board,) = [one for one in BOARDS if one.name == name]
    (query,) = [query for panel in board.panels if panel.title == title for query in panel.queries]
    of = '{environment="prod",service="gpu-worker",model="sdxl",pod='
    test = {
        "evaluation_interval": "15s",
        "tests": [
            {
                "interval": "15s",
                "input_series": [
                    {"series": f'credits_consumed_total{of}"new"}}', "values": "_x5990 10x8"},
                    {"series": f'images_generated_total{of}"new"}}', "values": "_x5990 4x8"},
                    {"series": f'credits_consumed_total{of}"old and idle"}}', "values": "50x6010"},
                    {"series": f'images_generated_total{of}"old and idle"}}', "values": "20x6010"},
                ],
                "promql_expr_test": [
                    {
                        "expr": query.expr.replace("$environment", "dev|prod"),
                        "eval_time": "25h",
                        "exp_samples": [{"labels": '{model="sdxl"}', "value": worth}],
                    }
                ],
            }
        ],
    }
    done = promtool("test", "rules", write(tmp_path / "test.yaml", test))
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_legend_names_labels_that_the_answer_has(board: Board) -> None:
    for panel in board.panels:
        for query in panel.queries:
            for label in set(query.legend.replace("}}", "{{").split("{{")[1::2]):
                assert label in grouped(query.expr), f"{board.name}, {panel.title}: {query.legend}"


def test_panels_lie_side_by_side(board: Board) -> None:
    taken: dict[tuple[int, int], str] = {}
    ids: list[int] = []
    for panel in board.body()["panels"]:
        ids.append(panel["id"])
        place = panel["gridPos"]
        assert place["w"] > 0 and place["x"] + place["w"] <= COLUMNS
        for x in range(place["x"], place["x"] + place["w"]):
            for y in range(place["y"], place["y"] + place["h"]):
                assert (x, y) not in taken, f"{panel['title']} lies on {taken[x, y]}"
                taken[x, y] = panel["title"]
    assert len(ids) == len(set(ids))


def test_a_board_is_of_the_environments_that_one_chooses(board: Board) -> None:
    (variable,) = board.body()["templating"]["list"]
    assert variable["query"].split(",") == [one.name for one in CLUSTER_ENVIRONMENTS]
    for expr in expressions(board):
        ours = {metric for metric in asked(expr) if metric in own()}
        if ours:
            assert expr.count('environment=~"$environment"') == sum(expr.count(f"{metric}{{") for metric in ours), expr


def test_a_threshold_in_a_graph_is_the_alarms(board: Board) -> None:
    for panel, body in zip(board.panels, (one for one in board.body()["panels"] if one["type"] != "row"), strict=True):
        steps: list[dict[str, Any]] = body["fieldConfig"]["defaults"]["thresholds"]["steps"]
        assert [step["value"] for step in steps[1:]] == ([ALARMS[panel.alarm].threshold] if panel.alarm else [])


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        (
            "generation",
            {
                "generation_queue_wait_seconds_bucket",
                "generation_duration_seconds_bucket",
                "generation_duration_seconds_count",
                "generation_requests_total",
                "queue_length",
                "http_request_duration_seconds_bucket",
            },
        ),
        (
            "infrastructure",
            {
                "node_cpu_seconds_total",
                "node_memory_MemAvailable_bytes",
                "DCGM_FI_DEV_GPU_UTIL",
                "http_request_duration_seconds_bucket",
                "http_requests_total",
                "aws_rds_cpuutilization_average",
                "aws_rds_database_connections_maximum",
                "aws_elasticache_cache_hits_sum",
                "aws_elasticache_evictions_sum",
                "aws_applicationelb_request_count_sum",
                "aws_s3_bucket_size_bytes_average",
            },
        ),
        ("business", {"credits_consumed_total", "users_active", "users_registered"}),
    ],
)
def test_a_board_shows_what_the_platform_promises(name: str, wanted: set[str]) -> None:
    (board,) = [one for one in BOARDS if one.name == name]
    assert wanted <= {metric for expr in expressions(board) for metric in asked(expr)}
    shares = {expr.partition("(")[2].partition(",")[0] for expr in expressions(board) if "histogram_quantile" in expr}
    assert name == "business" or {"0.5", "0.95", "0.99"} <= shares


def test_every_metric_of_ours_is_on_some_board() -> None:
    """What nobody looks at is not worth a series."""
    shown = {metric for board in BOARDS for expr in expressions(board) for metric in asked(expr)}
    families = {name.removesuffix("_sum").removesuffix("_bucket").removesuffix("_count") for name in own()}
    assert families == {name.removesuffix("_bucket").removesuffix("_count") for name in shown & set(own())}

"""The estimate: the document's table to the cent, every line moved by what it counts, and by nothing else."""

import json
from dataclasses import fields, replace
from decimal import Decimal
from types import MappingProxyType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blueprint.cost import SCHEMA, Estimate, estimate
from blueprint.costs.document import DOCUMENT, TOTAL
from blueprint.costs.images import PUBLISHED, Session, per_thousand
from blueprint.costs.platform import PLATFORM, Platform
from blueprint.costs.prices import PRICES, spot, usd
from blueprint.costs.usage import USAGE, Usage
from blueprint.data import AURORA, CACHES
from blueprint.regions import REGIONS

CENT = Decimal("0.01")


def amounts(found: Estimate) -> dict[str, Decimal]:
    return {line.key: line.amount for line in found.lines}


def moved(platform: Platform = PLATFORM, usage: Usage = USAGE) -> dict[str, Decimal]:
    """The lines whose amounts differ from the default's, and by how much."""
    before, now = amounts(estimate()), amounts(estimate(platform=platform, usage=usage))
    return {
        key: now.get(key, Decimal(0)) - before.get(key, Decimal(0))
        for key in {*before, *now}
        if now.get(key) != before.get(key)
    }


def test_the_documents_table_sums_to_its_total() -> None:
    assert len(DOCUMENT) == 18
    assert estimate().documented == TOTAL == Decimal("1249.37")


@pytest.mark.parametrize(
    ("key", "document", "recomputed"),
    [
        ("eks", "72.00", "73.00"),
        ("system-nodes", "18.24", "18.25"),
        ("gpu-nodes", "200.00", "258.42"),
        ("aurora-writer", "87.00", "87.60"),
        ("aurora-reader", "87.00", "87.60"),
        ("redis-dev", "49.64", "49.64"),
        ("redis-prod", "467.09", "462.09"),
        ("nat", "32.40", "32.85"),
        ("alb", "18.00", "18.25"),
        ("efs", "30.00", "30.00"),
        ("s3-dev", "11.50", "11.50"),
        ("s3-prod", "46.00", "46.00"),
        ("s3-models", "11.50", "11.50"),
        ("cloudfront", "20.00", "20.00"),
        ("data-transfer", "60.00", "60.00"),
        ("cloudwatch", "30.00", "30.00"),
        ("secrets", "4.00", "4.00"),
        ("ecr", "5.00", "5.00"),
    ],
)
def test_each_row_as_the_document_has_it_and_by_its_own_prices(key: str, document: str, recomputed: str) -> None:
    row = DOCUMENT[key]
    assert (row.amount, row.at_its_price) == (Decimal(document), Decimal(recomputed))
    assert (row.amount == row.at_its_price) == (not row.why), "a row that does not follow from its price says why"


@pytest.mark.parametrize("region", REGIONS)
def test_every_row_has_its_lines_and_every_difference_its_reason(region: str) -> None:
    found = estimate(region=region)
    for one in found.comparisons:
        assert one.lines, one.row.key
        if one.difference and region == "us-east-1":
            assert one.why, one.row.key
    assert {line.document for line in found.lines} - {None} == set(DOCUMENT)
    keys = [line.key for line in found.lines]
    assert len(keys) == len(set(keys))


@pytest.mark.parametrize("region", REGIONS)
def test_the_parts_add_up(region: str) -> None:
    found = estimate(region=region)
    assert found.total == found.covered + sum(line.amount for line in found.forgotten)
    assert found.total == sum(found.stacks.values())
    assert found.total == sum(one.amount for one in found.comparisons) + sum(line.amount for line in found.forgotten)
    assert all(line.amount == line.amount.quantize(CENT) >= 0 for line in found.lines)


def prod_replicas(count: int) -> Platform:
    caches = {**CACHES, "prod": replace(CACHES["prod"], replicas=count)}
    return replace(PLATFORM, caches=MappingProxyType(caches))


@pytest.mark.parametrize(
    ("platform", "change"),
    [
        (replace(PLATFORM, aurora=replace(AURORA, readers=2)), {"aurora-reader": "87.60"}),
        (replace(PLATFORM, nat_gateways=3), {"nat": "65.70", "addresses": "7.30"}),
        (prod_replicas(3), {"redis-prod": "120.31"}),
        (replace(PLATFORM, cache_engine="redis"), {"redis-dev": "9.49", "redis-prod": "90.23"}),
        (
            replace(PLATFORM, system=replace(PLATFORM.system, desired=4)),
            {"system-nodes": "9.11", "system-disks": "2.40"},
        ),
        (replace(PLATFORM, architecture="arm64"), {"system-nodes": "-5.25"}),
        (replace(PLATFORM, secrets=PLATFORM.secrets + 5), {"secrets": "2.00"}),
        (replace(PLATFORM, waf_rules=PLATFORM.waf_rules - 1), {"waf-rules": "-1.00"}),
        (replace(PLATFORM, alarm_metrics=PLATFORM.alarm_metrics + 10), {"alarms": "1.00"}),
        (replace(PLATFORM, interface_endpoints=True), {"endpoints": "109.50"}),
        (
            replace(PLATFORM, aurora=replace(AURORA, minimum_acu=2.0)),
            {"aurora-writer": "87.60", "aurora-reader": "87.60"},
        ),
        (replace(PLATFORM, gpu=replace(PLATFORM.gpu, gpu=2)), {"gpu-nodes": "-115.19"}),
    ],
)
def test_a_change_moves_its_row_and_no_other(platform: Platform, change: dict[str, str]) -> None:
    assert moved(platform) == {key: Decimal(value) for key, value in change.items()}


def test_more_replicas_of_the_services_need_more_general_nodes() -> None:
    dev, prod = PLATFORM.environments
    more = replace(prod, replicas=replace(prod.replicas, minimum=6))
    assert PLATFORM.general_nodes == 3, "4.5 cores on nodes of 2, a tenth of which is the system's"
    assert set(moved(replace(PLATFORM, environments=(dev, more)))) == {"general-nodes"}


@pytest.mark.parametrize("name", [field.name for field in fields(Usage)])
def test_every_assumption_is_used_and_more_use_costs_no_less(name: str) -> None:
    value = getattr(USAGE, name)
    change = moved(usage=replace(USAGE, **{name: value * 2 + 100}))
    if name == "gpu_nodes":
        change = moved(usage=replace(USAGE, gpu_nodes=value + 1))
    if name == "cdn_free_gb":
        change = moved(usage=replace(USAGE, cdn_free_gb=Decimal(0)))
    assert change, f"{name} moves nothing"
    assert all(amount > 0 for amount in change.values())


counts = st.integers(min_value=0, max_value=50)


@given(readers=st.integers(1, 14), nats=st.integers(1, 3), replicas=st.integers(0, 5), secrets=counts, alarms=counts)
def test_one_thing_more_never_costs_less(readers: int, nats: int, replicas: int, secrets: int, alarms: int) -> None:
    base = replace(
        prod_replicas(replicas),
        aurora=replace(AURORA, readers=readers),
        nat_gateways=nats,
        secrets=secrets,
        alarm_metrics=alarms,
    )
    total = estimate(platform=base).total
    for bigger in (
        replace(base, aurora=replace(AURORA, readers=readers + 1)),
        replace(base, nat_gateways=nats + 1),
        replace(base, caches=prod_replicas(replicas + 1).caches),
        replace(base, secrets=secrets + 1),
        replace(base, alarm_metrics=alarms + 1),
    ):
        assert estimate(platform=bigger).total > total


def test_prices_are_known_in_every_region_and_none_is_unused() -> None:
    for price in PRICES.values():
        assert set(price.usd) == set(REGIONS)
        assert all(0 < value < 10 for value in price.usd.values())
        assert price.page.startswith("https://aws.amazon.com/")
    with pytest.raises(KeyError, match=r"no price for cache\.x\.large in us-east-1"):
        usd("cache.x.large", "us-east-1")
    with pytest.raises(KeyError, match="eu-west-1"):
        usd("nat-hour", "eu-west-1")


def test_an_unknown_size_is_named() -> None:
    odd = {**CACHES, "dev": replace(CACHES["dev"], node_type="cache.x9.huge")}
    with pytest.raises(KeyError, match=r"cache\.x9\.huge valkey"):
        estimate(platform=replace(PLATFORM, caches=odd))


def test_json_is_what_it_says() -> None:
    found = estimate()
    told = json.loads(json.dumps(found.as_json()))
    assert told["schema"] == SCHEMA == 1
    assert set(told) == {
        "schema", "region", "currency", "prices_dated", "hours", "totals", "stacks", "document", "lines", "images",
    }  # fmt: skip
    assert told["totals"] == {
        "document": "1249.37",
        "document_recomputed": str(found.recomputed),
        "in_document": str(found.covered),
        "not_in_document": str(found.total - found.covered),
        "total": str(found.total),
    }
    assert sum(Decimal(line["amount"]) for line in told["lines"]) == found.total
    for line in told["lines"]:
        product = Decimal(line["quantity"]) * Decimal(line["unit_price"])
        assert abs(product - Decimal(line["amount"])) <= CENT / 2, line["key"]


def test_a_thousand_images_by_hand() -> None:
    price = spot("g4dn.xlarge", "us-east-1")
    assert price == Decimal("0.1578")
    session = Session(
        images=10,
        seconds_an_image=Decimal(30),
        cold_start=Decimal(180),
        scale_down=Decimal(60),
        consolidation=Decimal(30),
    )
    # 300 s of work and 270 s beside it: 570 s of a node for ten images, 57,000 s for a thousand
    assert per_thousand(session, "us-east-1") == (price * 57_000 / 3600).quantize(CENT)
    spread = per_thousand(session, "us-east-1", fixed=Decimal(500), images_a_month=100_000)
    assert spread == per_thousand(session, "us-east-1") + 5
    with pytest.raises(ValueError, match="at least one image"):
        per_thousand(replace(session, images=0), "us-east-1")
    with pytest.raises(ValueError, match="at least one image a month"):
        per_thousand(session, "us-east-1", fixed=Decimal(1))


@given(images=st.integers(1, 10_000), idle=st.integers(0, 3600))
def test_long_sessions_and_short_idle_times_are_cheaper(images: int, idle: int) -> None:
    session = Session(images=images, consolidation=Decimal(idle))
    base = per_thousand(session, "us-east-1")
    busy = spot("g4dn.xlarge", "us-east-1") * session.seconds_an_image / 3600 * 1000
    assert base >= busy.quantize(CENT)
    assert per_thousand(replace(session, images=images + 1), "us-east-1") <= base
    assert per_thousand(replace(session, consolidation=Decimal(idle + 60)), "us-east-1") >= base


def test_idle_time_is_karpenters_own_number() -> None:
    slower = replace(PLATFORM, gpu=replace(PLATFORM.gpu, consolidate_after_seconds=600))
    assert estimate(platform=slower).images[1] > estimate().images[1]
    assert Session().consolidation == PLATFORM.gpu.consolidate_after_seconds == 30
    assert sorted(PUBLISHED.values()) == [Decimal("0.24"), Decimal("4.30")]

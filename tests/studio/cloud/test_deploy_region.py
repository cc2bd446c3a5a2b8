"""What the region offers before a deployment: zones, Kubernetes, instance types, quotas."""

from typing import Any

import pytest
from botocore.stub import Stubber

from blueprint.regions import REGIONS
from studio.cloud.deploy.checks import capacity, region
from tests.support.deployment import REGION, Made, one, resource

pytestmark = pytest.mark.usefixtures("aws")


def zones(*ids: str) -> dict[str, Any]:
    listed = [{"ZoneName": f"{REGION}{letter}", "ZoneId": zone} for letter, zone in zip("abcdef", ids, strict=False)]
    return {"AvailabilityZones": [{**zone, "State": "available"} for zone in listed]}


@pytest.mark.parametrize(
    ("ids", "words"),
    [
        (("use1-az1", "use1-az2", "use1-az4"), None),
        (("use1-az1", "use1-az3", "use1-az4", "use1-az5"), "us-east-1b is use1-az3"),
        (("use1-az1", "use1-az2"), "no us-east-1c"),
    ],
)
def test_zones_can_hold_a_control_plane(made: Made, ids: tuple[str, ...], words: str | None) -> None:
    situation = made()
    with Stubber(situation.account.client("ec2")) as stub:
        stub.add_response("describe_availability_zones", zones(*ids))
        found = one(region.zones(situation))
    assert found.state == ("problem" if words else "ok")
    assert (words or "use1-az1") in found.found
    if words and len(ids) > 3:
        assert found.advice == "-c availability_zones=us-east-1a,us-east-1c,us-east-1d"


@pytest.mark.parametrize(("listed", "state"), [(REGIONS[REGION].cloudfront_prefix_list, "ok"), ("pl-0", "problem")])
def test_the_prefix_list_is_the_blueprints(made: Made, listed: str, state: str) -> None:
    situation = made()
    with Stubber(situation.account.client("ec2")) as stub:
        stub.add_response("describe_managed_prefix_lists", {"PrefixLists": [{"PrefixListId": listed}]})
        assert one(region.prefix_list(situation)).state == state


@pytest.mark.parametrize(
    ("status", "state"), [("STANDARD_SUPPORT", "ok"), ("EXTENDED_SUPPORT", "warning"), (None, "problem")]
)
def test_kubernetes_is_on_offer(made: Made, status: str | None, state: str) -> None:
    situation = made(resource("AWS::EKS::Cluster", Version="1.35"))
    offered = [{"clusterVersion": "1.35" if status else "1.40", "versionStatus": status or "STANDARD_SUPPORT"}]
    with Stubber(situation.account.client("eks")) as stub:
        stub.add_response("describe_cluster_versions", {"clusterVersions": offered})
        assert one(region.kubernetes(situation)).state == state


@pytest.mark.parametrize(
    ("offered", "gpu", "system"),
    [
        (
            {"a": ("g5.xlarge", "t3.medium"), "b": ("g4dn.xlarge", "c5.large"), "c": ("g5.xlarge", "t3.medium")},
            "ok",
            "ok",
        ),
        ({"a": ("g5.xlarge",), "b": ("t3.medium",), "c": ("t3.medium",)}, "warning", "problem"),
        ({"a": ("t3.medium",), "b": ("t3.medium",), "c": ("t3.medium",)}, "problem", "ok"),
    ],
)
def test_every_zone_offers_what_is_asked_of_it(
    made: Made, offered: dict[str, tuple[str, ...]], gpu: str, system: str
) -> None:
    for check, state, types in (
        (capacity.gpu_offerings, gpu, "g"),
        (capacity.system_offerings, system, "tc"),
    ):
        situation = made()
        answer = [
            {"InstanceType": kind, "Location": f"{REGION}{zone}", "LocationType": "availability-zone"}
            for zone, kinds in offered.items()
            for kind in kinds
            if kind[0] in types
        ]
        with Stubber(situation.account.client("ec2")) as stub:
            stub.add_response("describe_instance_type_offerings", {"InstanceTypeOfferings": answer})
            assert one(check(situation)).state == state


@pytest.mark.parametrize(
    ("values", "states"),
    [
        ({}, {"ok"}),
        ({"L-3819A6DF": 8}, {"ok", "warning"}),
        ({"L-3819A6DF": 0}, {"ok", "problem"}),
        ({"L-34B43A08": 2}, {"ok", "problem"}),
        ({capacity.ADDRESSES: 1}, {"ok", "problem"}),
        ({capacity.VPCS: 1}, {"ok", "problem"}),
    ],
)
def test_quotas_hold_the_maxima_and_what_others_use(made: Made, values: dict[str, float], states: set[str]) -> None:
    addresses = [resource("AWS::EC2::EIP"), resource("AWS::EC2::EIP"), resource("AWS::EC2::NatGateway")]
    situation = made(*addresses)
    asked: list[str] = []

    class Quotas:
        def get_service_quota(self, *, ServiceCode: str, QuotaCode: str) -> dict[str, Any]:  # noqa: N803
            asked.append(f"{ServiceCode}/{QuotaCode}")
            return {"Quota": {"Value": values.get(QuotaCode, 100.0)}}

    situation.account._clients["service-quotas", REGION] = Quotas()
    findings = list(capacity.quotas(situation))
    assert {found.state for found in findings} == states
    assert asked == ["ec2/L-3819A6DF", "ec2/L-34B43A08", "ec2/L-0263D0A3", "vpc/L-F678F1CE", "vpc/L-FE5A380F"]
    for found in findings:
        if found.state != "ok":
            assert f"--quota-code {next(iter(values))} --desired-value" in found.advice


def test_a_quota_that_was_never_raised_is_aws_default(made: Made) -> None:
    need = capacity.ServiceQuota("vpc", capacity.VPCS, "VPCs per Region", 1, "the VPC")
    assert capacity._quota(made().account, need) == 5

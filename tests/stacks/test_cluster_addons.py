"""The cluster's add-ons: which there are, on which nodes they run, and what comes before what."""

import json

import pytest

from blueprint.addons import ADDONS
from blueprint.cluster import NAME
from tests.support.templates import Resource, Templates, after


def addon(templates: Templates, name: str) -> Resource:
    return templates.one("AWS::EKS::Addon", AddonName=name)


def test_the_add_ons_are_those_of_the_platform(templates: Templates) -> None:
    made = {one.properties["AddonName"]: one.properties for one in templates.resources("AWS::EKS::Addon")}
    assert set(made) == {
        "vpc-cni",
        "coredns",
        "kube-proxy",
        "aws-ebs-csi-driver",
        "aws-efs-csi-driver",
        "eks-pod-identity-agent",
        "metrics-server",
    }
    assert {one["ResolveConflicts"] for one in made.values()} == {"OVERWRITE"}
    assert not [name for name, one in made.items() if "AddonVersion" in one], "EKS's default follows Kubernetes'"


def test_the_cni_enforces_network_policies_in_mode_standard_and_keeps_few_addresses_warm(templates: Templates) -> None:
    assert json.loads(addon(templates, "vpc-cni").properties["ConfigurationValues"]) == {
        "enableNetworkPolicy": "true",
        "env": {
            "NETWORK_POLICY_ENFORCING_MODE": "standard",
            "WARM_IP_TARGET": "2",
            "MINIMUM_IP_TARGET": "10",
        },
    }


def test_what_must_run_before_karpenter_stays_on_system_nodes(templates: Templates) -> None:
    configured = {
        name: json.loads(addon(templates, name).properties["ConfigurationValues"])
        for name in ("coredns", "aws-ebs-csi-driver", "aws-efs-csi-driver")
    }
    assert configured["coredns"]["nodeSelector"] == {"role": "system"}
    for name in ("aws-ebs-csi-driver", "aws-efs-csi-driver"):
        assert configured[name]["controller"]["nodeSelector"] == {"role": "system"}


def test_volumes_of_claims_are_tagged_as_this_clusters(templates: Templates) -> None:
    tags = json.loads(addon(templates, "aws-ebs-csi-driver").properties["ConfigurationValues"])["controller"]
    assert tags["extraVolumeTags"] == {f"kubernetes.io/cluster/{NAME}": "owned"}


@pytest.mark.parametrize("name", ["vpc-cni", "kube-proxy", "eks-pod-identity-agent"])
def test_what_makes_nodes_ready_comes_before_them(templates: Templates, node_group: Resource, name: str) -> None:
    assert after(templates, node_group, addon(templates, name))
    assert not after(templates, addon(templates, name), node_group), "it would wait for nodes that wait for it"


@pytest.mark.parametrize("name", ["coredns", "aws-ebs-csi-driver", "aws-efs-csi-driver", "metrics-server"])
def test_what_needs_nodes_comes_after_them(templates: Templates, node_group: Resource, name: str) -> None:
    assert after(templates, addon(templates, name), node_group)


def test_an_add_on_starts_with_its_role(templates: Templates) -> None:
    for one in ADDONS:
        if one.workload:
            (bound,) = [
                made
                for made in templates.resources("AWS::EKS::PodIdentityAssociation")
                if made.path.split("/")[-1] == one.workload
            ]
            assert after(templates, addon(templates, one.name), bound)
    assert {one.name for one in ADDONS if one.workload} == {"vpc-cni", "aws-ebs-csi-driver", "aws-efs-csi-driver"}

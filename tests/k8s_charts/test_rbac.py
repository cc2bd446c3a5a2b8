"""Who may do what in Kubernetes by roles of ours; EKS's own access policies know Kubernetes' own kinds alone."""

import pytest

from blueprint.cluster import ACCESS
from blueprint.delivery import GITHUB
from k8s_charts.access import VIEWED
from tests.support.manifests import Manifests
from tests.support.rbac import Rights, Who
from tests.support.templates import synthesize

DELIVERY = Who(groups=("pingvas:delivery", "system:authenticated"))
READ = ("get", "list", "watch")
WRITE = ("create", "update", "patch", "delete", "deletecollection", "bind", "escalate", "impersonate")
NAMESPACES = ("argocd", "dev", "prod")


@pytest.fixture(scope="module")
def rights(manifests: Manifests) -> Rights:
    return Rights(list(manifests.all()))


def test_delivery_looks_at_what_it_delivered(rights: Rights) -> None:
    for verb in READ:
        assert rights.may(DELIVERY, verb, "applications", group="argoproj.io", namespace="argocd")
        for namespace in ("dev", "prod"):
            assert rights.may(DELIVERY, verb, "scaledobjects", group="keda.sh", namespace=namespace)
            assert rights.may(DELIVERY, verb, "externalsecrets", group="external-secrets.io", namespace=namespace)
            assert rights.may(DELIVERY, verb, "targetgroupbindings", group="elbv2.k8s.aws", namespace=namespace)


def test_delivery_writes_nothing_anywhere(rights: Rights) -> None:
    for namespace in (None, *NAMESPACES, "monitoring", "kube-system"):
        for rule in rights.rules(DELIVERY, namespace):
            assert set(rule["verbs"]) <= set(READ), rule
    for verb in WRITE:
        assert not rights.may(DELIVERY, verb, "applications", group="argoproj.io", namespace="argocd")


def test_delivery_reads_no_secret_and_no_other_namespace(rights: Rights) -> None:
    for namespace in (None, *NAMESPACES, "monitoring", "external-secrets", "karpenter"):
        for resource in ("secrets", "serviceaccounts/token", "pods/exec", "pods/portforward"):
            for verb in ("get", "list", "create"):
                assert not rights.may(DELIVERY, verb, resource, namespace=namespace)
    for namespace in (None, "monitoring", "karpenter", "external-secrets", "ci-runners"):
        assert rights.rules(DELIVERY, namespace) == []


def test_the_group_is_the_access_entrys_of_githubs_role(rights: Rights) -> None:
    bound = {
        subject["name"] for one in rights.bindings for subject in one.body["subjects"] if subject["kind"] == "Group"
    }
    assert bound == {group for one in ACCESS for group in one.groups} == {"pingvas:delivery"}
    entries = {
        str(one.properties["PrincipalArn"]): one.properties.get("KubernetesGroups", [])
        for one in synthesize(region="us-east-1").resources("AWS::EKS::AccessEntry")
    }
    assert [groups for arn, groups in entries.items() if f"role/{GITHUB.role}'" in arn] == [["pingvas:delivery"]]
    assert sum(bool(groups) for groups in entries.values()) == 1, "another role would come with the group"


def test_who_may_view_may_view_custom_resources_too(manifests: Manifests) -> None:
    view = manifests.one("ClusterRole", "pingvas-view").body
    assert view["metadata"]["labels"] == {"rbac.authorization.k8s.io/aggregate-to-view": "true"}
    for rule in view["rules"]:
        assert rule["verbs"] == list(READ)
        assert "*" not in (*rule["resources"], *rule["apiGroups"])


def test_every_custom_kind_that_we_apply_can_be_viewed(manifests: Manifests) -> None:
    for one in manifests.all():
        group = one.body["apiVersion"].rpartition("/")[0]
        if "." in group and not group.endswith(".k8s.io"):
            plural = one.kind.lower() + ("es" if one.kind.endswith("s") else "s")
            assert plural in VIEWED.get(group, ()), f"{one}: {plural}.{group}"


def test_no_role_of_ours_is_everything(manifests: Manifests) -> None:
    for one in (*manifests.of("ClusterRole"), *manifests.of("Role")):
        for rule in one.body.get("rules", []):
            assert "*" not in (*rule["verbs"], *rule.get("resources", []), *rule.get("apiGroups", [])), str(one)
            assert not {"bind", "escalate", "impersonate"} & set(rule["verbs"]), str(one)
    for one in (*manifests.of("ClusterRoleBinding"), *manifests.of("RoleBinding")):
        assert one.body["roleRef"]["name"] not in ("cluster-admin", "admin", "edit"), str(one)
        for subject in one.body["subjects"]:
            assert subject["name"] not in ("system:authenticated", "system:unauthenticated", "system:masters"), str(one)


def test_every_binding_names_a_role_that_exists(manifests: Manifests, rights: Rights) -> None:
    for one in rights.bindings:
        reference = one.body["roleRef"]
        home = one.namespace if reference["kind"] == "Role" else None
        known = (reference["kind"], home, reference["name"]) in rights.roles
        assert known or reference["name"].startswith("system:"), str(one)
        assert len(manifests.of(one.kind, namespace=one.namespace, name=one.name)) == 1


def test_no_service_account_of_an_environment_has_rights_outside_it(manifests: Manifests, rights: Rights) -> None:
    accounts = [one for one in manifests.of("ServiceAccount") if one.namespace in ("dev", "prod")]
    assert {one.namespace for one in accounts} == {"dev", "prod"}
    for one in accounts:
        who = Who(name=f"system:serviceaccount:{one.namespace}:{one.name}", groups=("system:authenticated",))
        for namespace in {None, *NAMESPACES, "monitoring", "kube-system"} - {one.namespace}:
            assert rights.rules(who, namespace) == [], f"{one} in {namespace}"


def test_of_an_environments_accounts_the_worker_alone_talks_to_the_api_server_and_of_pods_alone(
    manifests: Manifests, rights: Rights
) -> None:
    for one in manifests.of("ServiceAccount"):
        if one.namespace not in ("dev", "prod"):
            continue
        who = Who(name=f"system:serviceaccount:{one.namespace}:{one.name}")
        found = rights.rules(who, one.namespace)
        if one.name != "gpu-worker":
            assert found == [], str(one)
            continue
        assert rights.may(who, "patch", "pods", namespace=one.namespace, name="any")
        for rule in found:
            assert rule["apiGroups"] == [""]
            assert rule["resources"] == ["pods"]
            assert set(rule["verbs"]) <= {"get", "patch"}

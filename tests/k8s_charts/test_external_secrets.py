"""Stores, their controllers and the rights of each: nobody's controller reads or writes another's secrets."""

from fnmatch import fnmatchcase
from typing import Any

import pytest

from blueprint.charts import secret_namespaces
from blueprint.environments import CLUSTER_ENVIRONMENTS
from blueprint.secrets import SECRETS
from blueprint.workloads import WORKLOADS
from k8s_charts import secret_stores
from k8s_charts.components.external_secrets import ExternalSecret, Remote, store
from k8s_charts.facts import placeholders
from k8s_charts.folder import Folder, GitOps
from k8s_charts.text import document
from tests.support.manifests import Manifests, Object

FOLDER = "platform/secret-stores"
READS = {
    "pingvas-dev": ["pingvas/dev/*"],
    "pingvas-prod": ["pingvas/prod/*"],
    "pingvas-shared": ["pingvas/shared/*"],
    "pingvas-bootstrap": ["pingvas/*/db-*", placeholders()["aurora/master-secret-arn"]],
}
"""What the role behind each store may read; tests/stacks/test_workload_roles.py holds the roles to it."""


def stores(manifests: Manifests) -> dict[str, Object]:
    return {one.name: one for one in manifests.built(FOLDER) if one.kind == "ClusterSecretStore"}


def namespaces(one: Object) -> list[str]:
    (condition,) = one.body["spec"]["conditions"]
    assert set(condition) == {"namespaces"}, "a selector could match what nobody thought of"
    return list(condition["namespaces"])


def test_every_store_admits_one_namespace(manifests: Manifests) -> None:
    assert {name: namespaces(one) for name, one in stores(manifests).items()} == {
        "pingvas-dev": ["dev"],
        "pingvas-prod": ["prod"],
        "pingvas-shared": ["monitoring"],
        "pingvas-bootstrap": ["bootstrap"],
    }


def test_every_store_is_served_by_a_controller_of_its_own(manifests: Manifests) -> None:
    """A store without a class would be served by all, each with the rights of its own pod."""
    classes = [one.body["spec"]["controller"] for one in stores(manifests).values()]
    assert classes == list(stores(manifests))
    assert len(set(classes)) == len(classes) == len(secret_namespaces())


def test_a_store_lends_itself_no_other_credentials_than_its_controller_s_pod(manifests: Manifests) -> None:
    """`auth.jwt` is IRSA, and no role of ours trusts the cluster's OIDC provider."""
    for one in stores(manifests).values():
        provider = one.body["spec"]["provider"]
        assert provider == {"aws": {"service": "SecretsManager", "region": manifests.app.facts.region}}


def test_every_controller_has_a_role_and_the_other_way_round() -> None:
    bound = {one.service_account for one in WORKLOADS.values() if one.namespace == "external-secrets"}
    assert set(secret_namespaces()) == bound


def rights(manifests: Manifests, account: str) -> list[dict[str, Any]]:
    """Rules that a controller gets here, beside its chart's Role in its namespace."""
    built = manifests.built(FOLDER)
    roles = {one.name: one.body["rules"] for one in built if one.kind == "ClusterRole"}
    bindings = [one.body for one in built if one.kind == "ClusterRoleBinding"]
    mine = [one for one in bindings if account in [subject["name"] for subject in one["subjects"]]]
    for one in mine:
        assert {subject["namespace"] for subject in one["subjects"]} == {"external-secrets"}
    return [rule for one in mine for rule in roles[one["roleRef"]["name"]]]


@pytest.mark.parametrize("account", sorted(secret_namespaces()))
def test_outside_its_namespace_a_controller_sees_no_secret_and_changes_its_own_store_only(
    manifests: Manifests, account: str
) -> None:
    rules = rights(manifests, account)
    assert rules
    for rule in rules:
        assert "*" not in (*rule["resources"], *rule["verbs"], *rule["apiGroups"])
        assert not {"secrets", "serviceaccounts", "serviceaccounts/token", "configmaps"} & set(rule["resources"])
        if {"update", "patch"} & set(rule["verbs"]) and rule["resources"] != ["events"]:
            assert rule["resourceNames"] == [store(account.removeprefix("external-secrets-"))]


def test_every_external_secret_reads_through_a_store_that_admits_it_what_its_role_may_read(
    manifests: Manifests,
) -> None:
    known = stores(manifests)
    found = manifests.of("ExternalSecret")
    assert len(found) >= 2 * 6 + 1
    for one in found:
        reference = one.body["spec"]["secretStoreRef"]
        assert reference["kind"] == "ClusterSecretStore"
        assert one.namespace in namespaces(known[reference["name"]]), str(one)
        for entry in one.body["spec"]["data"]:
            key = entry["remoteRef"]["key"]
            assert any(fnmatchcase(key, pattern) for pattern in READS[reference["name"]]), f"{one} cannot read {key}"


def test_a_secret_is_read_again_within_a_minute_of_its_rotation(manifests: Manifests) -> None:
    """Until then a new connection still gets the old password."""
    rotating = {path for path, secret in SECRETS.items() if secret.rotation_days}
    for one in manifests.of("ExternalSecret"):
        if {entry["remoteRef"]["key"] for entry in one.body["spec"]["data"]} & rotating:
            assert one.body["spec"]["refreshInterval"] == "1m", str(one)


def test_a_secret_outlives_its_source_s_absence(manifests: Manifests) -> None:
    for one in manifests.of("ExternalSecret"):
        assert one.body["spec"]["target"].get("deletionPolicy", "Retain") == "Retain", str(one)


def test_what_only_a_template_needs_stays_out_of_the_secret() -> None:
    folder = Folder(GitOps(placeholders()), "x")
    ExternalSecret(
        folder,
        "app",
        store="pingvas-prod",
        data={"token": Remote.of("pingvas/prod/redis-auth"), "db-app": Remote.of("pingvas/prod/db-app")},
        template={"URL": "rediss://:{{ .token }}@cache"},
        only_for_template=["token"],
    )
    (body,) = folder.objects()
    assert body["spec"]["target"]["template"]["data"] == {
        "db-app": '{{ index . "db-app" }}',
        "URL": "rediss://:{{ .token }}@cache",
    }


def test_a_secret_with_several_keys_must_be_told_which() -> None:
    with pytest.raises(ValueError, match="google_client_id, google_client_secret"):
        Remote.of("pingvas/dev/oauth-credentials")
    assert Remote.of("pingvas/dev/jwt-secret") == Remote("pingvas/dev/jwt-secret", "secret")


def test_no_value_of_a_secret_stands_in_git(manifests: Manifests) -> None:
    for one in manifests.all():
        assert one.kind != "Secret", f"{one}: its values would be in Git"
    app = GitOps(placeholders())
    secret_stores.add(app)
    text = document([folder.objects() for folder in app.folders()])
    assert "accessKey" not in text
    assert [one.name for one in CLUSTER_ENVIRONMENTS] == ["dev", "prod"]

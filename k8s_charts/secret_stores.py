"""platform/secret-stores: External Secrets' stores, one an environment, each with a role of its own.

Every store has a controller of its own (`components.external_secrets` says why): a release of the chart whose pod runs
as the store's service account, sees one namespace alone and may write Secrets nowhere else. The chart's Role gives it
that; what it needs outside the namespace is given here: to read stores, and to write the state of its own.
"""

from cdk8s_plus_35 import k8s

from blueprint.charts import secret_namespaces
from blueprint.rules import demand
from blueprint.workloads import WORKLOADS
from k8s_charts.components.external_secrets import ClusterSecretStore, store
from k8s_charts.folder import Folder, GitOps

_GROUP = "external-secrets.io"
_LOOK = ["get", "list", "watch"]
_PREFIX = "external-secrets-"


def add(app: GitOps) -> None:
    """Adds the folder.

    Raises:
        RuleError: a controller without a role, or a role without a controller.
    """
    folder = Folder(app, "platform/secret-stores")
    accounts = {
        one.service_account: one.namespace for one in WORKLOADS.values() if one.service_account.startswith(_PREFIX)
    }
    namespaces = secret_namespaces()
    rule = f"must be the service accounts with a role: {', '.join(sorted(accounts))}"
    demand(set(namespaces) == set(accounts), "charts.secret_namespaces", sorted(namespaces), rule)
    _reader(folder, accounts)
    for account, namespace in namespaces.items():
        name = store(account.removeprefix(_PREFIX))
        ClusterSecretStore(folder, name, region=app.facts.region, namespaces=[namespace])
        _owner(folder, name, account, accounts[account])


def _reader(folder: Folder, accounts: dict[str, str]) -> None:
    """Stores, and the namespaces that their conditions name; none of them says anything secret."""
    name = "pingvas-secret-stores"
    k8s.KubeClusterRole(
        folder,
        "Reader",
        metadata=k8s.ObjectMeta(name=name),
        rules=[
            k8s.PolicyRule(api_groups=[_GROUP], resources=["clustersecretstores"], verbs=_LOOK),
            k8s.PolicyRule(api_groups=[""], resources=["namespaces"], verbs=_LOOK),
            k8s.PolicyRule(api_groups=["", "events.k8s.io"], resources=["events"], verbs=["create", "patch"]),
        ],
    )
    _bind(folder, "Readers", name, accounts)


def _owner(folder: Folder, name: str, account: str, namespace: str) -> None:
    k8s.KubeClusterRole(
        folder,
        f"Owner-{name}",
        metadata=k8s.ObjectMeta(name=name),
        rules=[
            k8s.PolicyRule(
                api_groups=[_GROUP],
                resources=["clustersecretstores", "clustersecretstores/status", "clustersecretstores/finalizers"],
                resource_names=[name],
                verbs=["update", "patch"],
            )
        ],
    )
    _bind(folder, f"Owns-{name}", name, {account: namespace})


def _bind(folder: Folder, id: str, role: str, accounts: dict[str, str]) -> None:  # noqa: A002
    k8s.KubeClusterRoleBinding(
        folder,
        id,
        metadata=k8s.ObjectMeta(name=role),
        role_ref=k8s.RoleRef(api_group="rbac.authorization.k8s.io", kind="ClusterRole", name=role),
        subjects=[
            k8s.Subject(kind="ServiceAccount", name=account, namespace=namespace)
            for account, namespace in accounts.items()
        ],
    )

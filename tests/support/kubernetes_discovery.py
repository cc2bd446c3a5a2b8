"""What an API server says of itself: its version, its groups, their kinds, and that it judges unknown fields.

Source: Kubernetes API reference, "API Concepts".
"""

from tests.support.kubernetes_objects import Body

Resources = dict[tuple[str, str], tuple[str, str, bool]]
"""(group/version, plural) -> kind, singular, namespaced."""
LISTED = """
/v1 Namespace namespaces -, Secret secrets +, ConfigMap configmaps +, Service services +, Node nodes -, Pod pods +,
  ServiceAccount serviceaccounts +, ResourceQuota resourcequotas +, LimitRange limitranges +, Event events +
apps/v1 Deployment deployments +, StatefulSet statefulsets +, ReplicaSet replicasets +
batch/v1 Job jobs +
rbac.authorization.k8s.io/v1 ClusterRole clusterroles -, ClusterRoleBinding clusterrolebindings -, Role roles +,
  RoleBinding rolebindings +
networking.k8s.io/v1 NetworkPolicy networkpolicies +, IngressClass ingressclasses -
scheduling.k8s.io/v1 PriorityClass priorityclasses -
policy/v1 PodDisruptionBudget poddisruptionbudgets +
storage.k8s.io/v1 StorageClass storageclasses -
admissionregistration.k8s.io/v1 ValidatingAdmissionPolicy validatingadmissionpolicies -,
  ValidatingAdmissionPolicyBinding validatingadmissionpolicybindings -
authorization.k8s.io/v1 SelfSubjectAccessReview selfsubjectaccessreviews -
apiextensions.k8s.io/v1 CustomResourceDefinition customresourcedefinitions -
"""


def built_in() -> Resources:
    """What a server knows before any CustomResourceDefinition."""
    found: Resources = {}
    for entry in LISTED.replace("\n  ", " ").strip().splitlines():
        group, _, rest = entry.partition(" ")
        for one in rest.split(","):
            kind, plural, scope = one.split()
            found[group.lstrip("/"), plural] = (kind, kind.lower(), scope == "+")
    return found


def discovery(parts: list[str], resources: Resources, version: str) -> Body | None:
    """The answer to a question about the API itself; None to any other."""
    groups = sorted({group for group, _ in resources if "/" in group})
    if parts == ["version"]:
        major, minor = version.split(".")
        return {"major": major, "minor": minor, "gitVersion": f"v{version}.2-eks-1", "platform": "linux/amd64"}
    if parts == ["api"]:
        return {"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": []}
    if parts == ["apis"]:
        made = []
        for one in groups:
            served = {"groupVersion": one, "version": one.rpartition("/")[2]}
            made.append({"name": one.partition("/")[0], "versions": [served], "preferredVersion": served})
        return {"kind": "APIGroupList", "apiVersion": "v1", "groups": made}
    if parts[:2] == ["openapi", "v3"]:
        return _openapi(parts[2:], groups, resources)
    group_version = "v1" if parts == ["api", "v1"] else "/".join(parts[1:])
    if parts[0] in ("api", "apis") and (parts == ["api", "v1"] or group_version in groups):
        verbs = ["create", "delete", "get", "list", "patch", "update", "watch"]
        named = [
            {"name": plural, "singularName": one, "namespaced": scoped, "kind": kind, "verbs": verbs}
            for (where, plural), (kind, one, scoped) in resources.items()
            if where == group_version
        ]
        return {"kind": "APIResourceList", "groupVersion": group_version, "resources": named}
    return None


def _openapi(parts: list[str], groups: list[str], resources: Resources) -> Body:
    """Enough to tell clients that the server itself judges unknown fields."""
    if not parts:
        named = ("api/v1", *(f"apis/{one}" for one in groups))
        return {"paths": {one: {"serverRelativeURL": f"/openapi/v3/{one}?hash=1"} for one in named}}
    group_version = "/".join(parts[1:]) if parts[0] == "apis" else "v1"
    group, _, version = group_version.rpartition("/")
    validation = [{"name": "fieldValidation", "in": "query", "schema": {"type": "string"}}]
    paths = {}
    for (where, plural), (kind, _, _) in resources.items():
        if where == group_version:
            mark = {"group": group, "version": version, "kind": kind}
            operation = {"parameters": validation, "x-kubernetes-group-version-kind": mark, "responses": {}}
            paths[f"/{plural}/{{name}}"] = {"patch": operation, "put": operation}
    return {"openapi": "3.0.0", "info": {"title": "Kubernetes", "version": "1"}, "paths": paths}

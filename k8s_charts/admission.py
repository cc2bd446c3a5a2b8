"""What the API server refuses in dev and prod, where neither Pod Security nor a quota can say it.

ValidatingAdmissionPolicies are evaluated by the API server itself: no webhook that could be away. They judge pods,
not what makes them, so that nothing passes by another kind.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from cdk8s_plus_35 import k8s

from blueprint.environments import CLUSTER_ENVIRONMENTS
from blueprint.namespaces import CACHE_IMAGES, NAMESPACES
from blueprint.pools import GPU
from blueprint.worker import BUSY, DO_NOT_DISRUPT, GPU_RESOURCE
from k8s_charts.facts import Facts
from k8s_charts.folder import Folder

ENVIRONMENTS = tuple(one.namespace for one in CLUSTER_ENVIRONMENTS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One policy of pods. `checks` are CEL expressions with what is said to whom one is false; `only` limits the
    requests that it judges."""

    name: str
    namespaces: Sequence[str] = ENVIRONMENTS
    operations: Sequence[str] = ("CREATE",)
    resources: Sequence[str] = ("pods",)
    only: Mapping[str, str] | None = None
    variables: Mapping[str, str] | None = None
    checks: Mapping[str, str]


def admission(folder: Folder, facts: Facts) -> None:
    """Adds a policy and its binding a rule."""
    for rule in rules(facts):
        _policy(folder, rule)


def rules(facts: Facts) -> tuple[Rule, ...]:
    """Every rule, by what it is for."""
    return (_priority(), _images(facts), _gpu(), _not_kept_from_birth(), _own_pod())


def _priority() -> Rule:
    classes = ", ".join(f"'{one.namespace}': '{one.priority_class}'" for one in CLUSTER_ENVIRONMENTS)
    said = " and ".join(f"{one.priority_class} in {one.namespace}" for one in CLUSTER_ENVIRONMENTS)
    return Rule(
        name="pingvas-priority",
        variables={"wanted": f"{{{classes}}}[request.namespace]"},
        checks={
            "has(object.spec.priorityClassName) && object.spec.priorityClassName == variables.wanted": (
                f"a pod names its environment's priority class: {said}"
            )
        },
    )


def _images(facts: Facts) -> Rule:
    """Of our registry, by what a delivery sets: a commit's SHA, or a digest. Tags that move are neither.

    What a pod has already is not judged again, or a stricter rule would keep controllers from ending it.
    """
    own, digest = facts.repository("").replace(".", "[.]"), "@sha256:[0-9a-f]{64}"
    allowed = [f"^{own}[a-z0-9-]+(:[0-9a-f]{{7,40}}|:[0-9a-f]{{7,40}}{digest}|{digest})$"]
    if facts.in_cluster:
        allowed.append(f"^{CACHE_IMAGES.replace('.', '[.]')}:[0-9][0-9a-z.-]*({digest})?$")
    patterns = ", ".join(f"'{one}'" for one in allowed)
    return Rule(
        name="pingvas-images",
        namespaces=tuple(one.name for one in NAMESPACES.values() if one.own_images),
        operations=("CREATE", "UPDATE"),
        resources=("pods", "pods/ephemeralcontainers"),
        variables={
            "images": _images_of("object"),
            "before": f"request.operation == 'UPDATE' ? {_images_of('oldObject')} : []",
            "allowed": f"[{patterns}]",
        },
        checks={
            "variables.images.all(i, i in variables.before || variables.allowed.exists(p, i.matches(p)))": (
                f"images come from {facts.repository('')} by a commit's SHA or a digest"
            )
        },
    )


def _images_of(pod: str) -> str:
    return " + ".join(
        f"(has({pod}.spec.{kind}) ? {pod}.spec.{kind}.map(c, c.image) : [])"
        for kind in ("containers", "initContainers", "ephemeralContainers")
    )


def _gpu() -> Rule:
    taint = GPU.taints[0].key
    return Rule(
        name="pingvas-gpu-nodes",
        variables={
            "tolerates": (
                "has(object.spec.tolerations) && object.spec.tolerations.exists(t, "
                f"!has(t.key) || t.key == '' || t.key == '{taint}')"
            ),
            "asks": (
                "object.spec.containers.exists(c, has(c.resources) && has(c.resources.limits) && "
                f"'{GPU_RESOURCE}' in c.resources.limits)"
            ),
        },
        checks={"!variables.tolerates || variables.asks": "GPU nodes are for pods that ask for a GPU"},
    )


def _not_kept_from_birth() -> Rule:
    return Rule(
        name="pingvas-disruption",
        checks={
            f"!has(object.metadata.annotations) || !('{DO_NOT_DISRUPT}' in object.metadata.annotations)": (
                f"{DO_NOT_DISRUPT} is a worker's own to set, while it renders: in a template it would keep the node "
                "for ever"
            )
        },
    )


def _own_pod() -> Rule:
    """RBAC cannot say "your own": who may patch pods could give another pod's container an image of their choice."""
    prefixes = " || ".join(
        f"request.userInfo.username.startsWith('system:serviceaccount:{one}:')" for one in ENVIRONMENTS
    )
    pod = "authentication.kubernetes.io/pod-name"
    marks = ", ".join(f"'{one}'" for one in BUSY)
    same = " && ".join(
        f"has(object.metadata.{field}) == has(oldObject.metadata.{field}) && "
        f"(!has(object.metadata.{field}) || object.metadata.{field} == oldObject.metadata.{field})"
        for field in ("labels", "finalizers", "ownerReferences")
    )
    return Rule(
        name="pingvas-own-pod",
        operations=("UPDATE",),
        resources=("pods", "pods/ephemeralcontainers", "pods/resize"),
        only={"a-pod-of-an-environment-asks": prefixes},
        variables={
            "pods": f"has(request.userInfo.extra) && '{pod}' in request.userInfo.extra ? "
            f"request.userInfo.extra['{pod}'] : []",
            "before": "has(oldObject.metadata.annotations) ? oldObject.metadata.annotations : {}",
            "after": "has(object.metadata.annotations) ? object.metadata.annotations : {}",
            "marks": f"[{marks}]",
        },
        checks={
            "variables.pods == [object.metadata.name]": "a pod of an environment changes no pod but its own",
            "object.spec == oldObject.spec": "a pod changes nothing of its own specification",
            same: "a pod changes no label, finalizer or owner of its own",
            "variables.after.all(k, k in variables.marks || (k in variables.before && "
            "variables.before[k] == variables.after[k])) && "
            "variables.before.all(k, k in variables.marks || k in variables.after)": (
                f"a pod changes no annotation of its own but {' and '.join(BUSY)}"
            ),
        },
    )


def _policy(folder: Folder, rule: Rule) -> None:
    k8s.KubeValidatingAdmissionPolicy(
        folder,
        f"Policy-{rule.name}",
        metadata=k8s.ObjectMeta(name=rule.name),
        spec=k8s.ValidatingAdmissionPolicySpec(
            failure_policy="Fail",
            match_constraints=k8s.MatchResources(
                match_policy="Equivalent",
                namespace_selector=_in(rule.namespaces),
                resource_rules=[
                    k8s.NamedRuleWithOperations(
                        api_groups=[""],
                        api_versions=["v1"],
                        operations=list(rule.operations),
                        resources=list(rule.resources),
                        scope="Namespaced",
                    )
                ],
            ),
            match_conditions=[
                k8s.MatchCondition(name=name, expression=text) for name, text in (rule.only or {}).items()
            ]
            or None,
            variables=[k8s.Variable(name=name, expression=text) for name, text in (rule.variables or {}).items()]
            or None,
            validations=[
                k8s.Validation(expression=text, message=message, reason="Forbidden")
                for text, message in rule.checks.items()
            ],
        ),
    )
    k8s.KubeValidatingAdmissionPolicyBinding(
        folder,
        f"Binding-{rule.name}",
        metadata=k8s.ObjectMeta(name=rule.name),
        spec=k8s.ValidatingAdmissionPolicyBindingSpec(policy_name=rule.name, validation_actions=["Deny", "Audit"]),
    )


def _in(namespaces: Sequence[str]) -> k8s.LabelSelector:
    return k8s.LabelSelector(
        match_expressions=[
            k8s.LabelSelectorRequirement(key="kubernetes.io/metadata.name", operator="In", values=list(namespaces))
        ]
    )

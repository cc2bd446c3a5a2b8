"""addons/<name>: values of the Helm charts that ArgoCD installs."""

from blueprint.charts import secret_namespaces
from k8s_charts.components.helm import Values
from k8s_charts.facts import Facts
from k8s_charts.folder import Folder, GitOps
from k8s_charts.values import argo_cd, backup, controllers, runners, secrets


def values(facts: Facts) -> dict[str, Values]:
    """By release; monitoring's charts are in `k8s_charts.monitoring`."""
    return {
        "argo-cd": argo_cd.values(),
        "prometheus-operator-crds": {},
        "karpenter-crd": {},
        "external-secrets-crds": secrets.definitions(),
        "karpenter": controllers.karpenter(facts),
        "aws-load-balancer-controller": controllers.load_balancer_controller(facts),
        "keda": controllers.keda(),
        **{release: secrets.external_secrets(release) for release in secret_namespaces()},
        "velero": backup.velero(facts),
        "gha-runner-scale-set-controller": runners.controller(),
        "gha-runner-scale-set": runners.scale_set(),
    }


def add(app: GitOps) -> None:
    """Adds the folders."""
    for name, of in values(app.facts).items():
        Folder(app, f"addons/{name}", listed=False).write("values.yaml", of)

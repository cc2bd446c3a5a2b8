"""Values of the charts that run GitHub's jobs in the cluster: those that need ArgoCD's private API, and no others.

A runner takes one job and is gone. It has no right in Kubernetes and no role in AWS: what it may do is what ArgoCD lets
the account of the workflows.
"""

from blueprint.components import COMPONENTS
from blueprint.delivery import REPOSITORY
from k8s_charts.components.helm import Values, container_security, pod_security, resources, selector

CONTROLLER = "actions-runner-controller"
LABEL = "pingvas"
"""What a workflow's `runs-on` says."""
CREDENTIALS = "github-app"
"""The Secret with the GitHub App's id, installation and private key, made once by hand (docs/kubernetes/gitops.md)."""
RUNNER_IMAGE = "ghcr.io/actions/actions-runner:2.338.0"
RUNNER_UID = 1001
"""The image's user `runner`."""
_METRICS_PORT = 8080


def controller() -> Values:
    of = COMPONENTS[CONTROLLER]
    return {
        "replicaCount": of.replicas,
        "serviceAccount": {"create": True, "name": CONTROLLER},
        "resources": resources(CONTROLLER),
        "nodeSelector": selector(CONTROLLER),
        "priorityClassName": of.priority_class,
        "podSecurityContext": pod_security(uid=65532),
        "securityContext": container_security(),
        "flags": {"logLevel": "info", "logFormat": "json", "watchSingleNamespace": of.namespace},
        "metrics": {
            "controllerManagerAddr": f":{_METRICS_PORT}",
            "listenerAddr": f":{_METRICS_PORT}",
            "listenerEndpoint": "/metrics",
        },
    }


def scale_set() -> Values:
    runner, listener = COMPONENTS["actions-runner"], COMPONENTS["actions-runner-listener"]
    return {
        "githubConfigUrl": f"https://github.com/{REPOSITORY}",
        "githubConfigSecret": CREDENTIALS,
        "runnerScaleSetName": LABEL,
        "minRunners": 0,
        "maxRunners": runner.replicas,
        "controllerServiceAccount": {"namespace": COMPONENTS[CONTROLLER].namespace, "name": CONTROLLER},
        "template": {
            "spec": {
                "automountServiceAccountToken": False,
                "nodeSelector": selector(runner.name),
                "securityContext": pod_security(uid=RUNNER_UID),
                "containers": [
                    {
                        "name": "runner",
                        "image": RUNNER_IMAGE,
                        "command": ["/home/runner/run.sh"],
                        "resources": resources(runner.name),
                        # It writes its registration and its logs beside its programs.
                        "securityContext": container_security() | {"readOnlyRootFilesystem": False},
                        "volumeMounts": [{"name": "work", "mountPath": "/home/runner/_work"}],
                    }
                ],
                "volumes": [{"name": "work", "emptyDir": {"sizeLimit": "10Gi"}}],
            }
        },
        "listenerTemplate": {
            "spec": {
                "nodeSelector": selector(listener.name),
                "priorityClassName": listener.priority_class,
                "securityContext": pod_security(uid=65532),
                "containers": [
                    {
                        "name": "listener",
                        "resources": resources(listener.name),
                        "securityContext": container_security(),
                    }
                ],
            }
        },
    }

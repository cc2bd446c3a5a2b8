"""What stands around the API server in memory: EKS's sign-in, controllers, ArgoCD and a chart in place of its own."""

import base64
import hashlib
import hmac
import os
from pathlib import Path
from urllib.parse import parse_qsl, quote, urlsplit

import yaml

from blueprint.cluster import NAME
from blueprint.regions import DEFAULT_REGION as REGION
from studio.cloud.bootstrap.token import HEADER, PREFIX
from tests.support.kubernetes_api import Server
from tests.support.kubernetes_objects import Body


def node(name: str, ready: str = "True") -> Body:
    meta = {"name": name, "labels": {"role": "system"}}
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": meta,
        "status": {"conditions": [{"type": "Ready", "status": ready}]},
    }


def signed(token: str) -> bool:
    """What STS does with the request that a token is: takes it where the signature is right (Signature Version 4) and
    covers the cluster's name, which EKS sends along."""
    if not token.startswith(PREFIX):
        return False
    packed = token.removeprefix(PREFIX)
    url = urlsplit(base64.urlsafe_b64decode(packed + "=" * (-len(packed) % 4)).decode())
    given = dict(parse_qsl(url.query))
    signature = given.pop("X-Amz-Signature", "")
    query = "&".join(f"{quote(name, safe='')}={quote(given[name], safe='')}" for name in sorted(given))
    if url.netloc != f"sts.{REGION}.amazonaws.com":
        return False
    names = f"host:{url.netloc}\n{HEADER}:{NAME}\n"
    request = f"GET\n/\n{query}\n{names}\nhost;{HEADER}\n{hashlib.sha256(b'').hexdigest()}"
    day = given["X-Amz-Date"][:8]
    scope = f"{day}/{REGION}/sts/aws4_request"
    text = f"AWS4-HMAC-SHA256\n{given['X-Amz-Date']}\n{scope}\n{hashlib.sha256(request.encode()).hexdigest()}"
    key = f"AWS4{os.environ['AWS_SECRET_ACCESS_KEY']}".encode()
    for part in (day, REGION, "sts", "aws4_request"):
        key = hmac.digest(key, part.encode(), "sha256")
    expected = hmac.digest(key, text.encode(), "sha256").hex()
    return given["Action"] == "GetCallerIdentity" and given["X-Amz-Expires"] == "60" and signature == expected


def rollouts(server: Server) -> None:
    """The controllers of Deployments and StatefulSets, whose pods are ready at once."""
    for (group, plural, _, _), body in list(server.objects.items()):
        if group == "apps" and "status" not in body:
            body["spec"].setdefault("updateStrategy", {"type": "RollingUpdate"})
            count = body["spec"].get("replicas", 1)
            states = ("replicas", "readyReplicas", "updatedReplicas", "availableReplicas", "currentReplicas")
            body["status"] = dict.fromkeys(states, count) | {"observedGeneration": body["metadata"]["generation"]}
            server.put("apps/v1", plural, body)


def argocd(server: Server) -> None:
    """ArgoCD: it applies what `pingvas` names, itself among it."""
    root = server.find("applications", "pingvas", "argocd")
    if root is not None and "status" not in root:
        healthy = {"sync": {"status": "Synced"}, "health": {"status": "Healthy"}}
        for name in ("argo-cd", "platform-cluster"):
            child = {"kind": "Application", "metadata": {"name": name, "namespace": "argocd"}, "status": healthy}
            server.put("argoproj.io/v1alpha1", "applications", child)
        server.put("argoproj.io/v1alpha1", "applications", root | {"status": healthy})


WORKLOAD = """\
apiVersion: apps/v1
kind: {kind}
metadata:
  name: {name}
  namespace: {{{{ .Release.Namespace }}}}
  annotations:
    priority: {{{{ .Values.global.priorityClassName }}}}
spec:
  replicas: 1
  selector:
    matchLabels: {{app: {name}}}
  template:
    metadata:
      labels: {{app: {name}}}
    spec:
      containers:
      - name: server
        image: argocd
"""


def definition(kind: str) -> Body:
    names = {"kind": kind, "plural": f"{kind.lower()}s", "singular": kind.lower(), "listKind": f"{kind}List"}
    schema = {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{names['plural']}.argoproj.io"},
        "spec": {
            "group": "argoproj.io",
            "names": names,
            "scope": "Namespaced",
            "versions": [{"name": "v1alpha1", "served": True, "storage": True, "schema": schema}],
        },
    }


def write_chart(place: Path) -> Path:
    """Stands for ArgoCD's chart: its definitions, a Deployment and a StatefulSet."""
    folder = place / "argo-cd"
    (folder / "templates").mkdir(parents=True)
    (folder / "Chart.yaml").write_text("apiVersion: v2\nname: argo-cd\nversion: 0.0.1\n")
    for kind in ("Application", "ApplicationSet", "AppProject"):
        (folder / "templates" / f"{kind.lower()}.yaml").write_text(yaml.safe_dump(definition(kind)))
    for kind, name in (("Deployment", "argocd-server"), ("StatefulSet", "argocd-application-controller")):
        (folder / "templates" / f"{name}.yaml").write_text(WORKLOAD.format(kind=kind, name=name))
    return folder

"""ArgoCD on an empty cluster, and the hand-over: everything looked at first, then three steps, each safe to repeat.

token     signs in to EKS as kubectl's credential plugin: a presigned GetCallerIdentity, so that no AWS CLI is needed
cluster   the cluster by kubectl and helm, with a kubeconfig of its own
checks    what must be right before anything is touched
run       namespaces, ArgoCD's chart, its projects and the application `pingvas`; then waiting
"""

ACCEPTABLE = ("manifests", "Kubernetes", "API server", "nodes")
"""Checks whose problem people may go on in spite of. Another account or cluster than the facts' is none of them."""

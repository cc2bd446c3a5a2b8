"""Manifests judged without a cluster: schemas, models, hardening; `kubectl kustomize` as ArgoCD runs it."""

"""The Kubernetes layer: blueprint and deployment facts in, `gitops/` out, which ArgoCD applies.

`components/` has small typed constructs, the modules here are the folders of `gitops/` made of them, and `main` wires
them. Nobody edits what it writes, with one exception: delivery sets `newTag` in the overlays, and synthesis keeps it.
"""

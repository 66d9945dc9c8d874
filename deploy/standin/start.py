"""What apache/kafka does at its start: KAFKA_… variables become properties, new storage is formatted, Kafka runs."""

import os
import shlex
import subprocess
from pathlib import Path

CLUSTER = "5L6g3nShT-eMCtK--X86sw"
FILE = Path("/tmp/server.properties")  # noqa: S108 - the container's own tmpfs


def main() -> None:
    """Write the properties, format once, and become Kafka, so that it gets the signals itself."""
    variables = {name: value for name, value in os.environ.items() if name.startswith("KAFKA_")}  # noqa: TID251 - an entrypoint
    heap = shlex.split(variables.pop("KAFKA_HEAP_OPTS", "-Xmx512m"))
    properties = {name.removeprefix("KAFKA_").lower().replace("_", "."): value for name, value in variables.items()}
    FILE.write_text("".join(f"{key}={value}\n" for key, value in properties.items()), encoding="utf-8")
    java = ["/usr/bin/java", *heap, "-XX:+UseSerialGC", "-cp", "/opt/kafka/libs/*"]
    if not Path(properties["log.dirs"], "meta.properties").exists():
        subprocess.run([*java, "kafka.tools.StorageTool", "format", "-t", CLUSTER, "-c", str(FILE)], check=True)
    os.execv(java[0], [*java, "kafka.Kafka", str(FILE)])  # noqa: S606 - no shell wanted


if __name__ == "__main__":
    main()

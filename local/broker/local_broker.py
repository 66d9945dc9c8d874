"""One real Kafka broker as a child process: started, awaited, stopped, killed, paused, and started again."""

import atexit
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import uuid
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from kafka import KafkaAdminClient
from kafka.errors import KafkaError

from local.broker.certificates import make_stores
from local.broker.configuration import (
    MECHANISMS,
    PROTOCOLS,
    Ports,
    Security,
    Stores,
    server_properties,
    write_log_config,
    write_properties,
)
from local.broker.jars import BrokerUnavailable, java, kafka_jars, kafka_version
from local.ports import free_port
from local.programs import dies_with_parent

START_SECONDS = 90.0
STOP_SECONDS = 30.0
_JVM = (
    "-Xmx512m",
    "-Xms128m",
    "-XX:+UseSerialGC",
    "-XX:TieredStopAtLevel=1",
    "-Xshare:auto",
    "-Djava.awt.headless=true",
)


class LocalBroker:
    """Genuine Apache Kafka (KRaft, combined mode) on 127.0.0.1.

    A context manager. ``start()`` after ``stop()`` or ``kill()`` comes back on the same port with the same storage.

    Attributes:
        bootstrap_servers: ``127.0.0.1:port`` of the client listener.
        version: Kafka's version.
        storage: holds everything of this broker; removed by ``close()`` when it is temporary.
        log_dir: the folder of ``server.log``.
    """

    def __init__(
        self,
        *,
        storage: Path | None = None,
        port: int = 0,
        properties: Mapping[str, str] | None = None,
        security: Security = "plaintext",
        users: Mapping[str, str] | None = None,
    ) -> None:
        """Prepare a broker; nothing is started.

        Args:
            storage: a folder that outlives the broker; temporary by default.
            port: of the client listener; 0 takes a free one.
            properties: server properties that win over the launcher's.
            security: of the client listener; ``sasl_…`` run inside TLS.
            users: name and password of each SASL user; the first is the one that ``client_config()`` uses.

        Raises:
            BrokerUnavailable: Java, Maven or the jars are missing.
        """
        if security in MECHANISMS and not users:
            raise ValueError(f"security={security!r} needs users={{name: password}}")
        self._java = java()
        self._jars = kafka_jars()
        self.version = kafka_version(self._jars)
        self._temporary = storage is None
        self.storage = (storage or Path(tempfile.mkdtemp(prefix="fraudstream-kafka-"))).resolve()
        self.log_dir = self.storage / "logs"
        try:
            self._ports = Ports(client=port or free_port(), internal=free_port(), controller=free_port())
        except OSError as error:
            raise BrokerUnavailable(str(error)) from None
        self.bootstrap_servers = f"127.0.0.1:{self._ports.client}"
        self._security: Security = security
        self._users = dict(users or {})
        self._properties = dict(properties or {})
        self._stores: Stores | None = None
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def pid(self) -> int | None:
        """The process id while the broker runs."""
        return self._process.pid if self._process and self._process.poll() is None else None

    def check(self) -> None:
        """Raise ``BrokerUnavailable`` when the broker is not running (any more)."""
        if self.pid is None:
            raise BrokerUnavailable(f"Kafka at {self.bootstrap_servers} is not running: {self._last_error()}")

    def client_config(self) -> dict[str, object]:
        """Return kafka-python's keyword arguments for a client of this broker."""
        config: dict[str, object] = {
            "bootstrap_servers": self.bootstrap_servers,
            "security_protocol": PROTOCOLS[self._security],
        }
        if self._stores:
            config["ssl_cafile"] = str(self._stores.ca_pem)
        if self._security in MECHANISMS:
            name, password = next(iter(self._users.items()))
            config["sasl_mechanism"] = MECHANISMS[self._security]
            config |= {"sasl_plain_username": name, "sasl_plain_password": password}
        return config

    def start(self) -> None:
        """Start the broker and block until it answers a client.

        Raises:
            BrokerUnavailable: another program holds the port; or the broker stopped or did not answer in time, and then
                the message ends with its last error.
        """
        if self.pid is not None:
            return
        if _listens(self._ports.client):
            raise BrokerUnavailable(f"{self.bootstrap_servers} is in use by another program: choose another port")
        self._prepare()
        # A session of its own: Ctrl-C in the terminal must reach the programs first, the broker last.
        with (self.log_dir / "output.log").open("ab") as output:
            self._process = subprocess.Popen(
                [*dies_with_parent(), *self._command("kafka.Kafka", str(self.storage / "server.properties"))],
                stdout=output,
                stderr=output,
                stdin=subprocess.DEVNULL,
                start_new_session=True,
            )
        atexit.register(self.close)
        self._await_answer()

    def stop(self) -> None:
        """Ask the broker to stop (SIGTERM) and wait; killed when it does not within half a minute."""
        if self._process is None:
            return
        self.resume()
        self._process.terminate()
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
        self._process.wait()

    def kill(self) -> None:
        """End the broker at once (SIGKILL), as a power cut would."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def pause(self) -> None:
        """Freeze the broker (SIGSTOP): connections stay open and nothing answers."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let a frozen broker go on (SIGCONT)."""
        self._signal(signal.SIGCONT)

    def close(self) -> None:
        """Stop the broker and remove its storage when that is temporary; may be called twice."""
        self.stop()
        atexit.unregister(self.close)
        if self._temporary:
            shutil.rmtree(self.storage, ignore_errors=True)

    def _signal(self, number: signal.Signals) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(number)

    def _prepare(self) -> None:
        """Write the configuration and format the storage unless that was done before."""
        data = self.storage / "data"
        self.log_dir.mkdir(parents=True, exist_ok=True)
        if self._security != "plaintext":
            self._stores = make_stores(self.storage)
        properties = server_properties(
            self._ports,
            data=data,
            security=self._security,
            users=self._users,
            stores=self._stores,
            extra=self._properties,
        )
        write_properties(self.storage / "server.properties", properties)
        write_log_config(self.storage / "log4j2.properties", self.log_dir / "server.log")
        if not (data / "meta.properties").exists():
            self._format()

    def _format(self) -> None:
        cluster = urlsafe_b64encode(uuid.uuid4().bytes).rstrip(b"=").decode()
        options = ["--config", str(self.storage / "server.properties"), f"--cluster-id={cluster}"]
        if self._security == "sasl_scram":
            for name, password in self._users.items():
                options += ["--add-scram", f"{MECHANISMS['sasl_scram']}=[name={name},password={password}]"]
        command = self._command("kafka.tools.StorageTool", "format", *options)
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise BrokerUnavailable(f"Kafka could not format {self.storage}: {_telling(done.stderr or done.stdout)}")

    def _command(self, main_class: str, *arguments: str) -> list[str]:
        log = f"-Dlog4j2.configurationFile={self.storage / 'log4j2.properties'}"
        return [str(self._java), *_JVM, log, "-cp", f"{self._jars}/*", main_class, *arguments]

    def _await_answer(self) -> None:
        """Block until an admin request is answered, through the listener and with the credentials that clients use."""
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            if self.pid is None:
                break
            if _listens(self._ports.client) and self._answers():
                return
            time.sleep(0.1)
        why = "did not answer in time" if self.pid else "stopped while starting"
        self.kill()
        raise BrokerUnavailable(
            f"Kafka {self.version} at {self.bootstrap_servers} {why}: {self._last_error()} (log: {self.log_dir})"
        )

    def _answers(self) -> bool:
        try:
            admin = KafkaAdminClient(**self.client_config(), bootstrap_timeout_ms=5_000)
        except KafkaError:
            return False
        try:
            return bool(admin.describe_cluster()["brokers"])
        except KafkaError:
            return False
        finally:
            admin.close()

    def _last_error(self) -> str:
        logs = [self.log_dir / name for name in ("output.log", "server.log")]
        return _telling("\n".join(log.read_text("utf-8", "replace") for log in logs if log.exists()))


def _telling(output: str) -> str:
    """Return the last line of a log that names an error, or its last line."""
    lines = [line.strip() for line in output.splitlines() if not line.startswith("\t")] or ["it said nothing"]
    errors = [line for line in lines if any(word in line for word in ("ERROR", "FATAL", "Exception"))]
    return (errors or lines)[-1][:300]


def _listens(port: int) -> bool:
    """Tell whether something accepts on the port, so that no client library logs its failed attempts."""
    with socket.socket() as probe:
        probe.settimeout(1.0)
        return probe.connect_ex(("127.0.0.1", port)) == 0

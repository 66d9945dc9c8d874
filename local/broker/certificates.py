"""A throw-away certificate authority and a server certificate for 127.0.0.1, made with the JDK's keytool."""

import subprocess
from pathlib import Path

from local.broker.configuration import Stores
from local.broker.jars import BrokerUnavailable, jdk_tool

# Guards nothing: the key store lives as long as a test broker, in a folder of its own.
_PASSWORD = "local-broker-only"  # noqa: S105


def make_stores(folder: Path) -> Stores:
    """Write ``broker.p12`` and ``ca.pem`` to ``folder`` unless they are there; the CA's own key is thrown away.

    Raises:
        BrokerUnavailable: keytool is missing or refuses.
    """
    stores = Stores(keystore=folder / "broker.p12", password=_PASSWORD, ca_pem=folder / "ca.pem")
    if stores.ca_pem.exists():
        return stores
    key = ("-genkeypair", "-keyalg", "EC", "-groupname", "secp256r1", "-validity", "30")
    names = "san=ip:127.0.0.1,dns:localhost"
    _keytool(stores, *key, "-alias", "ca", "-dname", "CN=fraudstream local CA", "-ext", "bc:c")
    _keytool(stores, *key, "-alias", "broker", "-signer", "ca", "-dname", "CN=localhost", "-ext", names)
    _keytool(stores, "-exportcert", "-rfc", "-alias", "ca", "-file", str(stores.ca_pem))
    _keytool(stores, "-delete", "-alias", "ca")
    return stores


def _keytool(stores: Stores, *arguments: str) -> None:
    where = ("-keystore", str(stores.keystore), "-storetype", "PKCS12", "-storepass", stores.password)
    command = [str(jdk_tool("keytool")), *arguments, *where]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise BrokerUnavailable(f"keytool could not make the broker's certificate: {done.stdout.strip()[:300]}")

"""The Kubernetes manifests: valid against the API's schemas, and hardened."""

from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

FOLDER = Path(__file__).parents[3] / "deploy" / "k8s"


def documents() -> list[dict[str, Any]]:
    files = (file for file in sorted(FOLDER.glob("*.yaml")) if file.name != "kustomization.yaml")
    return [one for file in files for one in yaml.safe_load_all(file.read_text(encoding="utf-8"))]


def kinds(*names: str) -> list[dict[str, Any]]:
    return [one for one in documents() if one["kind"] in names]


every_document = pytest.mark.parametrize(
    "document", documents(), ids=lambda one: f"{one['kind']}-{one['metadata']['name']}"
)
every_workload = pytest.mark.parametrize(
    "workload", kinds("StatefulSet", "Deployment", "Job"), ids=lambda one: str(one["metadata"]["name"])
)


@every_document
def test_the_api_knows_every_field(document: dict[str, Any]) -> None:
    kubernetes_validate.validate(document, kubernetes_validate.latest_version(), strict=True)


def test_the_kustomization_lists_every_manifest() -> None:
    kustomization = yaml.safe_load((FOLDER / "kustomization.yaml").read_text(encoding="utf-8"))
    listed = {*kustomization["resources"], "kustomization.yaml"}
    assert listed == {file.name for file in FOLDER.iterdir()}


@every_workload
def test_containers_run_without_root_rights_or_a_writable_root(workload: dict[str, Any]) -> None:
    pod = workload["spec"]["template"]["spec"]
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["automountServiceAccountToken"] is False
    assert pod["enableServiceLinks"] is False, "service links would be unknown FRAUD_ settings"
    for container in pod["containers"]:
        assert container["securityContext"]["readOnlyRootFilesystem"] is True
        assert container["securityContext"]["allowPrivilegeEscalation"] is False
        assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
        assert "memory" in container["resources"]["limits"]


@every_workload
def test_volumes_are_declared_and_claims_exist(workload: dict[str, Any]) -> None:
    pod = workload["spec"]["template"]["spec"]
    volumes = {volume["name"]: volume for volume in pod["volumes"]}
    mounted = {mount["name"] for container in pod["containers"] for mount in container["volumeMounts"]}
    assert mounted == set(volumes)
    claims = {one["metadata"]["name"] for one in kinds("PersistentVolumeClaim")}
    used = {v["persistentVolumeClaim"]["claimName"] for v in volumes.values() if "persistentVolumeClaim" in v}
    assert used <= claims


def test_an_instance_is_named_by_its_pod() -> None:
    (scorer,) = kinds("StatefulSet")
    (container,) = scorer["spec"]["template"]["spec"]["containers"]
    (variable,) = container["env"]
    assert variable["name"] == "FRAUD_INSTANCE_ID"
    assert variable["valueFrom"] == {"fieldRef": {"fieldPath": "metadata.name"}}
    names = {service["metadata"]["name"] for service in kinds("Service")}
    assert scorer["spec"]["serviceName"] in names


def test_a_drain_is_never_blocked_and_never_takes_two() -> None:
    (budget,) = kinds("PodDisruptionBudget")
    (scorer,) = kinds("StatefulSet")
    assert budget["spec"]["maxUnavailable"] == 1
    assert budget["spec"]["selector"] == scorer["spec"]["selector"]

"""The Kubernetes manifests: valid against the API's schemas, and hardened."""

import shutil
import subprocess
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from console.settings import Settings as ConsoleSettings
from fraud.features.platform import parse_platform
from runtime.settings import ProgramSettings
from service.settings import Settings
from training.settings import Settings as LoopSettings

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


@every_workload
def test_its_program_knows_every_setting_that_it_is_given(workload: dict[str, Any]) -> None:
    """An unknown FRAUD_ variable ends the service with exit 2."""
    given = {one["metadata"]["name"]: set(one["data"]) for one in kinds("ConfigMap")}
    for container in workload["spec"]["template"]["spec"]["containers"]:
        names = {variable["name"] for variable in container.get("env", [])}
        names |= set().union(*(given[one["configMapRef"]["name"]] for one in container["envFrom"]))
        programs: dict[str, type[ProgramSettings]] = {
            "fraudstream/trainer": LoopSettings,
            "fraudstream/console": ConsoleSettings,
        }
        known = programs.get(container["image"], Settings)
        # What is meant for another program is left alone, where the program says so.
        fields = {name.removeprefix("FRAUD_").lower() for name in names if known.claims(name.lower())}
        assert fields <= set(known.model_fields) | {f"{f}_file" for f in known.model_fields}


def test_the_platform_is_a_declaration_that_the_programs_read() -> None:
    (declared,) = [one["data"] for one in kinds("ConfigMap") if one["metadata"]["name"] == "fraud-platform"]
    assert parse_platform(declared["platform.toml"], where="fraud-platform").name == "shop"


@every_workload
def test_files_that_settings_name_are_mounted(workload: dict[str, Any]) -> None:
    (settings,) = [one["data"] for one in kinds("ConfigMap") if one["metadata"]["name"] == "fraud-settings"]
    files = [value for name, value in settings.items() if name.endswith(("_FILE", "_CAFILE"))]
    assert "/etc/fraudstream/platform.toml" in files
    for container in workload["spec"]["template"]["spec"]["containers"]:
        mounts = [mount["mountPath"] for mount in container["volumeMounts"]]
        assert all(any(file.startswith(f"{mount}/") for mount in mounts) for file in files)


def test_the_loop_runs_once_and_is_probed() -> None:
    (trainer,) = (one for one in kinds("Deployment") if one["metadata"]["name"] == "fraud-trainer")
    assert (trainer["spec"]["replicas"], trainer["spec"]["strategy"]) == (1, {"type": "Recreate"})
    (container,) = trainer["spec"]["template"]["spec"]["containers"]
    assert container["args"] == ["loop"]
    assert {container[probe]["httpGet"]["path"] for probe in ("startupProbe", "livenessProbe")} == {"/healthz"}


def test_the_scorer_has_the_three_probes_on_the_paths_that_it_serves() -> None:
    (scorer,) = kinds("StatefulSet")
    (container,) = scorer["spec"]["template"]["spec"]["containers"]
    paths = {
        probe: container[probe]["httpGet"]["path"] for probe in ("startupProbe", "livenessProbe", "readinessProbe")
    }
    assert paths == {"startupProbe": "/healthz", "livenessProbe": "/healthz", "readinessProbe": "/readyz"}


def test_kustomize_builds_it_with_pinned_images() -> None:
    kubectl = shutil.which("kubectl")
    if kubectl is None:
        pytest.skip("kubectl is not installed")
    done = subprocess.run([kubectl, "kustomize", str(FOLDER)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    built = list(yaml.safe_load_all(done.stdout))
    assert len(built) == len(documents())
    for one in built:
        kubernetes_validate.validate(one, kubernetes_validate.latest_version(), strict=True)
        for container in one.get("spec", {}).get("template", {}).get("spec", {}).get("containers", []):
            assert container["image"].partition(":")[2] not in {"", "latest"}

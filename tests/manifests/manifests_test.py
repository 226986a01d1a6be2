#!/usr/bin/env python3
"""What stands under install/: every overlay renders, the committed renderings
are current, and a checklist holds for each of them."""

import json
import os
import pathlib
import re
import subprocess
import sys
import unittest

import yaml

import render

ROOT = pathlib.Path(os.environ.get("LINSEY_SOURCE", pathlib.Path(__file__).parents[2]))
OVERLAYS = sorted(one for one in (ROOT / "install/overlays").iterdir() if one.is_dir())

# Container -> capabilities; docs/security.md gives the reasons.
CAPABILITIES = {
    "install": ["DAC_OVERRIDE"],
    "agent": ["NET_ADMIN"],
    "bird": ["NET_ADMIN", "NET_BIND_SERVICE", "NET_RAW"],
    "controller": [],
}


def objects(overlay: pathlib.Path) -> list[dict]:
    return [one.body for one in render.build(overlay)]


def find(all_objects: list[dict], kind: str, name: str) -> dict:
    return next(one for one in all_objects
                if (one["kind"], one["metadata"]["name"]) == (kind, name))


def pod_specs(all_objects: list[dict]) -> list[dict]:
    return [one["spec"]["template"]["spec"] for one in all_objects
            if one["kind"] in ("DaemonSet", "Deployment")]


def containers(spec: dict) -> list[dict]:
    return spec.get("initContainers", []) + spec["containers"]


class Rendering(unittest.TestCase):
    def test_every_overlay_of_the_promise_is_there(self) -> None:
        names = {one.name for one in OVERLAYS}

        self.assertLessEqual({"bgp-only", "hybrid", "monitoring", "no-policy"}, names)

    def test_the_committed_files_are_current(self) -> None:
        for overlay in OVERLAYS:
            with self.subTest(overlay.name):
                committed = (ROOT / "install" / f"{overlay.name}.yaml").read_text()
                self.assertEqual(committed, render.rendered(overlay), "run ./dev manifests")

    def test_the_config_map_is_current(self) -> None:
        script = pathlib.Path(__file__).with_name("configmap.py")
        made = subprocess.run([sys.executable, script, ROOT], capture_output=True, text=True,
                              check=True).stdout

        self.assertEqual((ROOT / "install/base/configmap.yaml").read_text(), made,
                         "run ./dev manifests")

    def test_the_config_map_tells_every_key_of_the_example(self) -> None:
        text = (ROOT / "install/base/configmap.yaml").read_text()

        def keys(value: object, at: str) -> list[str]:
            if not isinstance(value, dict) or not value:
                return [at]
            return [key for name, one in value.items()
                    for key in keys(one, f"{at}.{name}" if at else name)]

        example = json.loads((ROOT / "conf/agent.json").read_text())
        for key in keys(example, ""):
            with self.subTest(key):
                self.assertRegex(text, rf"(?m)^# {re.escape(key)}( |$)")

    def test_no_policy_leaves_out_the_policy_and_nothing_else(self) -> None:
        whole = {one.key for one in render.build(ROOT / "install/overlays/hybrid")}
        less = {one.key for one in render.build(ROOT / "install/overlays/no-policy")}

        self.assertEqual({kind for kind, _ in whole - less},
                         {"ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding"})
        self.assertEqual(less - whole, set())

    def test_each_object_parses_alone_and_no_wildcard_stands_in_a_rule(self) -> None:
        for overlay in OVERLAYS:
            for one in objects(overlay):
                self.assertIn("apiVersion", one)
                for rule in one.get("rules", []) if "Role" in one["kind"] else []:
                    self.assertNotIn("*", rule["verbs"] + rule["resources"])


class Checklist(unittest.TestCase):
    """Holds for every overlay."""

    def each(self):
        for overlay in OVERLAYS:
            with self.subTest(overlay.name):
                yield objects(overlay)

    def test_host_paths_are_directories_that_are_made(self) -> None:
        for all_objects in self.each():
            for spec in pod_specs(all_objects):
                for volume in spec.get("volumes", []):
                    if "hostPath" in volume:
                        self.assertEqual(volume["hostPath"]["type"], "DirectoryOrCreate", volume)

    def test_capabilities_are_exactly_those_with_a_reason(self) -> None:
        page = (ROOT / "docs/security.md").read_text()
        for all_objects in self.each():
            for spec in pod_specs(all_objects):
                for one in containers(spec):
                    context = one["securityContext"]
                    self.assertEqual(context["capabilities"]["drop"], ["ALL"])
                    added = context["capabilities"].get("add", [])
                    self.assertEqual(added, CAPABILITIES[one["name"]], one["name"])
                    for right in added:
                        self.assertIn(f"| `{one['name']}` | `{right}` |", page)

    def test_nothing_is_privileged(self) -> None:
        for all_objects in self.each():
            for spec in pod_specs(all_objects):
                self.assertFalse(spec.get("hostPID") or spec.get("hostIPC"))
                for one in containers(spec):
                    context = one["securityContext"]
                    self.assertFalse(context.get("privileged"))
                    self.assertIs(context["allowPrivilegeEscalation"], False)
                    self.assertIs(context["readOnlyRootFilesystem"], True)
                    self.assertEqual(context["seccompProfile"]["type"], "RuntimeDefault")

    def test_the_daemon_set_survives_what_nodes_go_through(self) -> None:
        for all_objects in self.each():
            daemon = find(all_objects, "DaemonSet", "linsey")["spec"]
            spec = daemon["template"]["spec"]
            self.assertEqual(daemon["updateStrategy"]["rollingUpdate"], {"maxUnavailable": "10%"})
            self.assertEqual(spec["priorityClassName"], "system-node-critical")
            self.assertEqual(spec["tolerations"], [{"operator": "Exists"}])
            self.assertIs(spec["hostNetwork"], True)
            self.assertEqual([one["name"] for one in spec["initContainers"]], ["install"])
            self.assertEqual([one["name"] for one in spec["containers"]], ["agent", "bird"])

    def test_probes_ask_what_the_agent_answers(self) -> None:
        api = (ROOT / "agent/api.cpp").read_text()
        for all_objects in self.each():
            spec = find(all_objects, "DaemonSet", "linsey")["spec"]["template"]["spec"]
            config = json.loads(find(all_objects, "ConfigMap", "linsey-config")["data"]["agent.json"])
            agent = spec["containers"][0]
            for probe in ("livenessProbe", "readinessProbe"):
                get = agent[probe]["httpGet"]
                self.assertEqual(config["metricsListen"], f"{get['host']}:{get['port']}")
                self.assertIn(f'"{get["path"]}"', api)

    def test_bird_is_ended_by_its_supervisor_and_never_withdraws(self) -> None:
        for all_objects in self.each():
            spec = find(all_objects, "DaemonSet", "linsey")["spec"]["template"]["spec"]
            bird = spec["containers"][1]
            self.assertEqual(bird["args"], ["bird-supervisor"])
            self.assertEqual(bird["lifecycle"]["preStop"]["exec"]["command"][-1], "kill -TERM 1")

    def test_every_mount_has_its_volume_and_every_volume_a_mount(self) -> None:
        for all_objects in self.each():
            for spec in pod_specs(all_objects):
                volumes = {one["name"] for one in spec.get("volumes", [])}
                mounts = {mount["name"] for one in containers(spec)
                          for mount in one.get("volumeMounts", [])}
                self.assertEqual(volumes, mounts)

    def test_paths_of_the_configuration_are_mounted(self) -> None:
        for all_objects in self.each():
            spec = find(all_objects, "DaemonSet", "linsey")["spec"]["template"]["spec"]
            config = json.loads(find(all_objects, "ConfigMap", "linsey-config")["data"]["agent.json"])
            mounted = {one["mountPath"] for one in spec["containers"][0]["volumeMounts"]}
            wanted = {config["cni"]["confDir"], config["cni"].get("binDir", "/opt/cni/bin"),
                      "/run/linsey", "/var/lib/linsey"}
            self.assertLessEqual(wanted, mounted)

    def test_accounts_of_pods_exist(self) -> None:
        for all_objects in self.each():
            accounts = {one["metadata"]["name"] for one in all_objects
                        if one["kind"] == "ServiceAccount"}
            for spec in pod_specs(all_objects):
                self.assertIn(spec["serviceAccountName"], accounts)

    def test_the_cluster_works_while_the_controller_rolls(self) -> None:
        for all_objects in self.each():
            controller = find(all_objects, "Deployment", "linsey-controller")["spec"]
            self.assertEqual(controller["replicas"], 2)
            self.assertNotIn("hostNetwork", controller["template"]["spec"])


class Rights(unittest.TestCase):
    def granted(self) -> set[str]:
        all_objects = objects(ROOT / "install/overlays/hybrid")
        words = set()
        for rule in find(all_objects, "ClusterRole", "linsey-agent")["rules"]:
            for group in rule["apiGroups"]:
                for resource in rule["resources"]:
                    name, slash, rest = resource.partition("/")
                    full = (f"{name}.{group}" if group else name) + slash + rest
                    words |= {f"{verb} {full}" for verb in rule["verbs"]}
        return words

    def test_what_preflight_asks_for_is_granted(self) -> None:
        source = (ROOT / "conf/preflight.cpp").read_text()
        table = source[source.index("kRbac"):source.index("});", source.index("kRbac"))]
        needed = set(re.findall(r'"([a-z]+ [a-z./]+)"', table))

        self.assertGreater(len(needed), 10)
        self.assertEqual(needed - self.granted(), set())

    def test_the_example_plan_grants_what_the_manifests_grant(self) -> None:
        plan = json.loads((ROOT / "install/plan.example.json").read_text())

        self.assertEqual(set(plan["rbac"]) - self.granted(), set())


class Monitoring(unittest.TestCase):
    def exported(self) -> set[str]:
        names = set()
        for room in ("agent", "bgp", "cloud", "kube"):
            for path in (ROOT / room).glob("*.cpp"):
                names |= set(re.findall(r'"(linsey_[a-z_]+)"', path.read_text()))
        return names

    def expressions(self) -> list[str]:
        rules = yaml.safe_load((ROOT / "install/monitoring/alerts.yaml").read_text())
        board = json.loads((ROOT / "install/monitoring/dashboard.json").read_text())
        out = [rule["expr"] for group in rules["groups"] for rule in group["rules"]]
        return out + [target["expr"] for panel in board["panels"] for target in panel["targets"]]

    def test_every_metric_named_is_one_that_the_code_has(self) -> None:
        exported = self.exported()
        self.assertGreater(len(self.expressions()), 20)
        for expression in self.expressions():
            for name in re.findall(r"linsey_[a-z_]+", expression):
                with self.subTest(name):
                    self.assertIn(re.sub(r"_(bucket|sum|count)$", "", name), exported)

    def test_the_page_of_metrics_is_the_code(self) -> None:
        page = (ROOT / "docs/metrics.md").read_text()

        self.assertEqual(set(re.findall(r"(?m)^\| `(linsey_[a-z_]+)` \|", page)),
                         self.exported() - {"linsey_export"})  # a BIRD filter's name

    def test_every_runbook_is_a_heading(self) -> None:
        headings = {line[4:].strip().lower() for line in
                    (ROOT / "docs/errors.md").read_text().splitlines() if line.startswith("### ")}
        rules = yaml.safe_load((ROOT / "install/monitoring/alerts.yaml").read_text())
        for group in rules["groups"]:
            for rule in group["rules"]:
                anchor = re.search(r"errors\.md#(\w+)", rule["annotations"]["runbook"])
                if anchor:
                    self.assertIn(anchor.group(1), headings)


if __name__ == "__main__":
    unittest.main(verbosity=2)

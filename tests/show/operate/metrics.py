"""6.7: every metric that rules and panels name is exported in a lab of both
modes with an API server, and promtool's linter has nothing to say."""

import json
import pathlib
import re
import subprocess
import sys

import yaml

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "bgp"))
from lab import BUILD, ROOT, Lab, wait  # noqa: E402

API = "10.0.1.11:6443"  # on m1; the others reach it as they reach m1


def with_api(topology):
    del topology["nodes"]["m2"], topology["nodes"]["c2"]
    topology["agent"]["evidence"] = {"timeout": "1s"}


def objects(lab):
    """The definitions, the rights, and the nodes as they would register."""
    nodes = [{"apiVersion": "v1", "kind": "Node",
              "metadata": {"name": name, "labels": node["labels"]},
              "status": {"addresses": [{"type": "InternalIP",
                                        "address": node["address"]}]}}
             for name, node in lab.topology["nodes"].items()]
    path = lab.dir / "nodes.yaml"
    path.write_text(yaml.safe_dump_all(nodes))
    return [str(ROOT / "install/base/crds"), str(ROOT / "install/base/rbac.yaml"),
            str(path)]


def start_api(lab):
    kubeconfig = lab.dir / "kubeconfig"
    words = [str(BUILD / "lab/linsey-lab"), "api", "--listen", API,
             "--kubeconfig", str(kubeconfig)]
    for path in objects(lab):
        words += ["--apply", path]
    process = subprocess.Popen(lab.exec_argv("m1", *words),
                               stdout=subprocess.DEVNULL)
    wait("the API server", kubeconfig.exists)
    for node in ("m1", "c1"):
        path = lab.root / f"nodes/{node}/etc/agent.json"
        config = json.loads(path.read_text())
        config["kubernetes"] = {"source": "kubeconfig",
                                "kubeconfig": str(kubeconfig)}
        path.write_text(json.dumps(config))
        lab.lab("agent", node, "stop")
        lab.lab("agent", node, "start")
    return process


def exported(lab, node):
    done = subprocess.run(["curl", "-s", "--max-time", "10", "--unix-socket",
                           str(lab.socket(node)), "http://agent/metrics"],
                          capture_output=True, text=True, check=True)
    return done.stdout


def check_panels(lab_dir, queries):
    """promtool reads the dashboard's queries as if each were a rule."""
    rules = [{"record": f"panel:{at}", "expr": re.sub(r"\$instance", ".*", query)}
             for at, query in enumerate(queries)]
    path = lab_dir / "panels.yaml"
    path.write_text(yaml.safe_dump({"groups": [{"name": "panels", "rules": rules}]}))
    done = subprocess.run(["promtool", "check", "rules", str(path)],
                          capture_output=True, text=True, check=False)
    print(f"queries of panels: {done.stdout.split(chr(10))[1].strip()} {done.stderr}".rstrip())
    return done.returncode == 0


def named():
    rules = yaml.safe_load((ROOT / "install/monitoring/alerts.yaml").read_text())
    board = json.loads((ROOT / "install/monitoring/dashboard.json").read_text())
    texts = [rule["expr"] for group in rules["groups"] for rule in group["rules"]]
    panels = [target["expr"] for panel in board["panels"] for target in panel["targets"]]
    print(f"{len(texts)} rules, {len(board['panels'])} panels with {len(panels)} queries")
    names = {name for text in texts + panels for name in re.findall(r"linsey_[a-z_]+", text)}
    return names, panels


def series(text):
    """Names of the series that are there, with those that are described and
    have none yet (a gauge without a case)."""
    names = set(re.findall(r"(?m)^(linsey_[a-z_]+)[ {]", text))
    return names | set(re.findall(r"(?m)^# TYPE (\S+) ", text))


def lint(node, text):
    done = subprocess.run(["promtool", "check", "metrics"], input=text, text=True,
                          capture_output=True, check=False)
    print(f"{node}: {len(re.findall('(?m)^# TYPE ', text))} metric families, "
          f"{len(re.findall('(?m)^linsey_', text))} series, promtool "
          f"{'has nothing to say' if done.returncode == 0 else done.stdout + done.stderr}")
    return done.returncode == 0 and not done.stdout + done.stderr


def main():
    wanted, panels = named()
    with Lab("hybrid", with_api) as lab:
        good = check_panels(lab.dir, panels)
        api = start_api(lab)
        try:
            lab.lab("node", "list", "--wait")
            for node in ("m1", "c1"):
                lab.lab("pod", "add", node, "a", "b")
                lab.lab("pod", "del", node, "a")
            wait("the API server is heard", lambda: all(
                "linsey_api_current 1" in exported(lab, n) for n in ("m1", "c1")))
            texts = {node: exported(lab, node) for node in ("m1", "c1")}
        finally:
            api.terminate()
            api.wait()
    good &= all([lint(node, text) for node, text in texts.items()])
    there = set().union(*map(series, texts.values()))
    missing = sorted(wanted - there)
    print(f"{len(wanted)} names in rules and panels, {len(wanted) - len(missing)} of "
          f"them exported in the lab; missing: {missing or 'none'}")
    return 0 if good and not missing else 1


if __name__ == "__main__":
    sys.exit(main())

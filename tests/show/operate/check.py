"""`ipam check` in a lab of both modes: nothing where nothing is wrong; what is
planted is found, and --apply with the plan's hash, and with no other, mends
what can be mended."""

import json
import pathlib
import sys
import subprocess

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "bgp"))
from lab import BUILD, Lab, wait  # noqa: E402


def check(lab, node, *words):
    """In the node's namespace, as in the agent's container."""
    done = subprocess.run(
        lab.exec_argv(node, str(BUILD / "ctl/linseyctl"), "--socket", str(lab.socket(node)),
                      "ipam", "check", "--settle", "0.5", "-o", "json", *words),
        capture_output=True, text=True, check=False)
    return done.returncode, json.loads(done.stdout)


def plant(lab, node):
    for words in ("link add calileaked00001 type veth peer name leakedpeer",
                  "link set calileaked00001 alias linsey:deadbeef:eth0",
                  "route add 10.9.9.9/32 dev lo proto 80",
                  "rule add pref 512 to 10.9.9.8 lookup main protocol 80"):
        lab.run(node, "ip", *words.split())


def main():
    good = True
    with Lab("hybrid") as lab:
        lab.lab("node", "list", "--wait")
        for node in ("m1", "c1"):
            lab.lab("pod", "add", node, "a", "b")
            wait(f"{node} agrees", lambda n=node: check(lab, n)[0] == 0, 30)
            print(f"{node}: nothing differs: {check(lab, node)[1]['attachments']} attachments")
            plant(lab, node)
            code, told = check(lab, node, "--plan")
            kinds = sorted(one["kind"] for one in told["differences"])
            print(f"{node}: planted, found: {', '.join(kinds)}; plan {told['plan']}")
            good &= code == 1 and {"leaked-link", "stale-rule"} <= set(kinds)
            wrong, refused = check(lab, node, "--apply", "000000000000")
            print(f"{node}: another hash: exit {wrong}, {refused['code']}")
            good &= wrong == 2
            code, done = check(lab, node, "--apply", told["plan"])
            print(f"{node}: applied: {[one['result'] for one in done.get('done', [])] or done}")
            code_after, after = check(lab, node)
            print(f"{node}: after: {[one['kind'] for one in after['differences']] or 'nothing differs'}")
            good &= code == 0 and code_after == 0
            bundle = lab.dir / f"{node}.tar"
            diag = lab.ctl(node, "diag", "-f", str(bundle), "--config",
                           str(lab.root / f"nodes/{node}/etc/agent.json"))
            print(f"{node}: {diag.stdout.splitlines()[0].split('/')[-1]}")
            good &= diag.returncode == 0
            mode = lab.ctl(node, "node", "mode")
            print(mode.stdout.splitlines()[0])
            good &= mode.returncode == 0
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())

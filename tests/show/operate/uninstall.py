"""6.3, in a lab of both modes: pods come and go, the agent is killed under
those that stay, and uninstall leaves nothing of ours on either kind of node."""

import pathlib
import shutil
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "bgp"))
from lab import BUILD, Lab, count  # noqa: E402

AT_ONCE = 8


def churn(lab, node, number):
    """Pods come and go in groups, until NUMBER have been there; the last stay."""
    done = 0
    while done < number:
        names = [f"p{done + at}" for at in range(AT_ONCE)]
        done += AT_ONCE
        lab.lab("pod", "add", node, *names)
        if done < number:
            lab.lab("pod", "del", node, *names)
    return done


def left(lab, node):
    """What is there of ours, by the kernel's own tools."""
    looks = (("links", "ip -o link", "cali"), ("rules", "ip rule", "proto 80"),
             ("routes", "ip route show table all proto 80", ""),
             ("routes of BIRD", "ip route show proto bird", "10.244."),
             ("nftables", "nft list tables", "linsey"))
    found = [f"{what}: {line}" for what, command, mark in looks
             for line in lab.run(node, *command.split()).splitlines() if mark in line]
    return found


def main():
    good = True
    with Lab("hybrid") as lab:
        lab.lab("node", "list", "--wait")
        image = lab.dir / "image"  # as the image has it
        image.mkdir()
        install = shutil.copy(BUILD / "install/linsey-install", image)
        for name in ("linsey", "loopback"):
            shutil.copy(BUILD / "plugin/linsey", image / name)
        for node in ("m1", "c1"):
            root = str(lab.root / f"nodes/{node}")
            where = ["--root", root, "--bin-dir", "/cni/bin", "--conf-dir", "/cni/net.d"]
            subprocess.run([install, *where, "--no-drop-ins"], check=True,
                           stdout=subprocess.DEVNULL)
            number = churn(lab, node, count("PODS"))
            lab.lab("agent", node, "kill")
            before = left(lab, node)
            # --force: the agents of other nodes run on the same machine.
            done = subprocess.run(
                lab.exec_argv(node, install, "uninstall", "--verify", "--force", *where,
                              "--state-dir", "/state", "--run-dir", "/run"),
                capture_output=True, text=True, check=False)
            print(f"{node}: {number} pods came, {AT_ONCE} stayed, agent killed; "
                  f"{len(before)} traces in the kernel")
            print("".join(line + "\n" for line in done.stdout.splitlines()
                          if not line.startswith("    ")), end="")
            after = left(lab, node)
            print(f"{node}: by the kernel's own tools: {after or 'nothing left'}")
            good &= done.returncode == 0 and not after and bool(before)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())

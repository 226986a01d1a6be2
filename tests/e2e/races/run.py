#!/usr/bin/env python3
"""Races: kills, vanishing namespaces and crossing calls at random moments.

    run.py [--runs N] [--seed S] [--only NAME] [--no-load]

Must run in network, mount and PID namespaces of its own (in_namespaces.py of
tests/e2e/containerd makes them). Each race is run N times while both cores are
busy; after one DEL, or one reconcile, nothing may be left: no link, rule,
route, qdisc or held address; and no address may be held by two at once. The
seed is printed; the same seed draws the same moments.
"""

import argparse
import json
import os
import pathlib
import random
import signal
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "conformance"))

import kernel  # noqa: E402
from case import expect, expect_equal  # noqa: E402
from main_plugin import pod_ips  # noqa: E402
from world import World  # noqa: E402

RACES = {}


def race(name, text):
    def register(function):
        RACES[name] = (text, function)
        return function
    return register


def pod_args(name):
    return {"CNI_ARGS": "IgnoreUnknown=1;K8S_POD_NAMESPACE=races;"
                        f"K8S_POD_NAME={name}"}


def launch(world, verb, **how):
    """Starts a call and hands it its input, so that it runs from now on."""
    process = world.start(verb, **how)
    process.stdin.write(process.input)
    process.stdin.close()
    process.stdin, process.input = None, None
    return process


def remains():
    """What of ours stands in the host's namespace."""
    found = [("link", name) for name in kernel.links()
             if name.startswith(("cali", "lin", "ifb"))]
    found += [("rule", json.dumps(rule)) for rule in kernel.rules()
              if str(rule.get("protocol")) == "80"]
    found += [("route", dst) for dst in kernel.destinations()
              if dst.startswith(("10.77.0.", "fd77:")) and "/" not in dst]
    done = subprocess.run(["tc", "-j", "qdisc", "show"], capture_output=True,
                          text=True, check=True)
    found += [("qdisc", q["dev"]) for q in json.loads(done.stdout)
              if q["kind"] in ("tbf", "ingress")]
    return found


def expect_clean(world, what):
    """Nothing left, at the latest when the agent has looked once."""
    deadline = time.monotonic() + 30
    while True:
        left = remains()
        held = world.agent.held()
        if not left and held == 0:
            return
        expect(time.monotonic() < deadline, f"{what}: left {left}, held {held}")
        time.sleep(0.02)


def restart(world):
    world.agent.stop(signal.SIGKILL)
    world.agent.start()


def shaped(world):
    """A configuration with everything that leaves traces."""
    return world.conf(runtimeConfig={"bandwidth": {
        "ingressRate": 10_000_000, "ingressBurst": 1_000_000,
        "egressRate": 10_000_000, "egressBurst": 1_000_000}})


@race("kill-add", "SIGKILL of the plugin at a random moment of ADD, then DEL")
def kill_add(world, draw, run):
    netns, cid, conf = world.sandbox(), world.cid(), shaped(world)
    how = {"netns": netns, "cid": cid, **pod_args(f"p{run}")}
    process = launch(world, "ADD", conf=conf, **how)
    time.sleep(draw.uniform(0, 0.012))
    process.kill()
    world.finish(process)
    world.delete(netns, cid=cid, conf=conf, **pod_args(f"p{run}"))


@race("kill-del", "SIGKILL of the plugin at a random moment of DEL, then DEL")
def kill_del(world, draw, run):
    netns, cid, conf = world.sandbox(), world.cid(), shaped(world)
    args = pod_args(f"p{run}")
    world.add(netns, cid=cid, conf=conf, **args)
    process = launch(world, "DEL", netns=netns, cid=cid, conf=conf, **args)
    time.sleep(draw.uniform(0, 0.012))
    process.kill()
    world.finish(process)
    world.delete(netns, cid=cid, conf=conf, **args)


@race("netns-gone", "the namespace is removed at a random moment of ADD")
def netns_gone(world, draw, run):
    netns, cid, conf = world.sandbox(), world.cid(), shaped(world)
    args = pod_args(f"p{run}")
    process = launch(world, "ADD", netns=netns, cid=cid, conf=conf, **args)
    time.sleep(draw.uniform(0, 0.012))
    kernel.run_ip("netns", "del", netns)
    done = world.finish(process)
    if done.code != 0:
        done.error(what="an ADD that lost its namespace")
    world.delete(netns, cid=cid, conf=conf, **args)


@race("kill-agent", "the agent is killed at a random moment of ADD")
def kill_agent(world, draw, run):
    netns, cid = world.sandbox(), world.cid()
    args = pod_args(f"p{run}")
    process = launch(world, "ADD", netns=netns, cid=cid, **args)
    time.sleep(draw.uniform(0, 0.012))
    restart(world)
    world.finish(process)
    world.delete(netns, cid=cid, **args)


@race("cross", "ADD and DEL of one pod cross")
def cross(world, draw, run):
    netns, cid = world.sandbox(), world.cid()
    args = pod_args(f"p{run}")
    add = launch(world, "ADD", netns=netns, cid=cid, **args)
    time.sleep(draw.uniform(0, 0.008))
    delete = launch(world, "DEL", netns=netns, cid=cid, **args)
    done = world.finish(add)
    if done.code != 0:
        done.error(what="an ADD that met its DEL")
    world.finish(delete).silent("the crossing DEL")
    world.delete(netns, cid=cid, **args)


@race("many", "64 ADDs at once, then 64 DELs at once")
def many(world, draw, run):
    pods = [(world.sandbox(), world.cid()) for _ in range(64)]
    adds = [launch(world, "ADD", netns=netns, cid=cid,
                   **pod_args(f"p{run}-{cid}")) for netns, cid in pods]
    results = [world.finish(process).ok("ADD").json for process in adds]
    addresses = [ip for result in results for ip in pod_ips(result)]
    expect_equal(len(set(addresses)), len(addresses), "distinct addresses")
    draw.shuffle(pods)
    deletes = [launch(world, "DEL", netns=netns, cid=cid,
                      **pod_args(f"p{run}-{cid}")) for netns, cid in pods]
    for process in deletes:
        world.finish(process).silent("DEL")


def run_race(world, name, runs, seed):
    text, function = RACES[name]
    draw = random.Random(f"{seed}/{name}")
    began = time.monotonic()
    # A run of "many" is 64 pods: that many count as one run each.
    rounds = max(1, runs // 64) if name == "many" else runs
    for run in range(rounds):
        function(world, draw, run)
        expect_clean(world, f"{name}, run {run}")
        world.clean()
    print(f"ok    {name:11} {text}: {rounds} runs in "
          f"{time.monotonic() - began:.0f} s", flush=True)


def busy_cores():
    return [subprocess.Popen([sys.executable, "-c", "while True: pass"])
            for _ in range(os.cpu_count() or 2)]


def main():
    build = pathlib.Path(os.environ.get("LINSEY_BUILD", "build/dev"))
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=20)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--only", default="")
    parser.add_argument("--no-load", action="store_true")
    options = parser.parse_args()
    if os.geteuid() != 0:
        print("races need root: they make network namespaces")
        return 77
    print(f"seed {options.seed}")
    failed = 0
    names = options.only.split(",") if options.only else list(RACES)
    load = [] if options.no_load else busy_cores()
    with tempfile.TemporaryDirectory(prefix="linsey-races-") as home:
        world = World(build / "plugin", build / "agent/linseyd", home)
        try:
            for name in names:
                try:
                    run_race(world, name, options.runs, options.seed)
                except Exception as error:  # noqa: BLE001
                    print(f"FAIL  {name}: {error}", flush=True)
                    failed += 1
                    world.clean()
        finally:
            world.agent.stop()
            for process in load:
                process.kill()
                process.wait()
    print(f"{len(names) - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())

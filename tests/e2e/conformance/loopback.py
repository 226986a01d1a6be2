"""L1-L21: the bundled loopback plugin."""

import json

import kernel
from case import case, expect, expect_equal
from world import VERSIONS

FULL = {
    "cniVersion": "1.1.0",
    "interfaces": [
        {"name": "cali1", "mac": "ee:ee:ee:ee:ee:ee", "mtu": 1450},
        {"name": "eth0", "mac": "02:00:00:00:00:01", "mtu": 1450,
         "sandbox": "/n/1", "socketPath": "/s", "pciID": "0000:00:1f.6"}],
    "ips": [{"address": "10.9.0.7/24", "gateway": "10.9.0.1", "interface": 1}],
    "routes": [{"dst": "0.0.0.0/0", "gw": "10.9.0.1", "mtu": 1400,
                "advmss": 1360, "priority": 7, "table": 100, "scope": 0}],
    "dns": {"nameservers": ["10.96.0.10"], "domain": "d", "search": ["s"],
            "options": ["ndots:5"]}}


def lo(world, version="1.0.0", **more):
    return {"cniVersion": version, "name": "cni-loopback", "type": "loopback",
            **more}


def call(world, verb, netns, conf=None, **how):
    return world.call(verb, plugin="loopback", netns=netns,
                      conf=conf or lo(world), ifname=how.pop("ifname", "lo"),
                      **how)


def is_up(netns):
    return "UP" in kernel.link("lo", netns)["flags"]


def expect_shape(result, version):
    """The form of 1.6: halves, then "version" in ips, then neither."""
    expect_equal(result.get("cniVersion"), version, "cniVersion")
    if version in VERSIONS[:2]:
        expect(set(result) <= {"cniVersion", "ip4", "ip6", "dns"}, result)
        expect_equal(result["ip4"]["ip"], "127.0.0.1/8")
        expect_equal(result["dns"], {})
        return
    expect_equal([i["name"] for i in result["interfaces"]], ["lo"])
    expect_equal([ip["address"] for ip in result["ips"]],
                 ["127.0.0.1/8", "::1/128"])
    has_version = [("version" in ip) for ip in result["ips"]]
    expect_equal(has_version, [version < "1.0.0"] * 2, "version in ips")
    expect_equal("dns" in result, version < "1.0.0", "empty dns")


def register_versions():
    for number, version in enumerate(VERSIONS, 1):
        @case(f"L{number}", f"ADD at {version} sets lo up and answers in its form")
        def add_at(world, version=version):
            netns = world.sandbox()
            result = call(world, "ADD", netns, lo(world, version)).ok().json
            expect(is_up(netns), "lo is down")
            expect_shape(result, version)


register_versions()


@case("L8", "ADD with another ifname still means lo")
def l8(world):
    netns = world.sandbox()
    result = call(world, "ADD", netns, ifname="eth7").ok().json
    expect(is_up(netns), "lo is down")
    expect_equal(result["interfaces"][0]["name"], "lo")
    expect_equal(result["interfaces"][0]["sandbox"], f"/run/netns/{netns}")
    expect_equal(result["interfaces"][0]["mac"], "00:00:00:00:00:00")


@case("L9", "ADD twice succeeds twice")
def l9(world):
    netns = world.sandbox()
    first = call(world, "ADD", netns).ok().out
    expect_equal(call(world, "ADD", netns).ok().out, first)


@case("L10", "ADD as containerd sends it, at 0.3.1 with K8S arguments")
def l10(world):
    netns = world.sandbox()
    call(world, "ADD", netns, lo(world, "0.3.1"),
         CNI_ARGS="K8S_POD_UID=u;IgnoreUnknown=1;K8S_POD_NAMESPACE=shop;"
                  "K8S_POD_NAME=web-0;K8S_POD_INFRA_CONTAINER_ID=c1").ok()
    expect(is_up(netns), "lo is down")


@case("L11", "ADD passes a full prevResult of 1.1.0 on with every field")
def l11(world):
    netns = world.sandbox()
    result = call(world, "ADD", netns,
                  lo(world, "1.1.0", prevResult=FULL)).ok().json
    expect_equal(result, FULL)
    expect(is_up(netns), "lo is down")


@case("L12", "ADD passes a prevResult of 0.2.0 and of 0.4.0 on in its form")
def l12(world):
    old = {"cniVersion": "0.2.0", "dns": {},
           "ip4": {"ip": "10.9.0.7/24", "gateway": "10.9.0.1",
                   "routes": [{"dst": "0.0.0.0/0", "gw": "10.9.0.1"}]}}
    middle = {"cniVersion": "0.4.0", "dns": {},
              "interfaces": [{"name": "eth0", "sandbox": "/n/1"}],
              "ips": [{"version": "4", "address": "10.9.0.7/24",
                       "interface": 0}]}
    for previous in (old, middle):
        conf = lo(world, previous["cniVersion"], prevResult=previous)
        result = call(world, "ADD", world.sandbox(), conf).ok().json
        expect_equal(result, previous)


@case("L13", "an empty prevResult is a result, null is none")
def l13(world):
    result = call(world, "ADD", world.sandbox(), lo(world, prevResult={}))
    expect_equal(result.ok().json, {"cniVersion": "1.0.0"})
    result = call(world, "ADD", world.sandbox(), lo(world, prevResult=None))
    expect_equal(result.ok().json["interfaces"][0]["name"], "lo")


MALFORMED = {"cniVersion": "1.0.0", "ips": [{"address": "10.0.0.5"}]}


@case("L14", "ADD refuses a prevResult with a malformed address")
def l14(world):
    world.refuse("ADD", 6, 7, plugin="loopback", netns=world.sandbox(),
                 conf=lo(world, prevResult=MALFORMED))


@case("L15", "ADD refuses a lo that carries a foreign address")
def l15(world):
    netns = world.sandbox()
    kernel.run_ip("addr", "add", "10.9.9.9/32", "dev", "lo", netns=netns)
    world.refuse("ADD", plugin="loopback", netns=netns, conf=lo(world))


@case("L16", "DEL sets lo down and prints nothing")
def l16(world):
    netns = world.sandbox()
    call(world, "ADD", netns).ok()
    call(world, "DEL", netns).silent()
    expect(not is_up(netns), "lo is up")


@case("L17", "DEL succeeds twice, without and with a dead namespace")
def l17(world):
    netns = world.sandbox()
    call(world, "ADD", netns).ok()
    for path in (netns, netns, "", None, "/run/netns/none"):
        how = {"CNI_NETNS": path} if path is None else {}
        call(world, "DEL", path or "", **how).silent(f"netns {path!r}")


@case("L18", "DEL does not look at prevResult")
def l18(world):
    netns = world.sandbox()
    call(world, "ADD", netns).ok()
    call(world, "DEL", netns, lo(world, prevResult=MALFORMED)).silent()
    expect(not is_up(netns), "lo is up")


@case("L19", "CHECK tells a lo that is up from one that is down")
def l19(world):
    netns = world.sandbox()
    call(world, "CHECK", netns).error()
    call(world, "ADD", netns).ok()
    call(world, "CHECK", netns).silent()
    kernel.run_ip("link", "set", "lo", "down", netns=netns)
    call(world, "CHECK", netns).error()


@case("L20", "30 times in parallel with the main plugin in one namespace")
def l20(world):
    for _ in range(30):
        netns, cid = world.sandbox(), world.cid()
        both = [world.start("ADD", plugin="loopback", netns=netns, cid=cid,
                            ifname="lo", conf=lo(world, "0.3.1")),
                world.start("ADD", netns=netns, cid=cid)]
        for process in both:
            json.loads(world.finish(process).ok().out)
        expect(is_up(netns), "lo is down")


@case("L21", "DEL with a regular file for a namespace succeeds")
def l21(world):
    path = world.home / "regular-file"
    path.write_text("")
    call(world, "DEL", str(path)).silent()

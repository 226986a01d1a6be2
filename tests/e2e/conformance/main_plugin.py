"""M1-M24: what ADD makes and CHECK sees."""

import kernel
from case import case, expect, expect_equal
from world import VERSIONS


def container_interface(result):
    """The one interface with a sandbox, and its index."""
    found = [(index, one) for index, one in enumerate(result["interfaces"])
             if one.get("sandbox")]
    expect_equal(len(found), 1, "interfaces with a sandbox")
    return found[0]


def host_interface(result):
    return next(one for one in result["interfaces"] if not one.get("sandbox"))


def pod_ips(result):
    """Addresses without prefix lengths, IPv4 first."""
    return [ip["address"].split("/")[0] for ip in result["ips"]]


def expect_form(result, version):
    expect_equal(result["cniVersion"], version)
    if version in VERSIONS[:2]:
        expect(set(result) <= {"cniVersion", "ip4", "ip6", "dns"}, result)
        expect(result["ip4"]["ip"].endswith("/32"), result)
        expect(result["ip6"]["ip"].endswith("/128"), result)
        expect_equal([r["dst"] for r in result["ip4"]["routes"]], ["0.0.0.0/0"])
        return
    expect_equal([ip.get("version") for ip in result["ips"]],
                 ["4", "6"] if version < "1.0.0" else [None, None])
    has_mtu = ["mtu" in one for one in result["interfaces"]]
    expect_equal(has_mtu, [version >= "1.0.0"] * 2, "mtu of interfaces")
    expect_equal("dns" in result, version < "1.0.0", "empty dns")


def register_versions():
    for number, version in enumerate(VERSIONS, 1):
        @case(f"M{number}", f"ADD, CHECK and DEL at {version}")
        def cycle(world, version=version):
            netns = world.sandbox()
            result = world.add(netns, version)
            expect_form(result, version)
            expect_equal(len(kernel.pod_links()), 1, "host links")
            if version >= "0.4.0":
                world.check(netns, result, version).silent("CHECK")
            world.delete(netns, version)
            expect(kernel.link("eth0", netns) is None, "eth0 is still there")
            world.nothing_left()


register_versions()


@case("M8", "the result agrees with the kernel")
def m8(world):
    netns = world.sandbox()
    result = world.add(netns)
    index, pod = container_interface(result)
    host = host_interface(result)
    expect_equal(pod["name"], "eth0")
    expect_equal(pod["sandbox"], f"/run/netns/{netns}")
    expect("sandbox" not in host, host)
    expect_equal(kernel.link("eth0", netns)["address"], pod["mac"])
    expect_equal(kernel.link(host["name"])["address"], host["mac"])
    expect_equal([ip["interface"] for ip in result["ips"]], [index] * 2)
    for ip in result["ips"]:
        expect(ip["address"] in kernel.addresses("eth0", netns), ip)


@case("M9", "TCP both ways between the pod and its node, both families")
def m9(world):
    netns = world.sandbox()
    result = world.add(netns)
    for pod, node in zip(pod_ips(result), ("10.0.1.11", "fd00:1::11")):
        expect(kernel.tcp(node, client_netns=netns), f"pod to {node}")
        expect(kernel.tcp(pod, server_netns=netns), f"node to {pod}")


@case("M10", "the configured MTU is set on both ends")
def m10(world):
    netns = world.sandbox()
    result = world.add(netns, conf=world.conf(mtu=1400))
    host = host_interface(result)["name"]
    expect_equal(kernel.link("eth0", netns)["mtu"], 1400)
    expect_equal(kernel.link(host)["mtu"], 1400)
    expect_equal([one["mtu"] for one in result["interfaces"]], [1400, 1400])


@case("M11", "dual stack with routes, no tentative address on return")
def m11(world):
    netns = world.sandbox()
    result = world.add(netns)
    shown = kernel.ip("addr", "show", "dev", "eth0", netns=netns)
    for one in shown:
        for address in one.get("addr_info", []):
            expect(not address.get("tentative"), address)
    expect_equal({r["dst"] for r in result["routes"]}, {"0.0.0.0/0", "::/0"})
    gateways = {r["gw"] for r in result["routes"]}
    have = {r.get("gateway") for r in kernel.routes(netns)
            if r["dst"] == "default"}
    expect_equal(have, gateways, "default routes")


@case("M12", "a second ADD of the same attachment fails, the first stays intact")
def m12(world):
    netns = world.sandbox()
    result = world.add(netns)
    world.refuse("ADD", netns=netns)
    world.check(netns, result).silent("CHECK of the first")
    expect(kernel.tcp(pod_ips(result)[0], server_netns=netns), "unreachable")


@case("M13", "ADD of another container into the same interface fails cleanly")
def m13(world):
    netns = world.sandbox()
    result = world.add(netns)
    world.refuse("ADD", netns=netns, cid="c2")
    world.check(netns, result).silent("CHECK of the first")


@case("M14", "a second interface comes and goes without harm to the first")
def m14(world):
    netns = world.sandbox()
    first = world.add(netns)
    second = world.add(netns, ifname="net1")
    expect(not set(pod_ips(first)) & set(pod_ips(second)), "shared address")
    world.check(netns, second, ifname="net1").silent("CHECK of net1")
    world.delete(netns, ifname="net1")
    world.check(netns, first).silent("CHECK of eth0")
    expect(kernel.tcp(pod_ips(first)[0], server_netns=netns), "unreachable")


@case("M15", "ADD refuses an MTU out of range or of the wrong type")
def m15(world):
    world.refuse("ADD", 7, netns=world.sandbox(), conf=world.conf(mtu=70000))
    world.refuse("ADD", 6, netns=world.sandbox(), conf=world.conf(mtu="1400"))


@case("M16", "ADD without its address manager, which is the agent, leaks nothing")
def m16(world):
    file = world.home / "regular-file"
    file.write_text("")
    for socket in (str(world.home / "none.sock"), str(file), "../x", ""):
        world.refuse("ADD", netns=world.sandbox(),
                     conf=world.conf(agentSocket=socket), what=socket)
    # An ipam section is not ours and is never executed.
    world.add(world.sandbox(), conf=world.conf(ipam={"type": "../x"}))


@case("M17", "ADD behind another plugin keeps what that one made")
def m17(world):
    previous = {
        "cniVersion": "1.1.0",
        "interfaces": [{"name": "other0", "mac": "02:00:00:00:00:09",
                        "mtu": 1300, "pciID": "0000:00:1f.6"}],
        "ips": [{"address": "10.9.0.7/24", "interface": 0}],
        "routes": [{"dst": "10.9.0.0/16", "scope": 0, "table": 9}],
        "dns": {"nameservers": ["10.96.0.10"]}, "novel": {"kept": True}}
    result = world.add(world.sandbox(),
                       conf=world.conf("1.1.0", prevResult=previous))
    for key in ("interfaces", "ips", "routes"):
        expect_equal(result[key][0], previous[key][0], key)
    expect_equal(result["dns"], previous["dns"])
    expect_equal(result["novel"], previous["novel"])
    index, _ = container_interface(result)
    expect_equal(index, 2, "our interface")
    expect_equal([ip["interface"] for ip in result["ips"]], [0, 2, 2])
    world.refuse("ADD", 2, netns=world.sandbox(), cid="c2",
                 conf=world.conf("0.2.0", prevResult={
                     "cniVersion": "0.2.0", "ip4": {"ip": "10.9.0.7/24"}}))


@case("M18", "CHECK right after ADD succeeds, also without an agent")
def m18(world):
    netns = world.sandbox()
    result = world.add(netns)
    world.check(netns, result).silent()
    world.agent.stop()
    world.check(netns, result).silent("agent down")
    kernel.run_ip("link", "set", "eth0", "down", netns=netns)
    world.check(netns, result).error(what="agent down, link down")


@case("M19", "CHECK without prevResult is error 7")
def m19(world):
    netns = world.sandbox()
    world.add(netns)
    world.refuse("CHECK", 7, netns=netns)


@case("M20", "CHECK refuses a prevResult that does not describe the pod")
def m20(world):
    netns = world.sandbox()
    result = world.add(netns)
    index, pod = container_interface(result)

    def changed(**how):
        interfaces = list(result["interfaces"])
        interfaces[index] = pod | how
        return result | {"interfaces": interfaces}

    wrong_ip = dict(result["ips"][0], address="10.77.0.222/32")
    extra = {"dst": "10.200.0.0/16", "gw": "169.254.1.1"}
    for what, previous in (
            ("MAC", changed(mac="02:00:00:00:00:77")),
            ("sandbox", changed(sandbox="/run/netns/other")),
            ("no sandbox", changed(sandbox="")),
            ("address", result | {"ips": [wrong_ip, result["ips"][1]]}),
            ("fewer addresses", result | {"ips": result["ips"][:1]}),
            ("extra route", result | {"routes": [*result["routes"], extra]})):
        world.check(netns, previous).error(what=what)
    world.check(netns, result).silent("unchanged")


def breaks(world, what, damage):
    """CHECK must fail after `damage` was done to a fresh attachment."""
    netns, cid = world.sandbox(), world.cid()
    result = world.add(netns, cid=cid)
    damage(netns, host_interface(result)["name"], pod_ips(result)[0])
    world.check(netns, result, cid=cid).error(what=what)
    world.delete(netns, cid=cid)


@case("M21", "CHECK sees a link that is down, a lost address, route, reservation")
def m21(world):
    breaks(world, "pod link down", lambda netns, host, ip: kernel.run_ip(
        "link", "set", "eth0", "down", netns=netns))
    breaks(world, "host link down", lambda netns, host, ip: kernel.run_ip(
        "link", "set", host, "down"))
    breaks(world, "address deleted", lambda netns, host, ip: kernel.run_ip(
        "addr", "del", f"{ip}/32", "dev", "eth0", netns=netns))
    breaks(world, "route deleted", lambda netns, host, ip: kernel.run_ip(
        "route", "del", "default", netns=netns))

    def lose_reservation(*_):
        world.agent.stop()
        for file in (world.agent.home / "state").glob("ledger.db*"):
            file.unlink()
        world.agent.start()
    breaks(world, "reservation deleted", lose_reservation)


@case("M22", "CHECK sees a renamed host end and a lost host route")
def m22(world):
    def rename(netns, host, ip):
        kernel.run_ip("link", "set", host, "down")
        kernel.run_ip("link", "set", host, "name", "elsewhere")
        kernel.run_ip("link", "set", "elsewhere", "up")
    breaks(world, "host end renamed", rename)
    expect(kernel.link("elsewhere") is None, "DEL missed the renamed link")
    breaks(world, "host route deleted", lambda netns, host, ip: kernel.run_ip(
        "route", "del", f"{ip}/32"))


@case("M23", "CHECK tolerates what a chained plugin changed")
def m23(world):
    netns = world.sandbox()
    result = world.add(netns)
    kernel.run_ip("link", "set", "eth0", "mtu", "1300", netns=netns)
    kernel.run_ip("route", "add", "10.200.0.0/16", "via", "169.254.1.1", "dev",
                  "eth0", "onlink", netns=netns)
    world.check(netns, result).silent("not listed")
    route = {"dst": "10.200.0.0/16", "gw": "169.254.1.1"}
    listed = result | {"routes": [*result["routes"], route]}
    world.check(netns, listed).silent("listed")


@case("M24", "CHECK fails when the namespace is gone")
def m24(world):
    netns = world.sandbox()
    result = world.add(netns)
    kernel.run_ip("netns", "del", netns)
    world.check(netns, result).error(8)

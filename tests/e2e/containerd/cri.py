"""A small client of the container runtime interface (runtime.v1).

Debian ships no compiler plugin for gRPC in Python that fits its protobuf, so
the few messages that we need are described by the table below and built at
run time. Field numbers are those of the interface; fields we never touch are
left out, which protobuf allows.
"""

import pathlib

import grpc
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

_MESSAGES: dict[str, list[tuple[str, int, str]]] = {
    "PodSandboxMetadata": [("name", 1, "string"), ("uid", 2, "string"),
                           ("namespace", 3, "string"), ("attempt", 4, "uint32")],
    "PortMapping": [("protocol", 1, "int32"), ("container_port", 2, "int32"),
                    ("host_port", 3, "int32"), ("host_ip", 4, "string")],
    "NamespaceOption": [("network", 1, "int32"), ("pid", 2, "int32"), ("ipc", 3, "int32")],
    "LinuxSandboxSecurityContext": [("namespace_options", 1, "NamespaceOption")],
    "LinuxPodSandboxConfig": [("cgroup_parent", 1, "string"),
                              ("security_context", 2, "LinuxSandboxSecurityContext")],
    "Pair": [("key", 1, "string"), ("value", 2, "string")],
    "PodSandboxConfig": [("metadata", 1, "PodSandboxMetadata"), ("hostname", 2, "string"),
                         ("log_directory", 3, "string"), ("port_mappings", 5, "PortMapping*"),
                         ("labels", 6, "Pair*"), ("annotations", 7, "Pair*"),
                         ("linux", 8, "LinuxPodSandboxConfig")],
    "RunPodSandboxRequest": [("config", 1, "PodSandboxConfig")],
    "RunPodSandboxResponse": [("pod_sandbox_id", 1, "string")],
    "StopPodSandboxRequest": [("pod_sandbox_id", 1, "string")],
    "StopPodSandboxResponse": [],
    "RemovePodSandboxRequest": [("pod_sandbox_id", 1, "string")],
    "RemovePodSandboxResponse": [],
    "PodIP": [("ip", 1, "string")],
    "PodSandboxNetworkStatus": [("ip", 1, "string"), ("additional_ips", 2, "PodIP*")],
    "PodSandboxStatus": [("id", 1, "string"), ("metadata", 2, "PodSandboxMetadata"),
                         ("state", 3, "int32"), ("network", 5, "PodSandboxNetworkStatus")],
    "PodSandboxStatusRequest": [("pod_sandbox_id", 1, "string"), ("verbose", 2, "bool")],
    "PodSandboxStatusResponse": [("status", 1, "PodSandboxStatus"), ("info", 2, "Pair*")],
    "PodSandbox": [("id", 1, "string"), ("metadata", 2, "PodSandboxMetadata"),
                   ("state", 3, "int32")],
    "ListPodSandboxRequest": [],
    "ListPodSandboxResponse": [("items", 1, "PodSandbox*")],
    "StatusRequest": [("verbose", 1, "bool")],
    "RuntimeCondition": [("type", 1, "string"), ("status", 2, "bool"),
                         ("reason", 3, "string"), ("message", 4, "string")],
    "RuntimeStatus": [("conditions", 1, "RuntimeCondition*")],
    "StatusResponse": [("status", 1, "RuntimeStatus")],
}

READY = 0
NODE_NETWORK = 2
PROTOCOLS = {"tcp": 0, "udp": 1, "sctp": 2}

_Field = descriptor_pb2.FieldDescriptorProto
_SCALARS = {"string": _Field.TYPE_STRING, "int32": _Field.TYPE_INT32,
            "uint32": _Field.TYPE_UINT32, "bool": _Field.TYPE_BOOL}


def _describe(file: descriptor_pb2.FileDescriptorProto) -> None:
    for name, fields in _MESSAGES.items():
        message = file.message_type.add(name=name)
        for field_name, number, kind in fields:
            repeated = kind.endswith("*")
            kind = kind.rstrip("*")
            field = message.field.add(name=field_name, number=number)
            field.label = _Field.LABEL_REPEATED if repeated else _Field.LABEL_OPTIONAL
            field.type = _SCALARS.get(kind, _Field.TYPE_MESSAGE)
            if kind not in _SCALARS:
                field.type_name = f".runtime.v1.{kind}"


def _message_classes() -> dict[str, type]:
    file = descriptor_pb2.FileDescriptorProto(
        name="cri.proto", package="runtime.v1", syntax="proto3")
    _describe(file)
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    factory = message_factory.MessageFactory(pool)
    return {name: factory.GetPrototype(pool.FindMessageTypeByName(f"runtime.v1.{name}"))
            for name in _MESSAGES}


_CLASSES = _message_classes()


def new(kind: str, **members):
    """A message of the table, filled."""
    return _CLASSES[kind](**members)


def pairs(values: dict[str, str]) -> list:
    """A map as protobuf has it on the wire: a list of pairs."""
    return [new("Pair", key=key, value=value) for key, value in values.items()]


class Cri:
    """One connection to a runtime; every call has a deadline."""

    def __init__(self, socket: pathlib.Path, timeout: float = 60):
        self._channel = grpc.insecure_channel(f"unix://{socket}")
        self._timeout = timeout

    def close(self) -> None:
        self._channel.close()

    def call(self, verb: str, **members):
        """Calls a verb of RuntimeService; a refusal is a grpc.RpcError."""
        method = self._channel.unary_unary(
            f"/runtime.v1.RuntimeService/{verb}",
            request_serializer=_CLASSES[f"{verb}Request"].SerializeToString,
            response_deserializer=_CLASSES[f"{verb}Response"].FromString)
        return method(new(f"{verb}Request", **members), timeout=self._timeout)

    def network_ready(self) -> bool:
        conditions = self.call("Status").status.conditions
        return any(one.type == "NetworkReady" and one.status for one in conditions)

    def addresses(self, sandbox: str) -> list[str]:
        """The pod's addresses as the runtime tells them to kubelet."""
        network = self.call("PodSandboxStatus", pod_sandbox_id=sandbox).status.network
        return [network.ip] + [one.ip for one in network.additional_ips]

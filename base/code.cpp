#include "base/code.h"

#include <algorithm>
#include <array>
#include <cstdlib>

namespace linsey {
namespace {

constexpr auto kCodes = std::to_array<CodeInfo>({
    {Code::kIncompatibleVersion, "IncompatibleVersion", Class::kConfig,
     "use a cniVersion that both sides speak"},
    {Code::kUnsupportedField, "UnsupportedField", Class::kConfig,
     "remove the field from the network configuration"},
    {Code::kUnknownContainer, "UnknownContainer", Class::kInternal, ""},
    {Code::kInvalidEnvironment, "InvalidEnvironment", Class::kConfig,
     "call the plugin through a CNI runtime"},
    {Code::kIo, "IoFailure", Class::kTransient, ""},
    {Code::kDecode, "DecodeFailure", Class::kConfig, ""},
    {Code::kInvalidNetworkConfig, "InvalidNetworkConfig", Class::kConfig, ""},
    {Code::kInvalidNetns, "InvalidNetns", Class::kConfig, ""},
    {Code::kTryAgainLater, "TryAgainLater", Class::kTransient, ""},
    {Code::kNotAvailable, "NotAvailable", Class::kTransient, ""},
    {Code::kLimitedConnectivity, "LimitedConnectivity", Class::kTransient, ""},

    {Code::kInternal, "Internal", Class::kInternal,
     "report this with the output of linseyctl diag"},
    {Code::kKernel, "KernelRefused", Class::kInternal, ""},
    {Code::kInterfaceExists, "InterfaceExists", Class::kConflict,
     "delete the sandbox that holds the interface first"},
    {Code::kPermission, "PermissionDenied", Class::kAuth,
     "give the process the capability or file rights that the message names"},
    {Code::kDiskFull, "DiskFull", Class::kTransient,
     "free space in the state directory, or mount it read-write"},
    {Code::kTimeout, "Timeout", Class::kTransient, ""},
    {Code::kOvertaken, "OvertakenByDelete", Class::kConflict,
     "none needed: the runtime gave this sandbox up"},
    {Code::kStateMismatch, "StateMismatch", Class::kInternal,
     "delete the pod; its sandbox is made anew"},
    {Code::kUnknownAttachment, "UnknownAttachment", Class::kConflict, ""},
    {Code::kKernelFeatureMissing, "KernelFeatureMissing", Class::kConfig,
     "use a kernel that has the feature the message names"},
    {Code::kProtocolMismatch, "ProtocolMismatch", Class::kConfig,
     "let linsey-install bring the plugin and the agent to one version"},

    {Code::kAgentDown, "AgentDown", Class::kTransient,
     "see why linseyd does not run on this node"},
    {Code::kAgentStarting, "AgentStarting", Class::kTransient,
     "wait; linseyctl node status shows what it waits for"},
    {Code::kInvalidConfig, "InvalidConfig", Class::kConfig, ""},
    {Code::kPoolOverlap, "PoolOverlap", Class::kConfig,
     "give the pools disjoint CIDRs"},
    {Code::kCidrOverlap, "CidrOverlap", Class::kConfig,
     "give the networks disjoint CIDRs"},
    {Code::kStateCorrupt, "StateCorrupt", Class::kInternal,
     "none needed: the damaged file is kept beside the new one"},

    {Code::kModeUnknown, "ModeUnknown", Class::kConfig,
     "label the node so that exactly one rule under modes selects it"},
    {Code::kModeConflict, "ModeConflict", Class::kConfig,
     "correct the node's labels or the rules under modes"},
    {Code::kModeChangeBlocked, "ModeChangeBlocked", Class::kConfig,
     "drain the pods of the old mode first"},
    {Code::kNodeUnknown, "NodeUnknown", Class::kTransient,
     "wait until the node object can be read"},

    {Code::kAddressesExhausted, "AddressesExhausted", Class::kExhausted,
     "wait for addresses to be released, or give the node more"},
    {Code::kAddressNotOurs, "AddressNotOurs", Class::kConfig,
     "ask for an address of this node's blocks or ENIs"},
    {Code::kAddressTaken, "AddressTaken", Class::kConflict,
     "ask for another address, or delete the pod that holds it"},
    {Code::kBlockExhausted, "BlockExhausted", Class::kExhausted,
     "add a pool or enlarge the plan"},
    {Code::kNoBlock, "NoBlock", Class::kExhausted,
     "give this node a block under blocks.assignments"},
    {Code::kHostPortTaken, "HostPortTaken", Class::kConflict,
     "choose another hostPort, or delete the pod that holds it"},
    {Code::kBlockContested, "BlockContested", Class::kConflict,
     "drain the node's pods of that block; see who deleted its IPBlock"},
    {Code::kPoolNearlyFull, "PoolNearlyFull", Class::kExhausted,
     "add a pool before the last block is taken"},

    {Code::kBirdDown, "BirdDown", Class::kTransient,
     "see why BIRD does not run on this node"},
    {Code::kBirdConfigRefused, "BirdConfigRefused", Class::kConfig,
     "correct the bgp section; the text BIRD refused is kept beside"},
    {Code::kPeerDown, "PeerDown", Class::kTransient,
     "see linseyctl node status for the session's last error"},
    {Code::kAdvertisementRefused, "AdvertisementRefused", Class::kInternal,
     "the prefix is not a confirmed block of this node"},
    {Code::kPeerPasswordMismatch, "PeerPasswordMismatch", Class::kAuth,
     "make bgp.peers[].passwordFile and the router's password the same"},
    {Code::kPeerUnreachable, "PeerUnreachable", Class::kTransient,
     "look at the router's address, the route to it, firewalls and passwords"},
    {Code::kPeerAsMismatch, "PeerAsMismatch", Class::kConfig,
     "set bgp.peers[].asNumber to the router's, or bgp.asNumbers for the node"},
    {Code::kPrefixLimit, "PrefixLimit", Class::kConfig,
     "let the router send less, or raise bgp.peers[].maxPrefixes"},
    {Code::kPrefixNotPropagated, "PrefixNotPropagated", Class::kConfig,
     "look at the router's filters for the prefix and its length"},
    {Code::kExportViolation, "ExportViolation", Class::kInternal,
     "find out who changed BIRD's configuration; the prefix was withdrawn"},
    {Code::kRoutesDrained, "RoutesDrained", Class::kTransient,
     "linseyctl node drain-routes --cancel brings the routes back"},

    {Code::kZoneNotMapped, "ZoneNotMapped", Class::kConfig,
     "add it under eni.zones"},
    {Code::kZoneMismatch, "ZoneMismatch", Class::kConfig,
     "correct the node's zone label; the metadata service decides"},
    {Code::kVSwitchNotFound, "VSwitchNotFound", Class::kConfig,
     "correct the id under eni.zones"},
    {Code::kVSwitchWrongZone, "VSwitchWrongZone", Class::kConfig,
     "list the vSwitch under its own zone in eni.zones"},
    {Code::kVSwitchWrongVpc, "VSwitchWrongVPC", Class::kConfig,
     "list only vSwitches of the node's own VPC under eni.zones"},
    {Code::kVSwitchExhausted, "VSwitchExhausted", Class::kExhausted,
     "list another pod vSwitch for the zone under eni.zones"},
    {Code::kVSwitchIsHost, "VSwitchIsHost", Class::kConfig,
     "give pods a vSwitch of their own, or set eni.allowHostVSwitch"},
    {Code::kEniLimit, "ENILimit", Class::kExhausted,
     "use a larger instance type or fewer pods on this node"},
    {Code::kIpPerEniLimit, "IPPerENILimit", Class::kExhausted,
     "use a larger instance type or fewer pods on this node"},
    {Code::kSecurityGroupFull, "SecurityGroupFull", Class::kExhausted,
     "add a security group under eni.securityGroups"},
    {Code::kCloudThrottled, "CloudThrottled", Class::kThrottled,
     "none needed: the agent backs off; lower eni.rate if it persists"},
    {Code::kCloudForbidden, "CloudForbidden", Class::kAuth,
     "grant the RAM action that the message names"},
    {Code::kCloudUnavailable, "CloudUnavailable", Class::kTransient,
     "see whether the line and the OpenAPI endpoint are up"},
    {Code::kCloudBadRequest, "CloudBadRequest", Class::kConfig, ""},
    {Code::kCloudBadReply, "CloudBadReply", Class::kTransient, ""},
    {Code::kCloudCredentials, "CloudCredentials", Class::kAuth,
     "bind a RAM role to the instance or set eni.credentials"},
    {Code::kMetadataUnavailable, "MetadataUnavailable", Class::kTransient,
     "see whether the metadata service answers on this node"},
    {Code::kEniNotReady, "ENINotReady", Class::kTransient, ""},
    {Code::kCloudConflict, "CloudConflict", Class::kTransient, ""},
    {Code::kCloudStatePending, "CloudStatePending", Class::kTransient, ""},
    {Code::kCloudGone, "CloudGone", Class::kConflict, ""},

    {Code::kApiUnavailable, "APIUnavailable", Class::kTransient,
     "see whether the line and the API server are up"},
    {Code::kApiConflict, "APIConflict", Class::kConflict, ""},
    {Code::kApiExists, "APIExists", Class::kConflict, ""},
    {Code::kApiNotFound, "APINotFound", Class::kConflict, ""},
    {Code::kApiForbidden, "APIForbidden", Class::kAuth,
     "grant the verb that the message names; see install/rbac.yaml"},
    {Code::kApiUnauthorized, "APIUnauthorized", Class::kAuth,
     "see whether the token or certificate is valid"},
    {Code::kApiThrottled, "APIThrottled", Class::kThrottled, ""},
    {Code::kApiExpired, "APIExpired", Class::kTransient, ""},
    {Code::kApiInvalid, "APIInvalid", Class::kInternal, ""},
    {Code::kApiBadReply, "APIBadReply", Class::kTransient, ""},

    {Code::kChainWithoutStatus, "ChainWithoutStatus", Class::kConfig,
     "replace the foreign plugin that does not speak CNI 1.1.0"},
    {Code::kChainPluginMissing, "ChainPluginMissing", Class::kConfig,
     "install the plugin that the conflist names"},

    {Code::kBinDirUnusable, "BinDirUnusable", Class::kConfig, ""},
    {Code::kForeignBinary, "ForeignBinary", Class::kConflict, ""},
    {Code::kForeignConflist, "ForeignConflist", Class::kConflict, ""},

    {Code::kBlockOutsidePool, "BlockOutsidePool", Class::kConfig,
     "take the block from its pool, or correct the pool's CIDR"},
    {Code::kRouteInsidePool, "RouteInsidePool", Class::kConfig,
     "stop the router that announces it, or give pods another pool"},
    {Code::kVpcRouteMissing, "VpcRouteMissing", Class::kConfig,
     "add a route entry for it to the VPC's route table"},
    {Code::kSecurityGroupBlocks, "SecurityGroupBlocks", Class::kConfig,
     "add a rule that accepts all protocols for it to the security group"},
    {Code::kDcRouteMissing, "DcRouteMissing", Class::kConfig,
     "announce or add the route to the pod vSwitch in the data centre"},
    {Code::kCapacityBelowMaxPods, "CapacityBelowMaxPods", Class::kConfig,
     "lower the kubelet's maxPods, or give the node more addresses"},
    {Code::kNoConfinement, "NoConfinement", Class::kConfig,
     "use Kubernetes 1.30 or later, or accept the overlay no-policy"},

    {Code::kLineQdiscConflict, "LineQdiscConflict", Class::kConfig, ""},
});

}  // namespace

std::span<const CodeInfo> all_codes() {
  return kCodes;
}

const CodeInfo& info(Code code) {
  const auto it = std::ranges::find(kCodes, code, &CodeInfo::code);
  if (it == kCodes.end()) std::abort();
  return *it;
}

std::string_view name(Class cls) {
  constexpr auto kNames = std::to_array<std::string_view>(
      {"config", "exhausted", "throttled", "conflict", "transient", "auth",
       "internal"});
  return kNames.at(static_cast<std::size_t>(cls));
}

std::optional<Code> code_from_name(std::string_view name) {
  const auto it = std::ranges::find(kCodes, name, &CodeInfo::name);
  if (it == kCodes.end()) return std::nullopt;
  return it->code;
}

unsigned cni_number(Code code) {
  const auto number = static_cast<unsigned>(code);
  if (number < 100) return number;
  switch (info(code).cls) {
    case Class::kTransient:
    case Class::kThrottled:
    case Class::kExhausted:
      return static_cast<unsigned>(Code::kTryAgainLater);
    default:
      return number;
  }
}

}  // namespace linsey

// The closed list of codes. Numbers below 100 are those of the CNI
// specification; ours start at 100. The same names are used in CNI errors,
// logs, metric labels, event reasons, conditions, linseyctl and docs/errors.md.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

namespace linsey {

enum class Code : std::uint16_t {
  // CNI specification 1.1.0, "Error", and the library's table.
  kIncompatibleVersion = 1,
  kUnsupportedField = 2,
  kUnknownContainer = 3,
  kInvalidEnvironment = 4,
  kIo = 5,
  kDecode = 6,
  kInvalidNetworkConfig = 7,
  kInvalidNetns = 8,
  kTryAgainLater = 11,
  kNotAvailable = 50,
  kLimitedConnectivity = 51,

  // General.
  kInternal = 100,
  kKernel = 101,
  kInterfaceExists = 102,
  kPermission = 103,
  kDiskFull = 104,
  kTimeout = 105,
  kOvertaken = 106,
  kStateMismatch = 107,
  kUnknownAttachment = 108,
  kKernelFeatureMissing = 109,
  kProtocolMismatch = 110,

  // Agent and configuration.
  kAgentDown = 120,
  kAgentStarting = 121,
  kInvalidConfig = 122,
  kPoolOverlap = 123,
  kCidrOverlap = 124,
  kStateCorrupt = 125,

  // Node kind and zone.
  kModeUnknown = 140,
  kModeConflict = 141,
  kModeChangeBlocked = 142,
  kNodeUnknown = 143,

  // Addresses and blocks.
  kAddressesExhausted = 160,
  kAddressNotOurs = 161,
  kAddressTaken = 162,
  kBlockExhausted = 163,
  kNoBlock = 164,
  kHostPortTaken = 165,
  kBlockContested = 166,
  kPoolNearlyFull = 167,

  // BGP.
  kBirdDown = 180,
  kBirdConfigRefused = 181,
  kPeerDown = 182,
  kAdvertisementRefused = 183,
  kPeerPasswordMismatch = 184,
  kPeerUnreachable = 185,
  kPeerAsMismatch = 186,
  kPrefixLimit = 187,
  kPrefixNotPropagated = 188,
  kExportViolation = 189,
  kRoutesDrained = 190,

  // Cloud.
  kZoneNotMapped = 200,
  kZoneMismatch = 201,
  kVSwitchNotFound = 202,
  kVSwitchWrongZone = 203,
  kVSwitchWrongVpc = 204,
  kVSwitchExhausted = 205,
  kVSwitchIsHost = 206,
  kEniLimit = 207,
  kIpPerEniLimit = 208,
  kSecurityGroupFull = 209,
  kCloudThrottled = 210,
  kCloudForbidden = 211,
  kCloudUnavailable = 212,
  kCloudBadRequest = 213,
  kCloudBadReply = 214,
  kCloudCredentials = 215,
  kMetadataUnavailable = 216,
  kEniNotReady = 217,
  kCloudConflict = 218,
  kCloudStatePending = 219,
  kCloudGone = 220,

  // The API server.
  kApiUnavailable = 225,
  kApiConflict = 226,
  kApiExists = 227,
  kApiNotFound = 228,
  kApiForbidden = 229,
  kApiUnauthorized = 230,
  kApiThrottled = 231,
  kApiExpired = 232,
  kApiInvalid = 233,
  kApiBadReply = 234,

  // The chain.
  kChainWithoutStatus = 240,
  kChainPluginMissing = 241,

  // Installation.
  kBinDirUnusable = 250,
  kForeignBinary = 251,
  kForeignConflist = 252,

  // The plan around the cluster.
  kBlockOutsidePool = 260,
  kRouteInsidePool = 261,
  kVpcRouteMissing = 262,
  kSecurityGroupBlocks = 263,
  kDcRouteMissing = 264,
  kCapacityBelowMaxPods = 265,
  kNoConfinement = 266,

  // The leased line.
  kLineQdiscConflict = 270,
};

/// What kind of trouble a code is: picks back-off, metric label and event.
enum class Class : std::uint8_t {
  kConfig,     // somebody has to change something
  kExhausted,  // more of it may come
  kThrottled,  // come back later
  kConflict,   // somebody else was first
  kTransient,  // the same call may go through later
  kAuth,       // rights or credentials
  kInternal,   // our own fault, or the kernel's
};

struct CodeInfo {
  Code code;
  std::string_view name;  // "ZoneNotMapped"; the word everywhere
  Class cls;
  std::string_view remedy;  // how to mend it; empty where the message must say
};

/// All codes, in numeric order. docs/errors.md has a heading for each one.
std::span<const CodeInfo> all_codes();
const CodeInfo& info(Code code);
inline std::string_view name(Code code) {
  return info(code).name;
}
std::string_view name(Class cls);
std::optional<Code> code_from_name(std::string_view name);

/// The number a CNI error document carries: CNI codes as they are, transient,
/// throttled and exhausted ones of ours as 11 (try again later), all others
/// their own number.
unsigned cni_number(Code code);

}  // namespace linsey

// Addresses, networks and hardware addresses as values, for both families at
// once: nothing above this file is written twice for IPv4 and IPv6.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/result.h"

namespace linsey {

enum class Family : std::uint8_t { kV4 = 4, kV6 = 6 };
inline constexpr std::array<Family, 2> kFamilies{Family::kV4, Family::kV6};

/// One IPv4 or IPv6 address. Ordered by family, then numerically. A default
/// one is 0.0.0.0.
class IpAddr {
 public:
  IpAddr() = default;

  /// Strict: no leading zeros, no zone, no blanks. An IPv4-mapped IPv6 address
  /// becomes the IPv4 address. Errors: kDecode.
  static Result<IpAddr> parse(std::string_view text);
  /// 4 or 16 bytes in network order; any other length panics.
  static IpAddr from_bytes(std::span<const std::uint8_t> bytes);
  static IpAddr v4(std::uint32_t host_order);

  Family family() const { return family_; }
  bool is_v4() const { return family_ == Family::kV4; }
  /// 4 or 16 bytes in network order.
  std::span<const std::uint8_t> bytes() const;
  unsigned bit_length() const { return is_v4() ? 32 : 128; }
  std::string to_string() const;

  /// The address `n` further on; nullopt when that leaves the family's range.
  std::optional<IpAddr> plus(std::uint64_t n) const;
  /// Distance from `other`, saturated to 2^64-1. Same family, *this >= other.
  std::uint64_t minus(const IpAddr& other) const;

  bool is_loopback() const;
  bool is_link_local() const;
  bool is_multicast() const;
  bool is_unspecified() const;

  auto operator<=>(const IpAddr&) const = default;
  bool operator==(const IpAddr&) const = default;

 private:
  Family family_ = Family::kV4;
  std::array<std::uint8_t, 16> bytes_{};
};

/// A network: address and prefix length. addr() keeps host bits as given, so
/// the type also serves interface addresses; network() clears them.
class Cidr {
 public:
  Cidr() = default;
  Cidr(IpAddr addr, unsigned prefix_len);

  /// "10.0.0.0/8", "fd00::/64". Errors: kDecode.
  static Result<Cidr> parse(std::string_view text);
  /// As parse, and refuses host bits: the form of every CIDR in configuration.
  static Result<Cidr> parse_network(std::string_view text);
  /// /32 or /128.
  static Cidr host(IpAddr addr);

  const IpAddr& addr() const { return addr_; }
  unsigned prefix_len() const { return prefix_len_; }
  Family family() const { return addr_.family(); }
  Cidr network() const;
  IpAddr first() const;
  IpAddr last() const;
  /// Number of addresses, saturated to 2^64-1.
  std::uint64_t size() const;
  bool contains(const IpAddr& ip) const;
  bool contains(const Cidr& other) const;
  bool overlaps(const Cidr& other) const;
  bool has_host_bits() const;
  std::string to_string() const;

  auto operator<=>(const Cidr&) const = default;
  bool operator==(const Cidr&) const = default;

 private:
  IpAddr addr_;
  unsigned prefix_len_ = 0;
};

/// A 48-bit hardware address.
class Mac {
 public:
  Mac() = default;
  explicit Mac(const std::array<std::uint8_t, 6>& bytes) : bytes_(bytes) {}

  /// "aa:bb:cc:dd:ee:ff", any case. Errors: kDecode.
  static Result<Mac> parse(std::string_view text);
  /// Locally administered unicast, derived from `seed` by SHA-1, so that the
  /// same attachment always gets the same one.
  static Mac derived(std::string_view seed);

  const std::array<std::uint8_t, 6>& bytes() const { return bytes_; }
  std::string to_string() const;  // lower case

  auto operator<=>(const Mac&) const = default;
  bool operator==(const Mac&) const = default;

 private:
  std::array<std::uint8_t, 6> bytes_{};
};

}  // namespace linsey

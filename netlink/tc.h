// Traffic control as plain structs: a tree of HTB classes, its queues, and the
// u32 filters that lead packets into it or to another link.
//
// Handles are the kernel's numbers, MAJOR << 16 | MINOR. Rates are bytes a
// second, sizes are bytes, keys are in host order. Of all classifiers u32 is
// the one that every kernel we met has; it needs no program loaded. A filter
// without target lets the packet go on as it is: that is how one is exempted.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace linsey::netlink {

inline constexpr std::uint32_t kTcRoot = 0xffffffff;
inline constexpr std::uint32_t kClsactHandle = 0xffff0000;
inline constexpr std::uint32_t kClsactIngress = 0xfffffff2;
inline constexpr std::uint32_t kClsactEgress = 0xfffffff3;
inline constexpr std::uint16_t kEtherIpv4 = 0x0800;
inline constexpr std::uint16_t kEtherIpv6 = 0x86dd;

struct TcCounters {
  std::uint64_t bytes = 0;
  std::uint64_t packets = 0;
  std::uint64_t drops = 0;
  std::uint64_t backlog = 0;  // bytes that wait

  bool operator==(const TcCounters&) const = default;
};

struct TcQdisc {
  int link_index = 0;
  std::string kind = {};
  std::uint32_t handle = 0;
  std::uint32_t parent = 0;
  std::uint32_t default_class = 0;  // htb: minor of the class of all others
  std::uint32_t limit = 0;          // bfifo: bytes that may wait
  TcCounters counters = {};

  bool operator==(const TcQdisc&) const = default;
};

struct HtbClass {
  int link_index = 0;
  std::uint32_t handle = 0;
  std::uint32_t parent = 0;
  std::uint64_t rate = 0;
  std::uint64_t ceil = 0;
  std::uint32_t burst = 0;  // of both
  std::uint32_t quantum = 0;
  std::uint32_t prio = 0;
  TcCounters counters = {};

  bool operator==(const HtbClass&) const = default;
};

/// 32 bits at `offset` behind the network header's start.
struct U32Key {
  std::uint32_t value = 0;
  std::uint32_t mask = 0;
  int offset = 0;

  auto operator<=>(const U32Key&) const = default;
};

/// One u32 filter (or, of a list, whatever stands in a chain of filters).
/// class_id, redirect, link_table or divisor say what it does; none of them, or
/// a class that is not there: the packet goes on as it is.
struct U32Filter {
  int link_index = 0;
  std::uint32_t parent = 0;
  std::uint16_t pref = 0;
  std::uint16_t protocol = kEtherIpv4;
  std::string kind = "u32";
  std::uint32_t handle = 0;   // the kernel's, once it is there
  std::uint32_t table = 0;    // hash table it stands in, 0: the root one
  std::uint32_t bucket = 0;   // of that table
  std::uint32_t divisor = 0;  // this is a hash table `table` of so many buckets
  std::vector<U32Key> keys = {};
  std::uint32_t class_id = 0;
  int redirect = 0;              // leave through this link
  std::uint32_t link_table = 0;  // look on in this table,
  std::uint32_t hash_mask = 0;   // by these bits
  int hash_offset = 0;           // of the 32 at this offset

  bool operator==(const U32Filter&) const = default;
};

}  // namespace linsey::netlink

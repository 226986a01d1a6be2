// How attributes get into a message and out of it. For this room only.
//
// Every message fits the page that libnl allocates; one that does not is our
// own fault and ends the program. Attributes that the kernel sends are checked
// for their length before they are read.
#pragma once

#include <linux/netlink.h>
#include <netlink/attr.h>
#include <netlink/msg.h>

#include <array>
#include <cstring>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>

#include "base/ip.h"
#include "base/result.h"
#include "netlink/types.h"

namespace linsey::netlink {

template <typename T>
void put_header(nl_msg* message, const T& header) {
  static_assert(std::is_trivially_copyable_v<T>);
  T copy = header;
  if (nlmsg_append(message, &copy, sizeof copy, NLMSG_ALIGNTO) != 0) {
    panic("netlink message too long");
  }
}

inline void put_bytes(nl_msg* message, int type, const void* data,
                      std::size_t size) {
  if (nla_put(message, type, static_cast<int>(size), data) != 0) {
    panic("netlink message too long");
  }
}

template <typename T>
void put(nl_msg* message, int type, const T& value) {
  static_assert(std::is_trivially_copyable_v<T>);
  put_bytes(message, type, &value, sizeof value);
}

/// With the terminating zero, as the kernel wants names.
inline void put_string(nl_msg* message, int type, const std::string& text) {
  put_bytes(message, type, text.c_str(), text.size() + 1);
}

inline void put_ip(nl_msg* message, int type, const IpAddr& ip) {
  put_bytes(message, type, ip.bytes().data(), ip.bytes().size());
}

inline void put_mac(nl_msg* message, int type, const Mac& mac) {
  put_bytes(message, type, mac.bytes().data(), mac.bytes().size());
}

/// An attribute that holds others, closed at the end of the scope.
class Nest {
 public:
  Nest(nl_msg* message, int type)
      : message_(message), start_(nla_nest_start(message, type)) {
    if (start_ == nullptr) panic("netlink message too long");
  }
  Nest(const Nest&) = delete;
  Nest& operator=(const Nest&) = delete;
  ~Nest() { nla_nest_end(message_, start_); }

 private:
  nl_msg* message_;
  nlattr* start_;
};

/// The attributes of a message or of a nest, by type; absent ones read as
/// nullopt, zero or empty.
template <int MaxType>
class Attributes {
 public:
  Attributes(const nlmsghdr* message, std::size_t header_size) {
    const auto size = static_cast<int>(header_size);
    if (nlmsg_valid_hdr(message, size) != 0) {
      parse(nlmsg_attrdata(message, size), nlmsg_attrlen(message, size));
    }
  }
  explicit Attributes(const nlattr* nest) {
    if (nest != nullptr) {
      parse(static_cast<nlattr*>(nla_data(nest)), nla_len(nest));
    }
  }
  Attributes(nlattr* first, int length) { parse(first, length); }

  const nlattr* get(int type) const {
    return table_.at(static_cast<std::size_t>(type));
  }
  bool has(int type) const { return get(type) != nullptr; }
  std::string_view bytes(int type) const {
    const nlattr* attribute = get(type);
    if (attribute == nullptr) return {};
    return {static_cast<const char*>(nla_data(attribute)),
            static_cast<std::size_t>(nla_len(attribute))};
  }
  template <typename T>
  std::optional<T> value(int type) const {
    const std::string_view raw = bytes(type);
    if (raw.size() < sizeof(T)) return std::nullopt;
    T value;
    std::memcpy(&value, raw.data(), sizeof value);
    return value;
  }
  std::string text(int type) const {
    const std::string_view raw = bytes(type);
    return std::string(raw.substr(0, raw.find('\0')));
  }
  std::optional<IpAddr> ip(int type) const {
    const std::string_view raw = bytes(type);
    if (raw.size() != 4 && raw.size() != 16) return std::nullopt;
    return IpAddr::from_bytes(
        {reinterpret_cast<const std::uint8_t*>(raw.data()), raw.size()});
  }
  std::optional<Mac> mac(int type) const {
    const auto raw = value<std::array<std::uint8_t, 6>>(type);
    if (!raw) return std::nullopt;
    return Mac(*raw);
  }

 private:
  void parse(nlattr* first, int length) {
    // nla_parse only fails by a policy, and there is none.
    (void)nla_parse(table_.data(), MaxType, first, length, nullptr);
  }
  std::array<nlattr*, MaxType + 1> table_{};
};

/// What a message of the kernel says; nullopt for kinds we do not speak of.
std::optional<Link> parse_link(const nlmsghdr* message);
std::optional<Address> parse_address(const nlmsghdr* message);
std::optional<Route> parse_route(const nlmsghdr* message);
std::optional<Rule> parse_rule(const nlmsghdr* message);
std::optional<Neighbor> parse_neighbor(const nlmsghdr* message);
std::optional<Qdisc> parse_qdisc(const nlmsghdr* message);
/// The link that a u32 filter with a mirred action redirects to.
std::optional<int> parse_redirect(const nlmsghdr* message);

}  // namespace linsey::netlink

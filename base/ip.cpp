#include "base/ip.h"

#include <arpa/inet.h>

#include <algorithm>
#include <charconv>
#include <cstring>
#include <limits>

#include "base/sha1.h"

namespace linsey {
namespace {

constexpr std::array<std::uint8_t, 12> kMappedPrefix{0, 0, 0, 0, 0,    0,
                                                     0, 0, 0, 0, 0xff, 0xff};

using Bytes16 = std::array<std::uint8_t, 16>;

/// Copies `bytes` with every bit from `prefix_len` on set to `value`.
Bytes16 fill_host_bits(Bytes16 bytes, unsigned prefix_len, unsigned bit_length,
                       bool value) {
  for (unsigned bit = prefix_len; bit < bit_length; ++bit) {
    const auto mask = static_cast<std::uint8_t>(0x80U >> (bit % 8));
    std::uint8_t& byte = bytes.at(bit / 8);
    byte = static_cast<std::uint8_t>(value ? byte | mask : byte & ~mask);
  }
  return bytes;
}

Bytes16 padded(const IpAddr& ip) {
  Bytes16 bytes{};
  std::ranges::copy(ip.bytes(), bytes.begin());
  return bytes;
}

IpAddr with_host_bits(const Cidr& cidr, bool value) {
  const unsigned bits = cidr.addr().bit_length();
  const Bytes16 filled =
      fill_host_bits(padded(cidr.addr()), cidr.prefix_len(), bits, value);
  return IpAddr::from_bytes(std::span(filled).first(bits / 8));
}

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

}  // namespace

Result<IpAddr> IpAddr::parse(std::string_view text) {
  const std::string copy(text);
  IpAddr ip;
  if (copy.size() == text.size() && std::strlen(copy.c_str()) == copy.size()) {
    if (inet_pton(AF_INET, copy.c_str(), ip.bytes_.data()) == 1) return ip;
    if (inet_pton(AF_INET6, copy.c_str(), ip.bytes_.data()) == 1) {
      if (std::equal(kMappedPrefix.begin(), kMappedPrefix.end(),
                     ip.bytes_.begin())) {
        return from_bytes(std::span(ip.bytes_).subspan(12, 4));
      }
      ip.family_ = Family::kV6;
      return ip;
    }
  }
  return make_error(Code::kDecode, "\"{}\" is not an IP address", text);
}

IpAddr IpAddr::from_bytes(std::span<const std::uint8_t> bytes) {
  if (bytes.size() != 4 && bytes.size() != 16) {
    panic("an IP address has 4 or 16 bytes");
  }
  IpAddr ip;
  ip.family_ = bytes.size() == 4 ? Family::kV4 : Family::kV6;
  std::ranges::copy(bytes, ip.bytes_.begin());
  return ip;
}

IpAddr IpAddr::v4(std::uint32_t host_order) {
  const std::array<std::uint8_t, 4> bytes{
      static_cast<std::uint8_t>(host_order >> 24),
      static_cast<std::uint8_t>(host_order >> 16),
      static_cast<std::uint8_t>(host_order >> 8),
      static_cast<std::uint8_t>(host_order)};
  return from_bytes(bytes);
}

std::span<const std::uint8_t> IpAddr::bytes() const {
  return std::span(bytes_).first(bit_length() / 8);
}

std::string IpAddr::to_string() const {
  std::array<char, INET6_ADDRSTRLEN> text{};
  const int af = is_v4() ? AF_INET : AF_INET6;
  if (inet_ntop(af, bytes_.data(), text.data(), text.size()) == nullptr) {
    panic("inet_ntop failed");
  }
  return text.data();
}

std::optional<IpAddr> IpAddr::plus(std::uint64_t n) const {
  IpAddr sum = *this;
  std::uint64_t carry = n;
  for (unsigned i = bit_length() / 8; i > 0 && carry != 0; --i) {
    std::uint8_t& byte = sum.bytes_.at(i - 1);
    const std::uint64_t total = byte + (carry & 0xff);
    byte = static_cast<std::uint8_t>(total);
    carry = (carry >> 8) + (total >> 8);
  }
  if (carry != 0) return std::nullopt;
  return sum;
}

std::uint64_t IpAddr::minus(const IpAddr& other) const {
  if (family_ != other.family_ || *this < other) {
    panic("minus() needs two addresses of one family, the larger first");
  }
  const unsigned size = bit_length() / 8;
  Bytes16 diff{};
  int borrow = 0;
  for (unsigned i = size; i > 0; --i) {
    int d = bytes_.at(i - 1) - other.bytes_.at(i - 1) - borrow;
    borrow = d < 0 ? 1 : 0;
    if (d < 0) d += 256;
    diff.at(i - 1) = static_cast<std::uint8_t>(d);
  }
  std::uint64_t value = 0;
  for (unsigned i = 0; i < size; ++i) {
    if (value >> 56 != 0) return std::numeric_limits<std::uint64_t>::max();
    value = value << 8 | diff.at(i);
  }
  return value;
}

bool IpAddr::is_loopback() const {
  if (is_v4()) return bytes_[0] == 127;
  return *this == *parse("::1");
}

bool IpAddr::is_link_local() const {
  if (is_v4()) return bytes_[0] == 169 && bytes_[1] == 254;
  return bytes_[0] == 0xfe && (bytes_[1] & 0xc0) == 0x80;
}

bool IpAddr::is_multicast() const {
  return is_v4() ? (bytes_[0] & 0xf0) == 0xe0 : bytes_[0] == 0xff;
}

bool IpAddr::is_unspecified() const {
  return std::ranges::all_of(bytes_, [](std::uint8_t b) { return b == 0; });
}

Cidr::Cidr(IpAddr addr, unsigned prefix_len)
    : addr_(addr), prefix_len_(prefix_len) {
  if (prefix_len > addr.bit_length()) panic("prefix length beyond the family");
}

Result<Cidr> Cidr::parse(std::string_view text) {
  const auto slash = text.find('/');
  const auto bad = [&] {
    return make_error(Code::kDecode, "\"{}\" is not a CIDR", text);
  };
  if (slash == std::string_view::npos) return bad();
  const Result<IpAddr> addr = IpAddr::parse(text.substr(0, slash));
  const std::string_view digits = text.substr(slash + 1);
  unsigned len = 0;
  const auto [end, error] =
      std::from_chars(digits.data(), digits.data() + digits.size(), len);
  const bool whole = end == digits.data() + digits.size();
  const bool padded_zero = digits.size() > 1 && digits.front() == '0';
  if (!addr || error != std::errc() || !whole || padded_zero) return bad();
  if (text.find(':') != std::string_view::npos && addr->is_v4()) {
    // An IPv4-mapped network counts as IPv4, its prefix length less 96.
    if (len < 96 || len > 128) return bad();
    len -= 96;
  }
  if (len > addr->bit_length()) return bad();
  return Cidr(*addr, len);
}

Result<Cidr> Cidr::parse_network(std::string_view text) {
  const Cidr cidr = TRY(parse(text));
  if (cidr.has_host_bits()) {
    return make_error(Code::kDecode, "\"{}\" has host bits set; write {}", text,
                      cidr.network().to_string());
  }
  return cidr;
}

Cidr Cidr::host(IpAddr addr) {
  return {addr, addr.bit_length()};
}

Cidr Cidr::network() const {
  return {first(), prefix_len_};
}

IpAddr Cidr::first() const {
  return with_host_bits(*this, false);
}

IpAddr Cidr::last() const {
  return with_host_bits(*this, true);
}

std::uint64_t Cidr::size() const {
  const unsigned host_bits = addr_.bit_length() - prefix_len_;
  if (host_bits >= 64) return std::numeric_limits<std::uint64_t>::max();
  return std::uint64_t{1} << host_bits;
}

bool Cidr::contains(const IpAddr& ip) const {
  return ip.family() == family() && first() <= ip && ip <= last();
}

bool Cidr::contains(const Cidr& other) const {
  return other.prefix_len_ >= prefix_len_ && contains(other.addr_);
}

bool Cidr::overlaps(const Cidr& other) const {
  return contains(other) || other.contains(*this);
}

bool Cidr::has_host_bits() const {
  return addr_ != first();
}

std::string Cidr::to_string() const {
  return fmt::format("{}/{}", addr_.to_string(), prefix_len_);
}

Result<Mac> Mac::parse(std::string_view text) {
  const auto bad = [&] {
    return make_error(Code::kDecode, "\"{}\" is not a MAC address", text);
  };
  if (text.size() != 17) return bad();
  std::array<std::uint8_t, 6> bytes{};
  for (std::size_t i = 0; i < 6; ++i) {
    const int high = hex_digit(text[i * 3]);
    const int low = hex_digit(text[i * 3 + 1]);
    if (high < 0 || low < 0) return bad();
    if (i < 5 && text[i * 3 + 2] != ':') return bad();
    bytes.at(i) = static_cast<std::uint8_t>(high * 16 + low);
  }
  return Mac(bytes);
}

Mac Mac::derived(std::string_view seed) {
  const auto digest = sha1(seed);
  std::array<std::uint8_t, 6> bytes{};
  std::copy_n(digest.begin(), 6, bytes.begin());
  bytes[0] = static_cast<std::uint8_t>((bytes[0] & 0xfe) | 0x02);
  return Mac(bytes);
}

std::string Mac::to_string() const {
  return fmt::format("{:02x}:{:02x}:{:02x}:{:02x}:{:02x}:{:02x}", bytes_[0],
                     bytes_[1], bytes_[2], bytes_[3], bytes_[4], bytes_[5]);
}

}  // namespace linsey

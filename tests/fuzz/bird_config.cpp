// Whatever names, passwords, prefixes and numbers a speaker has: its text is
// refused or sound. Sound means that the text holds exactly the lines that a
// speaker with plain words would have, so nothing that came from a string can
// have become configuration.
#include "bgp/bird_config.h"

#include <algorithm>
#include <string>

#include "tests/fuzz/fuzz.h"

namespace linsey::fuzz {
namespace {

/// Takes values from the input until it is used up; then all are 0.
class Source {
 public:
  explicit Source(std::string_view data) : data_(data) {}

  std::uint8_t byte() {
    if (data_.empty()) return 0;
    const auto value = static_cast<std::uint8_t>(data_.front());
    data_.remove_prefix(1);
    return value;
  }
  std::uint32_t number() {
    std::uint32_t value = 0;
    for (int i = 0; i < 4; ++i) {
      value = value << 8 | byte();
    }
    return value;
  }
  std::string string() {
    const std::size_t length = byte() % 96;
    const std::string text(data_.substr(0, length));
    data_.remove_prefix(std::min(text.size(), data_.size()));
    return text;
  }
  IpAddr address() {
    std::array<std::uint8_t, 16> bytes{};
    const bool v4 = (byte() & 1) == 0;
    for (std::uint8_t& b : bytes) {
      b = byte();
      if (v4 && &b == &bytes[3]) break;
    }
    return IpAddr::from_bytes(std::span(bytes).first(v4 ? 4 : 16));
  }
  Cidr cidr() {
    const IpAddr ip = address();
    return Cidr(ip, byte() % (ip.bit_length() + 1)).network();
  }

 private:
  std::string_view data_;
};

bgp::Announcement announcement_from(Source& source) {
  bgp::Announcement what;
  for (int i = source.byte() % 3; i > 0; --i) {
    what.communities.push_back({source.number(), source.number(), {}});
    if ((source.byte() & 1) != 0) {
      what.communities.back().second = source.number();
    }
  }
  what.med = source.number();
  what.prepend = source.byte();
  what.local_preference = source.number();
  return what;
}

std::vector<bgp::Import> imports_from(Source& source) {
  std::vector<bgp::Import> imports;
  for (int i = source.byte() % 3; i > 0; --i) {
    imports.push_back({source.cidr(), source.byte(), source.byte()});
  }
  return imports;
}

bgp::Peer peer_from(Source& source) {
  bgp::Peer peer;
  peer.name = source.string();
  peer.password = source.string();
  peer.address = source.address();
  peer.port = static_cast<std::uint16_t>(source.number());
  peer.as_number = source.number();
  peer.hold_time = std::chrono::seconds(source.byte());
  peer.keepalive_time = std::chrono::seconds(source.byte());
  const std::uint8_t flags = source.byte();
  if ((flags & 1) != 0) peer.source_address = source.address();
  if ((flags & 2) != 0) peer.multihop = source.byte();
  peer.ttl_security = (flags & 4) != 0;
  peer.graceful_restart = (flags & 8) != 0;
  peer.long_lived = (flags & 16) != 0;
  peer.extended_next_hop = (flags & 32) != 0;
  if ((flags & 64) != 0) peer.families = {Family::kV4, Family::kV6};
  if ((flags & 128) != 0) peer.imports = imports_from(source);
  peer.bfd.mode = static_cast<bgp::BfdMode>(source.byte() % 3);
  peer.announcement = announcement_from(source);
  peer.max_prefixes = source.byte();
  peer.max_prefix_action = static_cast<bgp::LimitAction>(source.byte() % 4);
  return peer;
}

bgp::Speaker speaker_from(Source& source) {
  bgp::Speaker speaker;
  speaker.router_id = source.address();
  speaker.as_number = source.number();
  for (int i = source.byte() % 3; i > 0; --i) {
    speaker.node_addresses.push_back(source.address());
  }
  for (int i = source.byte() % 4; i > 0; --i) {
    speaker.blocks.push_back(source.cidr());
    speaker.never_announced.push_back(source.cidr());
    speaker.never_imported.push_back(source.cidr());
  }
  speaker.imports = imports_from(source);
  if ((source.byte() & 1) != 0) speaker.drain = announcement_from(source);
  for (int i = source.byte() % 4; i > 0; --i) {
    speaker.peers.push_back(peer_from(source));
  }
  return speaker;
}

/// The same speaker with words that nobody could object to. Names keep their
/// order, as the text is sorted by them.
bgp::Speaker plain(bgp::Speaker speaker) {
  for (bgp::Peer& peer : speaker.peers) {
    if (!peer.password.empty()) peer.password = "x";
  }
  return speaker;
}

std::string without_passwords(const std::string& text) {
  std::string out;
  std::size_t at = 0;
  while (at < text.size()) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    const std::string line = text.substr(at, end - at);
    const bool secret = line.starts_with("  password \"");
    expect(!secret || (line.ends_with("\";") &&
                       std::count(line.begin(), line.end(), '"') == 2),
           "a password is one string on one line");
    out += secret ? "password\n" : line + "\n";
    at = end + 1;
  }
  return out;
}

void expect_only_blocks(const bgp::Speaker& speaker, const std::string& text) {
  std::size_t routes = 0;
  std::size_t at = 0;
  while ((at = text.find("\n  route ", at)) != std::string::npos) {
    ++routes;
    at += 9;
    // By text: an IPv4-mapped block would be read back as IPv4.
    const std::string route = text.substr(at, text.find(' ', at) - at);
    const auto prefix =
        std::ranges::find(speaker.blocks, route,
                          [](const Cidr& block) { return block.to_string(); });
    expect(prefix != speaker.blocks.end(), "a route is one of the blocks");
    expect(prefix->prefix_len() > 0, "a default route is never announced");
    for (const Cidr& never : speaker.never_announced) {
      expect(!never.overlaps(*prefix), "a denied network is not announced");
    }
  }
  expect(routes <= speaker.blocks.size(), "no route is added");
}

}  // namespace

// libFuzzer's own name for the entry.
// NOLINTNEXTLINE(readability-identifier-naming)
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data,
                                      std::size_t size) {
  Source source(text(data, size));
  const bgp::Speaker speaker = speaker_from(source);
  const Result<std::string> rendered = bgp::render(speaker);
  if (!rendered) {
    expect(!rendered.error().msg.empty(), "a refusal has a reason");
    return 0;
  }
  expect(std::ranges::none_of(*rendered,
                              [](char c) {
                                return c != '\n' &&
                                       static_cast<unsigned char>(c) < ' ';
                              }),
         "no control character");
  const Result<std::string> again = bgp::render(plain(speaker));
  expect(again && without_passwords(*again) == without_passwords(*rendered),
         "a password changes its own line alone");
  expect_only_blocks(speaker, *rendered);
  return 0;
}

}  // namespace linsey::fuzz

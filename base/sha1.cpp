#include "base/sha1.h"

#include <bit>
#include <cstddef>
#include <vector>

#include <fmt/core.h>

namespace linsey {
namespace {

using State = std::array<std::uint32_t, 5>;

void mix_block(State& state, const std::uint8_t* block) {
  std::array<std::uint32_t, 80> w{};
  for (std::size_t i = 0; i < 16; ++i) {
    w.at(i) = std::uint32_t{block[i * 4]} << 24 |
              std::uint32_t{block[i * 4 + 1]} << 16 |
              std::uint32_t{block[i * 4 + 2]} << 8 | block[i * 4 + 3];
  }
  for (std::size_t i = 16; i < 80; ++i) {
    w.at(i) =
        std::rotl(w.at(i - 3) ^ w.at(i - 8) ^ w.at(i - 14) ^ w.at(i - 16), 1);
  }
  auto [a, b, c, d, e] = state;
  for (std::size_t i = 0; i < 80; ++i) {
    std::uint32_t f = b ^ c ^ d;
    std::uint32_t k = 0xCA62C1D6;
    if (i < 20) {
      f = (b & c) | (~b & d);
      k = 0x5A827999;
    } else if (i < 40) {
      k = 0x6ED9EBA1;
    } else if (i < 60) {
      f = (b & c) | (b & d) | (c & d);
      k = 0x8F1BBCDC;
    }
    const std::uint32_t next = std::rotl(a, 5) + f + e + k + w.at(i);
    e = d;
    d = c;
    c = std::rotl(b, 30);
    b = a;
    a = next;
  }
  state[0] += a;
  state[1] += b;
  state[2] += c;
  state[3] += d;
  state[4] += e;
}

}  // namespace

std::array<std::uint8_t, 20> sha1(std::string_view text) {
  std::vector<std::uint8_t> data(text.begin(), text.end());
  const std::uint64_t bits = std::uint64_t{data.size()} * 8;
  data.push_back(0x80);
  while (data.size() % 64 != 56) {
    data.push_back(0);
  }
  for (int shift = 56; shift >= 0; shift -= 8) {
    data.push_back(static_cast<std::uint8_t>(bits >> shift));
  }

  State state{0x67452301, 0xEFCDAB89, 0x98BADCFE, 0x10325476, 0xC3D2E1F0};
  for (std::size_t i = 0; i < data.size(); i += 64) {
    mix_block(state, data.data() + i);
  }

  std::array<std::uint8_t, 20> digest{};
  for (std::size_t i = 0; i < digest.size(); ++i) {
    digest.at(i) =
        static_cast<std::uint8_t>(state.at(i / 4) >> (24 - 8 * (i % 4)));
  }
  return digest;
}

std::string sha1_hex(std::string_view text) {
  std::string hex;
  for (const std::uint8_t byte : sha1(text)) {
    hex += fmt::format("{:02x}", byte);
  }
  return hex;
}

}  // namespace linsey

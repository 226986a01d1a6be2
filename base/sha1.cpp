#include "base/sha1.h"

#include <endian.h>

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstring>

namespace linsey {
namespace {

using State = std::array<std::uint32_t, 5>;

constexpr std::size_t kBlock = 64;

constexpr std::uint32_t choose(std::uint32_t b, std::uint32_t c,
                               std::uint32_t d) {
  return (b & c) | (~b & d);
}
constexpr std::uint32_t parity(std::uint32_t b, std::uint32_t c,
                               std::uint32_t d) {
  return b ^ c ^ d;
}
constexpr std::uint32_t majority(std::uint32_t b, std::uint32_t c,
                                 std::uint32_t d) {
  return (b & c) | (b & d) | (c & d);
}

/// Twenty rounds, `w` the words for them. Its own function for each kind of
/// round, so that none is chosen while it runs.
template <std::uint32_t (*kMix)(std::uint32_t, std::uint32_t, std::uint32_t),
          std::uint32_t kConstant>
void twenty_rounds(State& state, const std::uint32_t* w) {
  auto [a, b, c, d, e] = state;
  for (std::size_t i = 0; i < 20; ++i) {
    const std::uint32_t next =
        std::rotl(a, 5) + kMix(b, c, d) + e + kConstant + w[i];
    e = d;
    d = c;
    c = std::rotl(b, 30);
    b = a;
    a = next;
  }
  state = {a, b, c, d, e};
}

void mix_block(State& state, const char* block) {
  std::array<std::uint32_t, 80> w;
  for (std::size_t i = 0; i < 16; ++i) {
    std::uint32_t word = 0;
    std::memcpy(&word, block + i * sizeof word, sizeof word);
    w[i] = be32toh(word);
  }
  for (std::size_t i = 16; i < 80; ++i) {
    w[i] = std::rotl(w[i - 3] ^ w[i - 8] ^ w[i - 14] ^ w[i - 16], 1);
  }
  State next = state;
  twenty_rounds<choose, 0x5A827999>(next, w.data());
  twenty_rounds<parity, 0x6ED9EBA1>(next, w.data() + 20);
  twenty_rounds<majority, 0x8F1BBCDC>(next, w.data() + 40);
  twenty_rounds<parity, 0xCA62C1D6>(next, w.data() + 60);
  for (std::size_t i = 0; i < state.size(); ++i) {
    state[i] += next[i];
  }
}

}  // namespace

std::array<std::uint8_t, 20> sha1(std::string_view text) {
  State state{0x67452301, 0xEFCDAB89, 0x98BADCFE, 0x10325476, 0xC3D2E1F0};
  const std::uint64_t bits = htobe64(std::uint64_t{text.size()} * 8);
  while (text.size() >= kBlock) {
    mix_block(state, text.data());
    text.remove_prefix(kBlock);
  }
  std::array<char, 2 * kBlock> rest{};
  std::copy(text.begin(), text.end(), rest.begin());
  rest[text.size()] = static_cast<char>(0x80);
  const std::size_t end =
      text.size() < kBlock - sizeof bits ? kBlock : 2 * kBlock;
  std::memcpy(rest.data() + end - sizeof bits, &bits, sizeof bits);
  for (std::size_t i = 0; i < end; i += kBlock) {
    mix_block(state, rest.data() + i);
  }

  std::array<std::uint8_t, 20> digest{};
  for (std::size_t i = 0; i < state.size(); ++i) {
    const std::uint32_t word = htobe32(state[i]);
    std::memcpy(&digest[i * sizeof word], &word, sizeof word);
  }
  return digest;
}

std::string sha1_hex(std::string_view text) {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string hex;
  hex.reserve(40);
  for (const std::uint8_t byte : sha1(text)) {
    hex.push_back(kDigits[byte >> 4]);
    hex.push_back(kDigits[byte & 15]);
  }
  return hex;
}

}  // namespace linsey

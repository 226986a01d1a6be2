// SHA-1 (FIPS 180-4) for names only, never for security: Felix derives the
// names of host links by it, and the static plugin must not carry OpenSSL.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

namespace linsey {

std::array<std::uint8_t, 20> sha1(std::string_view text);
/// Lower-case hex of the whole digest, 40 characters.
std::string sha1_hex(std::string_view text);

}  // namespace linsey

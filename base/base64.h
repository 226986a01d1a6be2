// Base64 (RFC 4648 section 4), strict on input: kubeconfigs and Secrets.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace linsey {

std::string base64_encode(std::string_view bytes);
/// White space is skipped; anything else outside the alphabet, or wrong
/// padding, is kDecode.
Result<std::string> base64_decode(std::string_view text);

}  // namespace linsey

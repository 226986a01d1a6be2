// The stored form of a held attachment: one JSON document, owned by the store
// and apart from the wire's, so that either may change alone. Keys it does not
// know are ignored, so a newer agent's document stays readable after a
// downgrade; defaults are left out.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "ipam/types.h"

namespace linsey::ipam {

std::string encode(const Held& held);
/// Errors: kStateCorrupt with a JSON pointer.
Result<Held> decode(std::string_view document);

}  // namespace linsey::ipam

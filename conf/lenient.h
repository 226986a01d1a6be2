// Reads JSON objects that others write: runtimes, libcni, the API server.
// Unknown keys are ignored, null reads as absent, keys match without regard to
// case as Go's decoders match them (containerd relies on it). A known key of
// the wrong type is still an error: guessing would hide a broken writer.
// Documents of our own are read by the strict ObjectReader instead.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "base/result.h"

namespace linsey::conf {

/// A view of one JSON object and the pointer that errors name. The document
/// must outlive it. A default one is empty.
class LenientObject {
 public:
  LenientObject() = default;

  /// Errors: `code` when `json` is neither an object nor null.
  static Result<LenientObject> of(const nlohmann::json* json,
                                  std::string pointer, Code code);

  /// The getters leave `target` alone when the key is absent or null. Errors:
  /// the code of the reader, with the pointer, for a wrong type.
  Result<void> text(std::string_view key, std::string& target) const;
  /// A whole number that is not negative; ranges are the caller's.
  Result<void> number(std::string_view key, std::uint64_t& target) const;
  Result<void> texts(std::string_view key,
                     std::vector<std::string>& target) const;
  Result<void> text_map(std::string_view key,
                        std::map<std::string, std::string>& target) const;

  Result<LenientObject> object(std::string_view key) const;
  Result<std::vector<LenientObject>> objects(std::string_view key) const;

  /// True when the key is there, be it null.
  bool has(std::string_view key) const;
  /// nullptr when absent or null.
  const nlohmann::json* raw(std::string_view key) const;
  /// "/runtimeConfig/portMappings/0/hostPort"
  std::string pointer_to(std::string_view key) const;

 private:
  Error wrong_type(std::string_view key, std::string_view wanted,
                   const nlohmann::json& found) const;

  const nlohmann::json* json_ = nullptr;
  std::string pointer_;
  Code code_ = Code::kDecode;
};

}  // namespace linsey::conf

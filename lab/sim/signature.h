// Reads a signed RPC request and checks its signature, for both versions of
// the scheme. Independent of the client's signing code on purpose.
#pragma once

#include <map>
#include <string>
#include <string_view>

#include "lab/sim/http.h"
#include "lab/sim/types.h"

namespace linsey::sim {

struct SignedCall {
  std::string action;
  std::string version;                        // of the API
  std::map<std::string, std::string> params;  // business ones only
  std::string key_id;                         // empty: anonymous
  std::string token;
  std::string nonce;
  std::string timestamp;
  std::string format;  // V1's Format

  std::string string_to_sign;
  std::string signature;
  bool v3 = false;
};

/// Takes the request apart. A fault when it is no well-formed call of either
/// version; `call` is then as far as it could be read.
Fault read_signed(const HttpRequest& request, SignedCall& call);

/// The signature that `secret` makes of the call.
std::string expected_signature(const SignedCall& call,
                               const std::string& secret);

std::string percent_encode(std::string_view text);
/// Also '+' for a blank, as form bodies have it. False when malformed.
bool percent_decode(std::string_view text, std::string& decoded);
/// "a=1&b=2" into a map. A fault when malformed or a name comes twice.
Fault read_form(std::string_view text,
                std::map<std::string, std::string>& values);

}  // namespace linsey::sim

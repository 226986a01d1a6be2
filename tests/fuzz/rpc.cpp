// Bytes on the socket: a request, a wish for more, or a refusal; bodies of
// every call are read or refused, and what was read survives a round trip.
#include <string>

#include "rpc/http.h"
#include "rpc/message.h"
#include "tests/fuzz/fuzz.h"

namespace linsey::fuzz {
namespace {

template <typename T>
void round_trip(std::string_view body, Result<T> (*parse)(std::string_view)) {
  const Result<T> value = parse(body);
  if (!value) {
    expect(value.error().code == Code::kDecode, "a refusal is kDecode");
    return;
  }
  const std::string once = rpc::to_json(*value);
  const Result<T> back = parse(once);
  expect(back.has_value(), "our own message can be read");
  expect(rpc::to_json(*back) == once, "writing is stable");
}

}  // namespace

// libFuzzer's own name for the entry.
// NOLINTNEXTLINE(readability-identifier-naming)
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data,
                                      std::size_t size) {
  const std::string_view bytes = text(data, size);
  const auto request = rpc::parse_request(bytes);
  (void)rpc::parse_response(bytes, true);  // only must not crash
  (void)rpc::parse_response(bytes, false);
  std::string_view body = bytes;
  if (request && *request) {
    body = (*request)->body;
    const auto again = rpc::parse_request(rpc::format_request(**request));
    expect(again && *again, "our own request can be read");
    expect((*again)->body == (*request)->body, "with the same body");
  }
  round_trip(body, rpc::parse_key);
  round_trip(body, rpc::parse_attachment);
  round_trip(body, rpc::parse_held);
  round_trip(body, rpc::parse_lease);
  round_trip(body, rpc::parse_release);
  round_trip(body, rpc::parse_note);
  round_trip(body, rpc::parse_gc_request);
  round_trip(body, rpc::parse_gc_reply);
  round_trip(body, rpc::parse_status);
  (void)rpc::parse_error(body);
  return 0;
}

}  // namespace linsey::fuzz

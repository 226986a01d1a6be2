// What crosses the socket between the plugin, linseyctl and the agent:
// HTTP/1.1 with JSON bodies over a Unix stream socket, one request a
// connection. `curl --unix-socket /run/linsey/agent.sock http://a/v1/status`.
//
//   POST /v1/allocate  Attachment -> Lease
//   POST /v1/release   ReleaseRequest -> {}      (unknown keys succeed)
//   POST /v1/check     {"key": …} -> Held        (kUnknownAttachment if none)
//   POST /v1/gc        GcRequest -> GcReply
//   GET  /v1/status    -> Status                 (always 200)
//   GET  /v1/ipam      -> text/JSON for linseyctl
//   GET  /metrics, /healthz, /readyz
//
// A failed call has HTTP status 4xx/5xx and an error body
//   {"code": "ZoneNotMapped", "msg": "…", "details": "…"}.
// Our client sends the header `Linsey-Protocol: 1`; another number is refused
// with kProtocolMismatch, none (curl) is taken as ours.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "ipam/types.h"

namespace linsey::rpc {

inline constexpr int kProtocol = 1;

/// The answer to allocate. `is_new` is false when the key was held before; the
/// caller's undo must then not give it back.
struct Lease {
  ipam::Allocation allocation;
  bool is_new = true;

  bool operator==(const Lease&) const = default;
};

/// DEL. The plugin has taken the path down already (rules, routes, link down
/// and in the dying group); the agent removes the link and frees the address
/// only when the link is gone from the kernel. `link_index` 0: the plugin saw
/// no link. `path_down` false: the plugin could not, the agent does it.
/// `addresses` had a route of ours to the link: a ledger that was lost knows
/// them by nothing else.
struct ReleaseRequest {
  ipam::AttachmentKey key;
  ipam::Pod pod;
  int link_index = 0;
  std::string link_name;
  bool path_down = false;
  std::vector<IpAddr> addresses;

  bool operator==(const ReleaseRequest&) const = default;
};

/// A DEL that met no agent, as a file in the notes directory: the plugin has
/// removed the link, the agent gives the address back when it finds the note
/// and then deletes the file. A note of an earlier boot says nothing that
/// the reboot did not.
struct ReleaseNote {
  ipam::AttachmentKey key;
  ipam::Pod pod;
  std::string boot_id;

  bool operator==(const ReleaseNote&) const = default;
};

struct KeepAttachment {
  std::string container_id;
  std::string ifname;
  bool operator==(const KeepAttachment&) const = default;
};

struct GcRequest {
  std::string network;
  std::vector<KeepAttachment> keep;
  bool operator==(const GcRequest&) const = default;
};

struct GcReply {
  std::vector<ipam::AttachmentKey> released;
  bool operator==(const GcReply&) const = default;
};

/// Can an ADD be served now? `ready` false comes with the reason.
struct Status {
  bool ready = false;
  Error why;  // meaningful when not ready
  std::string node;
  std::string mode;  // "bgp", "eni", "" while unknown
  std::string mode_why;
  std::string zone;
  std::uint32_t free = 0;
  std::uint32_t held = 0;
  std::uint32_t cooling = 0;

  bool operator==(const Status&) const = default;
};

std::string to_json(const ipam::AttachmentKey& key);
std::string to_json(const ipam::Attachment& attachment);
std::string to_json(const ipam::Held& held);
std::string to_json(const Lease& lease);
std::string to_json(const ReleaseRequest& request);
std::string to_json(const ReleaseNote& note);
std::string to_json(const GcRequest& request);
std::string to_json(const GcReply& reply);
std::string to_json(const Status& status);
std::string to_json(const Error& error);

/// The file name of a key's note, "SHA1.note": one for each key, so that a
/// repeated DEL overwrites its own. Files of other names are not notes.
std::string note_name(const ipam::AttachmentKey& key);

/// Errors of all: kDecode with a JSON pointer. Unknown keys are ignored, so
/// that a newer peer can add some.
Result<ipam::AttachmentKey> parse_key(std::string_view text);
Result<ipam::Attachment> parse_attachment(std::string_view text);
Result<ipam::Held> parse_held(std::string_view text);
Result<Lease> parse_lease(std::string_view text);
Result<ReleaseRequest> parse_release(std::string_view text);
Result<ReleaseNote> parse_note(std::string_view text);
Result<GcRequest> parse_gc_request(std::string_view text);
Result<GcReply> parse_gc_reply(std::string_view text);
Result<Status> parse_status(std::string_view text);
/// An error body that cannot be read becomes kInternal with the raw text.
Error parse_error(std::string_view text);

}  // namespace linsey::rpc

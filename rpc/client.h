// Client: the calling end of the agent's socket, for the plugin and linseyctl.
//
// One call is one connection under one deadline. While nobody listens (socket
// absent, connection refused, or closed before an answer came because the
// agent was just killed) the call is tried again until `connect_wait` is over:
// an agent that restarts is invisible to pods. All calls are idempotent by
// key, so that trying again is safe. No name is looked up and no thread is
// started: this links into a static program.
#pragma once

#include <chrono>
#include <functional>
#include <string>
#include <string_view>
#include <utility>

#include "base/clock.h"
#include "base/result.h"
#include "ipam/types.h"
#include "rpc/message.h"

namespace linsey::rpc {

struct ClientOptions {
  std::string socket = "/run/linsey/agent.sock";
  /// How long an absent agent is waited for.
  Duration connect_wait = std::chrono::seconds(10);
  /// How long one call may take in all, waiting included.
  Duration timeout = std::chrono::seconds(40);
};

/// Errors of all calls: kAgentDown when nobody listened for `connect_wait`,
/// kTimeout when no answer came in time, kProtocolMismatch, kDecode for an
/// answer that cannot be read, else the error the agent answered with.
/// Thread: a Client holds no connection; any thread, one at a time.
class Client {
 public:
  explicit Client(ClientOptions options) : options_(std::move(options)) {}

  /// Runs `meanwhile` once, when the request is on its way: work that does not
  /// need the answer then costs no time of its own.
  Result<Lease> allocate(const ipam::Attachment& attachment,
                         const std::function<void()>& meanwhile = {});
  /// Unknown keys succeed. Durable: the agent has committed it.
  Result<void> release(const ReleaseRequest& request);
  /// Errors: kUnknownAttachment.
  Result<ipam::Held> check(const ipam::AttachmentKey& key);
  Result<GcReply> gc(const GcRequest& request);
  Result<Status> status();

  /// The raw body of `GET path`; for linseyctl: /v1/ipam, /metrics, /healthz.
  Result<std::string> get(const std::string& path);
  Result<std::string> post(const std::string& path, std::string body);

 private:
  Result<std::string> call(std::string_view method, const std::string& path,
                           std::string body,
                           const std::function<void()>& meanwhile = {});

  ClientOptions options_;
};

}  // namespace linsey::rpc

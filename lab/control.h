// Control: how the commands of linsey-lab talk to a running lab. A Unix
// socket in the lab's directory; one request a connection, as one line of
// JSON; the answer is any number of {"progress": …} lines and then one
// {"result": …} or {"error": …}. With the last line a descriptor may travel
// (the namespace for `exec`). Each connection has a thread of its own, so a
// slow pod does not hold up the next command.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>

#include <nlohmann/json_fwd.hpp>

#include "base/fd.h"
#include "base/json.h"
#include "base/result.h"

namespace linsey::lab {

struct Answer {
  std::shared_ptr<const Json> result;
  UniqueFd fd;  // sent along when it is set
};

/// Tells the waiting command what goes on. Thread: the handler's.
using Progress = std::function<void(const std::string&)>;
using Handler = std::function<Result<Answer>(const Json&, const Progress&)>;

class ControlServer {
 public:
  /// Serves until destruction. `handler` runs on many threads at once.
  static Result<std::unique_ptr<ControlServer>> start(const std::string& path,
                                                      Handler handler);
  /// Takes no more connections; handlers that run go on.
  ~ControlServer();
  ControlServer(const ControlServer&) = delete;
  ControlServer& operator=(const ControlServer&) = delete;

  /// Handlers that are still running.
  int busy() const { return busy_->load(); }
  void stop_accepting();

 private:
  ControlServer(UniqueFd listener, Handler handler);
  void accept_all();

  UniqueFd listener_;
  UniqueFd stop_;
  std::shared_ptr<const Handler> handler_;
  std::shared_ptr<std::atomic<int>> busy_;
  std::thread thread_;
};

/// The calling end: one request, then its answer.
class ControlClient {
 public:
  /// Errors: kNotAvailable when no lab listens there.
  static Result<ControlClient> connect(const std::string& path);

  /// Errors: the lab's own; kIo when it died meanwhile.
  Result<Answer> call(const Json& request, const Progress& progress = {});

  /// The lab's process.
  pid_t peer_pid() const { return pid_; }

 private:
  ControlClient(UniqueFd fd, pid_t pid) : fd_(std::move(fd)), pid_(pid) {}
  UniqueFd fd_;
  pid_t pid_;
};

}  // namespace linsey::lab

// An API server with memory, in process: objects with resourceVersions and
// uids, create/replace/delete/patch with their conflicts, lists in pages,
// watches that resume, bookmark and expire, and the faults a client has to
// live with. One state, many transports, any thread.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "kube/transport.h"

namespace linsey::tests {

class FakeApi {
 public:
  /// What the next requests meet; consumed one by one.
  struct Fault {
    int status = 0;            // answer this status instead of acting
    std::string reason;        // of the Status object
    int retry_after = 0;       // seconds
    bool unreachable = false;  // no reply, nothing done
    bool reply_lost = false;   // done, and no reply
  };
  struct Call {
    std::string method;
    std::string path;
  };

  std::unique_ptr<kube::Transport> connect();

  void push_fault(Fault fault, int times = 1);
  /// Every call fails and every watch breaks until it is set back.
  void set_down(bool down);
  /// Forgets history: every watch older than now gets 410.
  void expire();
  void bookmark();
  /// As a client would, but from outside any transport.
  int put(const std::string& path, const nlohmann::json& object);
  int erase(const std::string& path);
  nlohmann::json at(const std::string& path);
  std::vector<Call> calls();
  std::size_t count(const std::string& method, const std::string& prefix);
  void set_page_size(std::size_t size);

  // Used by the transports.
  Result<kube::Response> serve(const kube::Request& request);
  Result<kube::Response> watch(
      const kube::Request& request,
      const std::function<bool(std::string_view)>& on_line,
      const std::atomic<bool>& stop);

 private:
  struct Change {
    std::uint64_t version;
    std::string type;
    std::string path;
    nlohmann::json object;
  };

  kube::Response act(const kube::Request& request, const std::string& path,
                     const std::string& query);
  kube::Response list(const std::string& path, const std::string& query);
  kube::Response create(const std::string& path, nlohmann::json object);
  kube::Response replace(const std::string& path, nlohmann::json object);
  kube::Response merge(const std::string& path, const nlohmann::json& change);
  kube::Response remove(const std::string& path, const nlohmann::json& options);
  void record(const std::string& type, const std::string& path,
              const nlohmann::json& object);

  std::mutex mutex_;
  std::condition_variable changed_;
  std::map<std::string, nlohmann::json> objects_;  // by path
  std::deque<Change> history_;
  std::deque<Fault> faults_;
  std::vector<Call> calls_;
  std::uint64_t version_ = 100;
  std::uint64_t oldest_ = 100;
  std::uint64_t next_uid_ = 1;
  std::uint64_t bookmarks_ = 0;
  std::size_t page_size_ = 500;
  bool down_ = false;
};

}  // namespace linsey::tests

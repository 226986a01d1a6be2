// Controller: the planner between watches and the API server.
//
// Nodes, pools and blocks are watched by every replica, so that one that
// becomes the leader knows them at once; only the leader writes. A node is
// asked for by name once more before a block of it is freed: the copy may lag
// by seconds, the answer does not. Nothing here is written twice: what failed
// is planned again from what the server shows.
// Thread: tick() from one; the copies have theirs.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "controller/copy.h"
#include "controller/planner.h"
#include "kube/client.h"

namespace linsey::controller {

class Controller {
 public:
  using Connect = std::function<std::unique_ptr<kube::Transport>()>;

  Controller(const Connect& connect, const Clock& clock, Options options = {});

  /// The copies are complete and current.
  bool current() const;
  /// Plans and, when `leads`, carries out. Returns what was done. Errors are
  /// logged and counted, and planned again.
  std::size_t tick(bool leads);
  std::uint64_t failures() const { return failures_; }

 private:
  void put_pool(const Json& object, bool deleted);
  void put_block(const Json& object, bool deleted);
  void put_node(const Json& object, bool deleted);
  Scene scene();
  Result<void> carry_out(const Action& action);
  Result<void> set_finalizers(const kube::IpPool& pool);
  Result<void> free_block(const Action& action);
  Result<bool> node_is_gone(const std::string& node);
  void tell(const Action& action);

  const Clock& clock_;
  std::unique_ptr<kube::Transport> transport_;
  kube::Client client_;
  Planner planner_;
  std::uint64_t failures_ = 0;
  std::uint64_t events_ = 0;
  std::mutex mutex_;  // of known_, between the copies and tick()
  Scene known_;
  std::vector<std::unique_ptr<Copy>> copies_;  // last: they use all above
};

}  // namespace linsey::controller

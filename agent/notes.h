// Notes: release notes that the plugin left when no agent was there. Each one
// is carried out and deleted once that is saved; read at the start, on every
// change of the directory and, should one have failed, now and then.
#pragma once

#include <functional>
#include <set>
#include <string>

#include "agent/loop.h"
#include "agent/metrics.h"
#include "base/fd.h"
#include "base/result.h"
#include "ipam/types.h"

namespace linsey::agent {

struct NotesDeps {
  Loop& loop;
  Metrics& metrics;
  std::string directory;
  std::string boot_id;
  /// Service::free_now.
  std::function<void(const ipam::AttachmentKey&, const ipam::Pod&,
                     std::function<void(const Result<void>&)>)>
      free;
};

class Notes {
 public:
  explicit Notes(NotesDeps deps);
  ~Notes();
  Notes(const Notes&) = delete;
  Notes& operator=(const Notes&) = delete;

  /// Makes the directory if it is missing, carries out what is there, watches.
  /// Where that cannot be, as on a full disk, it looks now and then.
  void start();

 private:
  Result<void> watch();
  void read_all();
  void read_one(const std::string& name);
  void done(const std::string& name, const Result<void>& freed);
  void set_aside(const std::string& name, const Error& why);
  std::string path(const std::string& name) const;

  NotesDeps deps_;
  UniqueFd inotify_;
  std::set<std::string> under_way_;
  Loop::TimerId timer_ = 0;
};

}  // namespace linsey::agent

#include "controller/copy.h"

#include "base/log.h"

namespace linsey::controller {
namespace {

kube::Sink make_sink(Copy::Put put, std::atomic<bool>& current,
                     std::atomic<std::uint64_t>& breaks, std::string what) {
  return {.changed =
              [put = std::move(put)](const std::vector<kube::Event>& events) {
                for (const kube::Event& event : events) {
                  put(event.object, event.change == kube::Change::kDeleted);
                }
              },
          .synced = [&current] { current = true; },
          .stale =
              [&current, &breaks, what = std::move(what)](const Error& why) {
                current = false;
                ++breaks;
                log::warn("the copy of {} may be old: {}", what,
                          to_string(why));
              }};
}

}  // namespace

Copy::Copy(std::unique_ptr<kube::Transport> transport,
           const kube::WatchOptions& options, Put put)
    : transport_(std::move(transport)),
      watch_(*transport_, options,
             make_sink(std::move(put), current_, breaks_, options.type.plural)),
      thread_([this] { watch_.run(); }) {}

Copy::~Copy() {
  watch_.stop();
  thread_.join();
}

}  // namespace linsey::controller

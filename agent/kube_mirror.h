// KubeMirror: a copy on the loop of what one watch shows.
//
// The watch runs on a thread of its own and turns objects into values there;
// the loop gets values by post(), so that neither a slow API server nor a long
// list holds it up. A copy is current from a complete list on until the watch
// says that it may be old; what it holds then stays, for whoever may use stale
// data, and current() says so to whoever must not.
// Objects that cannot be read are left out and logged: somebody else's mistake
// must not stop the node.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "agent/loop.h"
#include "base/log.h"
#include "base/result.h"
#include "kube/watch.h"

namespace linsey::agent {

template <typename T>
class KubeMirror {
 public:
  struct Options {
    const char* name;  // a literal: "pods"
    kube::WatchOptions watch;
    std::function<Result<T>(const Json&)> parse;  // on the watch's thread
    /// Something changed, or the copy became current or stale. On the loop.
    std::function<void()> changed;
  };

  KubeMirror(Loop& loop, std::unique_ptr<kube::Transport> transport,
             Options options)
      : loop_(loop),
        transport_(std::move(transport)),
        options_(std::move(options)),
        watch_(*transport_, options_.watch, sink()) {}
  ~KubeMirror() { stop(); }
  KubeMirror(const KubeMirror&) = delete;
  KubeMirror& operator=(const KubeMirror&) = delete;

  void start() {
    thread_ = std::thread([this] { watch_.run(); });
  }
  /// Tells it to end; the destructor waits for that.
  void ask_to_stop() {
    watch_.stop();
    transport_->abort();
  }
  void stop() {
    ask_to_stop();
    if (thread_.joinable()) thread_.join();
  }

  /// By "namespace/name", or "name".
  const std::map<std::string, T>& objects() const { return objects_; }
  bool current() const { return current_; }
  /// It was current once since the start.
  bool known() const { return known_; }
  const std::optional<Error>& why_stale() const { return why_stale_; }
  const char* name() const { return options_.name; }
  kube::Traffic traffic() const { return transport_->traffic(); }
  std::uint64_t lists() const { return watch_.lists(); }

 private:
  struct Item {
    std::string key;
    std::optional<T> value;  // none: deleted
  };

  static std::string text_at(const Json& metadata, const char* key) {
    const auto found = metadata.find(key);
    return found != metadata.end() && found->is_string()
               ? found->template get<std::string>()
               : std::string();
  }

  Item item_of(const kube::Event& event) const {
    const Json none = Json::object();
    const auto found = event.object.find("metadata");
    const Json& metadata = found == event.object.end() ? none : *found;
    const std::string name_space = text_at(metadata, "namespace");
    Item item{(name_space.empty() ? "" : name_space + "/") +
                  text_at(metadata, "name"),
              std::nullopt};
    if (event.change == kube::Change::kDeleted) return item;
    Result<T> value = options_.parse(event.object);
    if (value) {
      item.value = std::move(value).value();
    } else {
      log::warn("{} {} cannot be read and is left out: {}", options_.name,
                item.key, to_string(value.error()));
    }
    return item;
  }

  kube::Sink sink() {
    return {.changed =
                [this](const std::vector<kube::Event>& events) {
                  std::vector<Item> items;
                  items.reserve(events.size());
                  for (const kube::Event& event : events) {
                    items.push_back(item_of(event));
                  }
                  loop_.post(options_.name,
                             [this, items = std::move(items)] { take(items); });
                },
            .synced =
                [this] {
                  loop_.post(options_.name, [this] {
                    if (why_stale_) log::info("{}: current again", name());
                    why_stale_.reset();
                    current_ = known_ = true;
                    options_.changed();
                  });
                },
            .stale =
                [this](const Error& why) {
                  loop_.post(options_.name, [this, why] {
                    log::warn("{}: may be old from here on: {}", name(),
                              to_string(why));
                    why_stale_ = why;
                    current_ = false;
                    options_.changed();
                  });
                }};
  }

  void take(const std::vector<Item>& items) {
    for (const Item& item : items) {
      if (item.value) {
        objects_.insert_or_assign(item.key, *item.value);
      } else {
        objects_.erase(item.key);
      }
    }
    // Before the first list is complete there is nothing to be told.
    if (known_) options_.changed();
  }

  Loop& loop_;
  std::unique_ptr<kube::Transport> transport_;
  Options options_;
  kube::Watch watch_;
  std::map<std::string, T> objects_;
  std::optional<Error> why_stale_;
  bool current_ = false;
  bool known_ = false;
  std::thread thread_;
};

}  // namespace linsey::agent

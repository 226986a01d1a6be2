#include "agent/conflist.h"

#include <utility>

#include "base/log.h"

namespace linsey::agent {
namespace {

constexpr Duration kSoon = std::chrono::milliseconds(200);
constexpr Duration kLater = std::chrono::seconds(30);

}  // namespace

Conflist::Conflist(ConflistDeps deps) : deps_(std::move(deps)) {
  deps_.metrics.describe_gauge(
      "linsey_conflist_published",
      "1 when the CNI configuration is published, or not ours to publish.");
  deps_.metrics.on_collect([this] {
    const bool none = deps_.config.cni.conf_dir.empty();
    deps_.metrics.set("linsey_conflist_published", published_ || none ? 1 : 0);
  });
}

void Conflist::start() {
  look();
}

void Conflist::look() {
  const bool wanted = !deps_.config.cni.conf_dir.empty();
  if (!wanted || (!published_ && !deps_.ready())) {
    deps_.loop.after(wanted ? kSoon : kLater, "conflist", [this] { look(); });
    return;
  }
  deps_.worker.submit(
      [cni = deps_.config.cni] { return install::publish_conflist(cni); },
      [this](const Result<install::Published>& result) { done(result); });
}

void Conflist::done(const Result<install::Published>& result) {
  if (result) {
    if (result->changed) {
      log::info("published {}/{}", deps_.config.cni.conf_dir,
                deps_.config.cni.conflist);
      for (const Error& warning : result->warnings) {
        log::warn("{}", to_string(warning));
      }
    }
    published_ = true;
    error_.reset();
  } else {
    if (error_ != result.error()) {
      log::error("the CNI configuration is not published: {}",
                 to_string(result.error()));
    }
    error_ = result.error();
  }
  deps_.loop.after(result ? kLater : std::chrono::seconds(2), "conflist",
                   [this] { look(); });
}

}  // namespace linsey::agent

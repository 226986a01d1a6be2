#include "agent/worker.h"

#include <pthread.h>

#include <array>
#include <cstdio>
#include <stop_token>

namespace linsey::agent {

Worker::Worker(Loop& loop, const char* name, Kind kind)
    : loop_(loop), name_(name), kind_(kind) {
  if (kind_ == Kind::kInline) return;
  thread_ = std::jthread([this](const std::stop_token& stop) {
    std::array<char, 16> title{};  // the kernel's limit
    (void)std::snprintf(title.data(), title.size(), "%s", name_);
    (void)pthread_setname_np(pthread_self(), title.data());
    for (;;) {
      const std::function<void()> task = tasks_.pop();
      if (stop.stop_requested()) return;
      task();
    }
  });
}

Worker::~Worker() {
  if (kind_ == Kind::kInline) return;
  thread_.request_stop();
  tasks_.push({});  // wakes it
}

void Worker::enqueue(std::function<void()> task) {
  if (kind_ == Kind::kInline) {
    task();
  } else {
    tasks_.push(std::move(task));
  }
}

}  // namespace linsey::agent

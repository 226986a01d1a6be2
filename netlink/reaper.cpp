#include "netlink/reaper.h"

#include <poll.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <optional>
#include <thread>
#include <utility>

#include "base/thread_queue.h"
#include "netlink/monitor.h"
#include "netlink/socket.h"

namespace linsey::netlink {

/// One thread and its socket. A job without anything to delete ends it.
struct LinkReaper::State {
  struct Job {
    int link_index = 0;
    std::uint32_t group = 0;
    Done done;
  };
  struct Worker {
    explicit Worker(Socket own) : socket(std::move(own)) {}
    Socket socket;
    ThreadQueue<std::optional<Job>> jobs;
    std::atomic<unsigned> waiting = 0;  // jobs not yet acknowledged
    std::thread thread;
  };

  std::vector<std::unique_ptr<Worker>> workers;
  static void work(Worker& worker) {
    while (const std::optional<Job> job = worker.jobs.pop()) {
      Batch batch;
      if (job->group != 0) {
        batch.delete_group(job->group);
      } else {
        batch.delete_link(job->link_index, Missing::kFine);
      }
      const Result<void> result = worker.socket.run(batch);
      --worker.waiting;
      if (job->done) job->done(result);
    }
  }

  void push(Job job) {
    // An idle one if there is any: a busy one sits in the kernel for long.
    Worker& idlest = **std::ranges::min_element(
        workers, {}, [](const auto& worker) { return worker->waiting.load(); });
    ++idlest.waiting;
    idlest.jobs.push(std::move(job));
  }

  ~State() {
    for (const auto& worker : workers)
      worker->jobs.push(std::nullopt);
    for (const auto& worker : workers)
      worker->thread.join();
  }
};

LinkReaper::LinkReaper(std::unique_ptr<State> state)
    : state_(std::move(state)) {}
LinkReaper::~LinkReaper() = default;
LinkReaper::LinkReaper(LinkReaper&&) noexcept = default;
LinkReaper& LinkReaper::operator=(LinkReaper&&) noexcept = default;

Result<LinkReaper> LinkReaper::start(unsigned threads) {
  auto state = std::make_unique<State>();
  std::vector<std::unique_ptr<State::Worker>> workers;
  for (unsigned i = 0; i < threads; ++i) {
    workers.push_back(std::make_unique<State::Worker>(TRY(Socket::open())));
  }
  for (auto& worker : workers) {
    worker->thread = std::thread(State::work, std::ref(*worker));
  }
  state->workers = std::move(workers);
  return LinkReaper(std::move(state));
}

void LinkReaper::reap(int link_index, Done done) {
  state_->push({.link_index = link_index, .done = std::move(done)});
}

void LinkReaper::reap_group(std::uint32_t group, Done done) {
  state_->push({.group = group, .done = std::move(done)});
}

Result<void> delete_link_until_gone(LinkReaper& reaper, int link_index,
                                    std::chrono::milliseconds deadline) {
  bool gone = false;
  Monitor monitor = TRY(Monitor::open({Topic::kLinks}, [&](const Event& event) {
    const Link* link = std::get_if<Link>(&event.what);
    gone |= event.removed && link != nullptr && link->index == link_index;
  }));
  const auto end = std::chrono::steady_clock::now() + deadline;
  reaper.reap(link_index);
  Socket socket = TRY(Socket::open());
  if (!TRY(socket.find_link(link_index))) return {};
  while (!gone) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
        end - std::chrono::steady_clock::now());
    if (left.count() <= 0) {
      return make_error(Code::kTimeout, "link #{} is not gone after {} ms",
                        link_index, deadline.count());
    }
    pollfd watched{monitor.fd(), POLLIN, 0};
    if (::poll(&watched, 1, static_cast<int>(left.count())) < 0 &&
        errno != EINTR) {
      return errno_error(errno, "wait for kernel events", Code::kKernel);
    }
    TRY(monitor.drain());
  }
  return {};
}

}  // namespace linsey::netlink

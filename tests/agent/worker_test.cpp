#include "agent/worker.h"

#include <atomic>
#include <string>
#include <thread>

#include <gtest/gtest.h>

#include "tests/support/fake_clock.h"

namespace linsey::agent {
namespace {

TEST(Worker, RunsTheJobElsewhereAndTheResultOnTheLoop) {
  const SteadyClock clock;
  Loop loop(clock);
  Worker worker(loop, "test");
  const auto here = std::this_thread::get_id();
  std::thread::id job_thread;
  std::thread::id done_thread;

  worker.submit(
      [] { return Result<std::thread::id>(std::this_thread::get_id()); },
      [&](const Result<std::thread::id>& id) {
        job_thread = *id;
        done_thread = std::this_thread::get_id();
        loop.stop();
      });
  loop.run();

  EXPECT_NE(job_thread, here);
  EXPECT_EQ(done_thread, here);
}

TEST(Worker, InlineJobsRunAtOnceAndAreHandedBackByTheLoop) {
  const tests::FakeClock clock;
  Loop loop(clock);
  Worker worker(loop, "test", Worker::Kind::kInline);
  std::string seen;

  worker.submit(
      [&] {
        seen += "job";
        return Result<void>();
      },
      [&](const Result<void>&) { seen += ",done"; });
  EXPECT_EQ(seen, "job");
  loop.run_until_idle();

  EXPECT_EQ(seen, "job,done");
}

TEST(Worker, ItsEndFinishesTheRunningJob) {
  const SteadyClock clock;
  Loop loop(clock);
  std::atomic<bool> started = false;
  std::atomic<bool> let_go = false;
  std::atomic<int> ran = 0;
  std::thread opener;

  {
    Worker worker(loop, "test");
    worker.submit(
        [&] {
          started = true;
          started.notify_all();
          let_go.wait(false);
          ++ran;
          return Result<void>();
        },
        [](const Result<void>&) {});
    started.wait(false);
    opener = std::thread([&] {
      let_go = true;
      let_go.notify_all();
    });
  }
  opener.join();

  EXPECT_EQ(ran, 1);
}

}  // namespace
}  // namespace linsey::agent

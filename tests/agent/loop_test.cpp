#include "agent/loop.h"

#include <sys/epoll.h>
#include <unistd.h>

#include <array>
#include <string>
#include <thread>

#include <gtest/gtest.h>

#include "tests/support/fake_clock.h"

namespace linsey::agent {
namespace {

using namespace std::chrono_literals;

struct LoopTest : ::testing::Test {
  tests::FakeClock clock;
  Loop loop{clock};
  std::string seen;

  /// A step that leaves its mark.
  Loop::Callback note(const std::string& mark) {
    return [this, mark] { seen += mark; };
  }
};

struct Pipe {
  Pipe() {
    std::array<int, 2> fds{};
    if (pipe(fds.data()) != 0) ADD_FAILURE() << "pipe";
    read = UniqueFd(fds[0]);
    write = UniqueFd(fds[1]);
  }
  void fill() const { ASSERT_EQ(::write(write.get(), "x", 1), 1); }
  void drain() const {
    char c = 0;
    ASSERT_EQ(::read(read.get(), &c, 1), 1);
  }
  UniqueFd read;
  UniqueFd write;
};

TEST_F(LoopTest, TimersRunInOrderOfTheirDueTime) {
  loop.after(20ms, "b", note("b"));
  loop.after(10ms, "a", note("a"));
  loop.after(30ms, "c", note("c"));

  clock.advance(25ms);
  loop.run_until_idle();

  EXPECT_EQ(seen, "ab");
}

TEST_F(LoopTest, ACancelledTimerDoesNotRun) {
  const Loop::TimerId twin = loop.after(10ms, "a", note("a"));
  loop.after(10ms, "b", note("b"));
  loop.cancel(twin);
  loop.cancel(twin);

  clock.advance(10ms);
  loop.run_until_idle();

  EXPECT_EQ(seen, "b");
}

TEST_F(LoopTest, ATimerMaySetItselfAnew) {
  int left = 3;
  std::function<void()> tick = [&] {
    seen += "t";
    if (--left > 0) loop.after(0ms, "tick", tick);
  };
  loop.after(0ms, "tick", tick);

  loop.run_until_idle();

  EXPECT_EQ(seen, "ttt");
}

TEST_F(LoopTest, AWatchedDescriptorIsServedUntilUnwatched) {
  const Pipe pipe;
  loop.watch(pipe.read.get(), EPOLLIN, "pipe", [&](std::uint32_t events) {
    EXPECT_TRUE(events & EPOLLIN);
    pipe.drain();
    seen += "r";
  });

  pipe.fill();
  loop.run_until_idle();
  pipe.fill();
  loop.run_until_idle();
  loop.unwatch(pipe.read.get());
  pipe.fill();
  loop.run_until_idle();

  EXPECT_EQ(seen, "rr");
}

TEST_F(LoopTest, ACallbackMayUnwatchItsOwnDescriptor) {
  const Pipe pipe;
  loop.watch(pipe.read.get(), EPOLLIN, "pipe", [&](std::uint32_t) {
    loop.unwatch(pipe.read.get());
    seen += "once";
  });

  pipe.fill();
  loop.run_until_idle();

  EXPECT_EQ(seen, "once");
}

TEST_F(LoopTest, AnEventOfAReusedDescriptorNumberIsDropped) {
  const Pipe first;
  const Pipe second;
  const auto replace = [&](const Pipe& other) {
    return [&](std::uint32_t) {
      seen += "x";
      loop.unwatch(first.read.get());
      loop.unwatch(second.read.get());
      // The same number, another owner: the event of this turn is not its.
      loop.watch(other.read.get(), EPOLLOUT, "new",
                 [&](std::uint32_t) { seen += "new"; });
    };
  };
  loop.watch(first.read.get(), EPOLLIN, "first", replace(second));
  loop.watch(second.read.get(), EPOLLIN, "second", replace(first));

  first.fill();
  second.fill();
  loop.run_until_idle();

  EXPECT_EQ(seen, "x");
}

TEST_F(LoopTest, PostsFromAnotherThreadRunOnTheLoop) {
  std::thread([&] { loop.post("post", note("p")); }).join();

  loop.run_until_idle();

  EXPECT_EQ(seen, "p");
}

TEST_F(LoopTest, TheAfterTurnHookRunsOnceForManySteps) {
  loop.set_after_turn(note("|"));
  loop.post("a", note("a"));
  loop.post("b", note("b"));

  loop.run_until_idle();
  loop.run_until_idle();

  EXPECT_EQ(seen, "ab|");
}

TEST_F(LoopTest, ASlowStepIsCounted) {
  loop.post("fast", [&] { clock.advance(50ms); });
  loop.run_until_idle();
  EXPECT_EQ(loop.slow_steps(), 0U);

  loop.post("slow", [&] { clock.advance(51ms); });
  loop.run_until_idle();
  EXPECT_EQ(loop.slow_steps(), 1U);
}

TEST(LoopOnTheRealClock, RunWakesForATimerAndEndsByStop) {
  const SteadyClock clock;
  Loop loop(clock);
  bool ran = false;
  loop.after(5ms, "timer", [&] {
    ran = true;
    loop.stop();
  });

  loop.run();

  EXPECT_TRUE(ran);
}

}  // namespace
}  // namespace linsey::agent

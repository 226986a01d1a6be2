#include "plugin/last_words.h"

#include <signal.h>
#include <string.h>
#include <unistd.h>

#include <array>
#include <exception>

#include "base/result.h"
#include "plugin/version.h"

namespace linsey::plugin {
namespace {

// A signal handler may not allocate: it writes what lies ready here.
std::array<char, 256> g_document;
volatile sig_atomic_t g_length = 0;

void compose(std::string_view version) {
  const auto [end, size] = fmt::format_to_n(
      g_document.data(), g_document.size(),
      R"({{"cniVersion":"{}","code":{},"msg":"Internal: the plugin died; its )"
      R"(stderr and the kernel log tell why"}})",
      version, static_cast<unsigned>(Code::kInternal));
  g_length = static_cast<sig_atomic_t>(end - g_document.data());
}

[[noreturn]] void speak_and_leave() {
  if (g_length > 0) {
    (void)!write(1, g_document.data(), static_cast<std::size_t>(g_length));
  }
  _exit(1);
}

// Sanitizers report signals themselves; it is unused there.
[[maybe_unused]] void on_signal(int) {
  speak_and_leave();
}

void on_panic(std::string_view) {
  speak_and_leave();
}

}  // namespace

void prepare_last_words() {
  compose(name(kNewest));
  set_panic_hook(on_panic);
  std::set_terminate([] { speak_and_leave(); });
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
  struct sigaction action {};
  action.sa_handler = on_signal;
  for (const int number : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT}) {
    (void)sigaction(number, &action, nullptr);
  }
#endif
}

void set_last_words_version(std::string_view version) {
  compose(version);
}

void forget_last_words() {
  g_length = 0;
}

}  // namespace linsey::plugin

#include "base/result.h"

#include <cerrno>
#include <cstdio>
#include <cstring>

namespace linsey {
namespace {

void (*g_panic_hook)(std::string_view) = nullptr;

Code code_of_errno(int number, Code fallback) {
  switch (number) {
    case ENOSPC:
    case EROFS:
    case EDQUOT:
      return Code::kDiskFull;
    case EACCES:
    case EPERM:
      return Code::kPermission;
    default:
      return fallback;
  }
}

}  // namespace

std::string to_string(const Error& error) {
  const CodeInfo& about = info(error.code);
  std::string text;
  if (static_cast<unsigned>(error.code) >= 100) {
    text = fmt::format("{}: ", about.name);
  }
  text += error.msg;
  if (!about.remedy.empty() &&
      error.msg.find(about.remedy) == std::string::npos) {
    text += fmt::format("; {}", about.remedy);
  }
  return text;
}

Error errno_error(int number, std::string_view what, Code fallback) {
  const char* text = strerrordesc_np(number);
  if (text == nullptr) text = "unknown error";
  return {code_of_errno(number, fallback), fmt::format("{}: {}", what, text),
          fmt::format("errno {}", number)};
}

void set_panic_hook(void (*hook)(std::string_view)) {
  g_panic_hook = hook;
}

void panic(std::string_view text) {
  (void)std::fprintf(stderr, "linsey: broken invariant: %.*s\n",
                     static_cast<int>(text.size()), text.data());
  if (g_panic_hook != nullptr) g_panic_hook(text);
  std::abort();
}

void ErrorList::add(Error error) {
  if (!joined_) {
    joined_ = std::move(error);
    return;
  }
  joined_->msg += "; " + error.msg;
  if (!error.details.empty()) {
    if (!joined_->details.empty()) joined_->details += "; ";
    joined_->details += error.details;
  }
}

Result<void> ErrorList::result() const {
  if (joined_) return *joined_;
  return {};
}

}  // namespace linsey

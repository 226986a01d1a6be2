// Result and Error: how everything in Linsey that can fail says so.
//
// An Error carries one Code out of a closed list (base/code.h), a message that
// reads as a chain told by the callers, outermost first, and the evidence.
// Result<T> has the method names of std::expected so that it can become a
// `using` once every compiler we build with has that. No exception crosses a
// room; a broken invariant of our own ends the program through panic().
#pragma once

#include <cstdlib>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

#include <fmt/core.h>

#include "base/code.h"

namespace linsey {

/// What went wrong. `msg` names what, which and why; `details` holds the
/// evidence: errno, kernel text, request id, command line.
struct Error {
  Code code = Code::kInternal;
  std::string msg;
  std::string details;

  bool operator==(const Error&) const = default;
};

/// The text people read: "ZoneNotMapped: zone cn-x-f has no pod vSwitch; add
/// it under eni.zones". Codes that are plain CNI numbers print no name. The
/// remedy of the code is appended when `msg` does not already end with one.
std::string to_string(const Error& error);

/// Builds an Error with a formatted message.
template <typename... Args>
Error make_error(Code code, fmt::format_string<Args...> format,
                 Args&&... args) {
  return {code, fmt::format(format, std::forward<Args>(args)...), {}};
}

/// Turns an errno value into an Error; the details are "errno N: TEXT".
/// ENOSPC and EROFS map to kDiskFull, EACCES and EPERM to kPermission, all
/// others to `fallback`.
Error errno_error(int number, std::string_view what, Code fallback = Code::kIo);

/// Prints `text` with a stack position to stderr, runs the hook and aborts.
/// For broken invariants of our own only.
[[noreturn]] void panic(std::string_view text);

/// Replaces what panic() calls before it aborts. The plugin hooks it so that
/// one error document is printed even then. Thread: call before others start.
void set_panic_hook(void (*hook)(std::string_view text));

template <typename T>
class [[nodiscard]] Result {
 public:
  using value_type = T;

  // NOLINTNEXTLINE(google-explicit-constructor): return values convert.
  Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}
  // NOLINTNEXTLINE(google-explicit-constructor): return errors convert.
  Result(Error error) : state_(std::in_place_index<1>, std::move(error)) {}

  bool has_value() const { return state_.index() == 0; }
  explicit operator bool() const { return has_value(); }

  T& value() & { return *checked(); }
  const T& value() const& { return *checked(); }
  T&& value() && { return std::move(*checked()); }
  T& operator*() & { return *checked(); }
  const T& operator*() const& { return *checked(); }
  T&& operator*() && { return std::move(*checked()); }
  T* operator->() { return checked(); }
  const T* operator->() const { return checked(); }

  Error& error() & { return *checked_error(); }
  const Error& error() const& { return *checked_error(); }
  Error&& error() && { return std::move(*checked_error()); }

  template <typename U>
  T value_or(U&& other) const& {
    return has_value() ? std::get<0>(state_)
                       : static_cast<T>(std::forward<U>(other));
  }

 private:
  T* checked() {
    if (!has_value()) panic(std::get<1>(state_).msg);
    return &std::get<0>(state_);
  }
  const T* checked() const {
    if (!has_value()) panic(std::get<1>(state_).msg);
    return &std::get<0>(state_);
  }
  Error* checked_error() {
    if (has_value()) panic("error() of a Result that holds a value");
    return &std::get<1>(state_);
  }
  const Error* checked_error() const {
    if (has_value()) panic("error() of a Result that holds a value");
    return &std::get<1>(state_);
  }

  std::variant<T, Error> state_;
};

template <>
class [[nodiscard]] Result<void> {
 public:
  using value_type = void;

  Result() = default;
  // NOLINTNEXTLINE(google-explicit-constructor): return errors convert.
  Result(Error error) : error_(std::move(error)) {}

  bool has_value() const { return !error_.has_value(); }
  explicit operator bool() const { return has_value(); }
  void value() const {
    if (error_) panic(error_->msg);
  }
  void operator*() const { value(); }

  Error& error() & { return *checked_error(); }
  const Error& error() const& { return *checked_error(); }
  Error&& error() && { return std::move(*checked_error()); }

 private:
  Error* checked_error() {
    if (!error_) panic("error() of a Result that holds a value");
    return &*error_;
  }
  const Error* checked_error() const {
    if (!error_) panic("error() of a Result that holds a value");
    return &*error_;
  }

  std::optional<Error> error_;
};

/// Puts "what the caller was doing: " in front of the message of an error;
/// hands a value through untouched.
template <typename T, typename... Args>
Result<T> context(Result<T> result, fmt::format_string<Args...> format,
                  Args&&... args) {
  if (!result.has_value()) {
    result.error().msg = fmt::format(format, std::forward<Args>(args)...) +
                         ": " + result.error().msg;
  }
  return result;
}

/// Gathers errors on the way down (DEL, GC, undo), where one failure must not
/// stop the rest. The first error's code wins; messages are joined by "; ".
class ErrorList {
 public:
  void add(Error error);
  template <typename T>
  void add(Result<T> result) {
    if (!result.has_value()) add(std::move(result).error());
  }
  bool empty() const { return !joined_.has_value(); }
  /// Success when nothing was added.
  Result<void> result() const;

 private:
  std::optional<Error> joined_;
};

namespace detail {
template <typename T>
T unwrap(Result<T>&& result) {
  return std::move(result).value();
}
inline void unwrap(Result<void>&&) {}
}  // namespace detail

}  // namespace linsey

// NOLINTBEGIN(bugprone-macro-parentheses): names and declarations.
#define LINSEY_TRY_CAT2(a, b) a##b
#define LINSEY_TRY_CAT(a, b) LINSEY_TRY_CAT2(a, b)
#define LINSEY_TRY_IMPL(name, expr)                        \
  __extension__({                                          \
    auto name = (expr);                                    \
    if (!name.has_value()) return std::move(name).error(); \
    ::linsey::detail::unwrap(std::move(name));             \
  })

/// Yields the value of a Result, or returns its error from the function. The
/// only control-flow macro of the project.
#define TRY(expr) \
  LINSEY_TRY_IMPL(LINSEY_TRY_CAT(linsey_try_, __COUNTER__), expr)
// NOLINTEND(bugprone-macro-parentheses)

#include "conf/selector.h"

#include <algorithm>
#include <charconv>
#include <optional>
#include <utility>

namespace linsey::conf {
namespace {

constexpr std::size_t kNameMax = 63;
constexpr std::size_t kPrefixMax = 253;

bool is_lower(char c) {
  return c >= 'a' && c <= 'z';
}
bool is_digit(char c) {
  return c >= '0' && c <= '9';
}
bool is_alphanumeric(char c) {
  return is_lower(c) || (c >= 'A' && c <= 'Z') || is_digit(c);
}
bool is_space(char c) {
  return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}
bool is_special(char c) {
  return std::string_view("=!(),<>").find(c) != std::string_view::npos;
}

/// Letters and digits at both ends, "-", "_" and "." between.
bool is_label_name(std::string_view text) {
  const auto inner = [](char c) {
    return is_alphanumeric(c) || c == '-' || c == '_' || c == '.';
  };
  return !text.empty() && text.size() <= kNameMax &&
         is_alphanumeric(text.front()) && is_alphanumeric(text.back()) &&
         std::ranges::all_of(text, inner);
}

bool is_dns_label(std::string_view text) {
  const auto edge = [](char c) { return is_lower(c) || is_digit(c); };
  const auto inner = [&](char c) { return edge(c) || c == '-'; };
  return !text.empty() && edge(text.front()) && edge(text.back()) &&
         std::ranges::all_of(text, inner);
}

bool is_dns_subdomain(std::string_view text) {
  if (text.empty() || text.size() > kPrefixMax) return false;
  for (;;) {
    const std::size_t dot = text.find('.');
    if (!is_dns_label(text.substr(0, dot))) return false;
    if (dot == std::string_view::npos) return true;
    text.remove_prefix(dot + 1);
  }
}

std::optional<std::int64_t> to_integer(std::string_view text) {
  std::int64_t number = 0;
  if (text.starts_with('+')) text.remove_prefix(1);
  const char* end = text.data() + text.size();
  const auto [at, error] = std::from_chars(text.data(), end, number);
  if (error != std::errc() || at != end) return std::nullopt;
  return number;
}

enum class Kind : std::uint8_t { kEnd, kWord, kSymbol };

/// One word, or one of = == != ! ( ) , < >.
struct Token {
  Kind kind = Kind::kEnd;
  std::string_view text;
  std::size_t at = 0;

  bool is(std::string_view symbol) const {
    return kind == Kind::kSymbol && text == symbol;
  }
};

Token next_token(std::string_view text, std::size_t from) {
  while (from < text.size() && is_space(text[from])) {
    ++from;
  }
  if (from == text.size()) return {Kind::kEnd, {}, from};
  if (is_special(text[from])) {
    const std::string_view pair = text.substr(from, 2);
    const std::size_t size = pair == "==" || pair == "!=" ? 2 : 1;
    return {Kind::kSymbol, text.substr(from, size), from};
  }
  std::size_t to = from;
  while (to < text.size() && !is_space(text[to]) && !is_special(text[to])) {
    ++to;
  }
  return {Kind::kWord, text.substr(from, to - from), from};
}

}  // namespace

Result<void> check_label_key(std::string_view key) {
  const std::size_t slash = key.find('/');
  const bool prefixed = slash != std::string_view::npos;
  if (prefixed && !is_dns_subdomain(key.substr(0, slash))) {
    return make_error(Code::kInvalidConfig,
                      "the prefix of label key \"{}\" is no lower-case DNS "
                      "name of at most 253 characters",
                      key);
  }
  if (!is_label_name(prefixed ? key.substr(slash + 1) : key)) {
    return make_error(
        Code::kInvalidConfig,
        "\"{}\" is no label key: write NAME or PREFIX/NAME, NAME "
        "of 1 to 63 letters, digits, \"-\", \"_\" or \".\" with a "
        "letter or digit at both ends",
        key);
  }
  return {};
}

Result<void> check_label_value(std::string_view value) {
  if (value.empty() || is_label_name(value)) return {};
  return make_error(Code::kInvalidConfig,
                    "\"{}\" is no label value: write at most 63 letters, "
                    "digits, \"-\", \"_\" or \".\" with a letter or digit at "
                    "both ends, without quotes",
                    value);
}

class SelectorParser {
 public:
  explicit SelectorParser(std::string_view text)
      : text_(text), token_(next_token(text, 0)) {}

  Result<Selector> parse() {
    Selector selector;
    selector.text_ = std::string(text_);
    while (token_.kind != Kind::kEnd) {
      selector.terms_.push_back(TRY(term()));
      if (token_.kind == Kind::kEnd) break;
      if (!token_.is(",")) return unexpected("\",\" or the end");
      advance();
      if (token_.kind == Kind::kEnd) return unexpected("a label key or \"!\"");
    }
    std::ranges::sort(selector.terms_);
    // clang 14 cannot compile the subrange that ranges::unique returns.
    selector.terms_.erase(
        std::unique(selector.terms_.begin(), selector.terms_.end()),
        selector.terms_.end());
    return selector;
  }

 private:
  using Op = Selector::Op;

  Result<Selector::Term> term() {
    Selector::Term term;
    const bool negated = token_.is("!");
    if (negated) advance();
    if (token_.kind != Kind::kWord) {
      return unexpected(negated ? "a label key" : "a label key or \"!\"");
    }
    TRY(at(token_, check_label_key(token_.text)));
    term.key = std::string(token_.text);
    advance();
    if (negated || token_.kind == Kind::kEnd || token_.is(",")) {
      term.op = negated ? Op::kNotExists : Op::kExists;
      return term;
    }
    term.op = TRY(operation());
    return term_values(std::move(term));
  }

  Result<Op> operation() {
    static constexpr std::pair<std::string_view, Op> kSymbols[] = {
        {"=", Op::kIn},      {"==", Op::kIn},  {"!=", Op::kNotIn},
        {">", Op::kGreater}, {"<", Op::kLess},
    };
    if (token_.kind == Kind::kWord) {
      list_ = token_.text == "in" || token_.text == "notin";
      const Op op = token_.text == "in" ? Op::kIn : Op::kNotIn;
      if (!list_) return unexpected(kOperators);
      advance();
      return op;
    }
    list_ = false;
    for (const auto& [symbol, op] : kSymbols) {
      if (!token_.is(symbol)) continue;
      advance();
      return op;
    }
    return unexpected(kOperators);
  }

  Result<Selector::Term> term_values(Selector::Term term) {
    if (list_) {
      term.values = TRY(value_list());
      return term;
    }
    const Token here = token_;
    std::string value = TRY(value_until(","));
    const bool numeric = term.op == Op::kGreater || term.op == Op::kLess;
    if (numeric && !to_integer(value)) {
      return at(here, Result<Selector::Term>(make_error(
                          Code::kInvalidConfig,
                          "\"{}\" is no whole number, as \"<\" and \">\" need",
                          value)));
    }
    term.values.insert(std::move(value));
    return term;
  }

  /// One value, or the empty one where the end or `stop` follows at once.
  Result<std::string> value_until(std::string_view stop) {
    if (token_.kind == Kind::kEnd || token_.is(",") || token_.is(stop)) {
      return std::string();
    }
    if (token_.kind != Kind::kWord) return unexpected("a value");
    TRY(at(token_, check_label_value(token_.text)));
    std::string value(token_.text);
    advance();
    return value;
  }

  Result<std::set<std::string>> value_list() {
    if (!token_.is("(")) return unexpected("\"(\"");
    advance();
    if (token_.is(")")) return unexpected("at least one value");
    std::set<std::string> values;
    for (;;) {
      values.insert(TRY(value_until(")")));
      if (token_.is(")")) break;
      if (!token_.is(",")) return unexpected("\",\" or \")\"");
      advance();
    }
    advance();
    return values;
  }

  void advance() { token_ = next_token(text_, token_.at + token_.text.size()); }

  Error unexpected(std::string_view wanted) const {
    const std::string found = token_.kind == Kind::kEnd
                                  ? "the end"
                                  : fmt::format("\"{}\"", token_.text);
    return make_error(Code::kInvalidConfig,
                      "selector \"{}\", position {}: expected {}, found {}",
                      text_, token_.at + 1, wanted, found);
  }

  template <typename T>
  Result<T> at(const Token& token, Result<T> result) const {
    return context(std::move(result), "selector \"{}\", position {}", text_,
                   token.at + 1);
  }

  static constexpr std::string_view kOperators =
      "one of =, ==, !=, <, >, in, notin, \",\" or the end";

  std::string_view text_;
  Token token_;
  bool list_ = false;  // the operator just read wants a list in brackets
};

Result<Selector> Selector::parse(std::string_view text) {
  return SelectorParser(text).parse();
}

bool Selector::Term::holds(const Labels& labels) const {
  const auto found = labels.find(key);
  const bool present = found != labels.end();
  switch (op) {
    case Op::kIn:
      return present && values.contains(found->second);
    case Op::kNotIn:
      return !present || !values.contains(found->second);
    case Op::kExists:
      return present;
    case Op::kNotExists:
      return !present;
    case Op::kGreater:
    case Op::kLess:
      break;
  }
  const auto have = present ? to_integer(found->second) : std::nullopt;
  const auto bound = to_integer(*values.begin());
  if (!have || !bound) return false;
  return op == Op::kGreater ? *have > *bound : *have < *bound;
}

bool Selector::matches(const Labels& labels) const {
  return std::ranges::all_of(
      terms_, [&](const Term& term) { return term.holds(labels); });
}

}  // namespace linsey::conf

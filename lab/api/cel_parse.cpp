#include <array>
#include <cctype>
#include <charconv>
#include <utility>

#include "lab/api/cel.h"

namespace linsey::lab::api {
namespace {

using Node = std::unique_ptr<CelNode>;
using Kind = CelNode::Kind;

constexpr std::size_t kDepthLimit = 100;

Node make(Kind kind, std::string text, std::vector<Node> args = {}) {
  auto node = std::make_unique<CelNode>();
  node->kind = kind;
  node->text = std::move(text);
  node->args = std::move(args);
  return node;
}

Node literal(Json value) {
  Node node = make(Kind::kLiteral, "");
  node->literal = std::move(value);
  return node;
}

template <typename... Nodes>
std::vector<Node> list_of(Nodes... nodes) {
  std::vector<Node> out;
  (out.push_back(std::move(nodes)), ...);
  return out;
}

/// Operators of one binding strength, weakest first.
const std::array<std::vector<std::string>, 5> kLevels{{
    {"||"},
    {"&&"},
    {"==", "!=", "<=", ">=", "<", ">", "in"},
    {"+", "-"},
    {"*", "/", "%"},
}};

class Parser {
 public:
  explicit Parser(std::string_view text) : text_(text) {}

  Result<Node> parse() {
    Node out = TRY(ternary());
    skip_space();
    if (at_ < text_.size()) return unexpected("the end");
    return out;
  }

 private:
  Error unexpected(const std::string& wanted) const {
    return make_error(Code::kDecode, "CEL, character {}: expected {} in {}",
                      at_ + 1, wanted, text_);
  }

  void skip_space() {
    while (at_ < text_.size() &&
           std::isspace(static_cast<unsigned char>(text_[at_])) != 0) {
      ++at_;
    }
  }

  static bool is_word(char c) {
    return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_';
  }

  bool take(std::string_view token) {
    skip_space();
    if (!text_.substr(at_).starts_with(token)) return false;
    const std::size_t end = at_ + token.size();
    const bool word = is_word(token.front());
    if (word && end < text_.size() && is_word(text_[end])) return false;
    at_ = end;
    return true;
  }

  std::string word() {
    skip_space();
    const std::size_t begin = at_;
    while (at_ < text_.size() && is_word(text_[at_])) {
      ++at_;
    }
    return std::string(text_.substr(begin, at_ - begin));
  }

  Result<Node> ternary() {
    if (++depth_ > kDepthLimit) return unexpected("less nesting");
    Node condition = TRY(binary(0));
    if (take("?")) {
      Node yes = TRY(ternary());
      if (!take(":")) return unexpected("':'");
      Node no = TRY(ternary());
      condition =
          make(Kind::kTernary, "",
               list_of(std::move(condition), std::move(yes), std::move(no)));
    }
    --depth_;
    return condition;
  }

  Result<Node> binary(std::size_t level) {
    if (level == kLevels.size()) return unary();
    Node left = TRY(binary(level + 1));
    while (true) {
      std::string found;
      for (const std::string& op : kLevels.at(level)) {
        if (!take(op)) continue;
        found = op;
        break;
      }
      if (found.empty()) return left;
      Node right = TRY(binary(level + 1));
      left = make(Kind::kBinary, found,
                  list_of(std::move(left), std::move(right)));
    }
  }

  Result<Node> unary() {
    for (const char* op : {"!", "-"}) {
      if (!take(op)) continue;
      Node inner = TRY(unary());
      return make(Kind::kUnary, op, list_of(std::move(inner)));
    }
    return postfix();
  }

  Result<Node> postfix() {
    Node node = TRY(primary());
    while (true) {
      if (take(".")) {
        const std::string name = word();
        if (name.empty()) return unexpected("a name");
        const bool call = take("(");
        std::vector<Node> args = list_of(std::move(node));
        if (call) TRY(arguments(")", args));
        node =
            make(call ? Kind::kMethod : Kind::kMember, name, std::move(args));
      } else if (take("[")) {
        Node index = TRY(ternary());
        if (!take("]")) return unexpected("']'");
        node =
            make(Kind::kIndex, "", list_of(std::move(node), std::move(index)));
      } else {
        return node;
      }
    }
  }

  Result<void> arguments(std::string_view end, std::vector<Node>& args) {
    if (take(end)) return {};
    do {
      args.push_back(TRY(ternary()));
      if (end == "}") {
        if (!take(":")) return unexpected("':'");
        args.push_back(TRY(ternary()));
      }
    } while (take(","));
    if (!take(end)) return unexpected(std::string(end));
    return {};
  }

  Result<Node> primary() {
    skip_space();
    if (at_ >= text_.size()) return unexpected("a value");
    const char c = text_[at_];
    if (c == '\'' || c == '"') return quoted();
    if (std::isdigit(static_cast<unsigned char>(c)) != 0) return number();
    std::vector<Node> args;
    if (take("(")) {
      Node inner = TRY(ternary());
      if (!take(")")) return unexpected("')'");
      return inner;
    }
    if (take("[")) {
      TRY(arguments("]", args));
      return make(Kind::kList, "", std::move(args));
    }
    if (take("{")) {
      TRY(arguments("}", args));
      return make(Kind::kMap, "", std::move(args));
    }
    const std::string name = word();
    if (name.empty()) return unexpected("a value");
    if (name == "true" || name == "false") return literal(name == "true");
    if (name == "null") return literal(nullptr);
    if (!take("(")) return make(Kind::kName, name);
    TRY(arguments(")", args));
    return make(Kind::kCall, name, std::move(args));
  }

  Result<Node> number() {
    std::int64_t value = 0;
    const char* end = text_.data() + text_.size();
    const auto [stop, bad] = std::from_chars(text_.data() + at_, end, value);
    if (bad != std::errc()) return unexpected("a whole number");
    at_ = static_cast<std::size_t>(stop - text_.data());
    return literal(value);
  }

  Result<Node> quoted() {
    const char quote = text_[at_++];
    std::string value;
    while (at_ < text_.size() && text_[at_] != quote) {
      if (text_[at_] == '\\') ++at_;
      if (at_ < text_.size()) value += text_[at_++];
    }
    if (at_ >= text_.size()) return unexpected("the closing quote");
    ++at_;
    return literal(value);
  }

  std::string_view text_;
  std::size_t at_ = 0;
  std::size_t depth_ = 0;
};

}  // namespace

Result<std::unique_ptr<CelNode>> parse_cel(std::string_view text) {
  return Parser(text).parse();
}

}  // namespace linsey::lab::api

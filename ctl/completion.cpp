#include "ctl/completion.h"

#include <fmt/core.h>

namespace linsey::ctl {
namespace {

std::string joined(const std::vector<std::string>& words) {
  std::string out;
  for (const std::string& word : words) {
    out += (out.empty() ? "" : " ") + word;
  }
  return out;
}

std::string bash_script(const Words& words) {
  std::string cases;
  for (const auto& [command, next] : words) {
    cases +=
        fmt::format("    \"{}\") words=\"{}\" ;;\n", command, joined(next));
  }
  return R"(# linseyctl completion for bash: source <(linseyctl completion bash)
_linseyctl() {
  local path="" words="" word i
  for ((i = 1; i < COMP_CWORD; i++)); do
    word=${COMP_WORDS[i]}
    [[ $word == -* ]] || path="${path:+$path }$word"
  done
  case "$path" in
)" + cases +
         R"(  esac
  COMPREPLY=($(compgen -W "$words" -- "${COMP_WORDS[COMP_CWORD]}"))
}
complete -o default -F _linseyctl linseyctl
)";
}

std::string fish_script(const Words& words) {
  std::string out =
      "# linseyctl completion for fish: linseyctl completion fish | source\n"
      "function __linseyctl_path\n"
      "  set -l words (commandline -opc)\n"
      "  string join ' ' -- (string match -v -- '-*' $words[2..])\n"
      "end\n";
  for (const auto& [command, next] : words) {
    out += fmt::format(
        "complete -c linseyctl -n 'test \"$(__linseyctl_path)\" = \"{}\"' -a "
        "'{}'\n",
        command, joined(next));
  }
  return out;
}

}  // namespace

Result<std::string> completion_script(const std::string& shell,
                                      const Words& words) {
  if (shell == "bash") return bash_script(words);
  if (shell == "zsh") {
    return "#compdef linseyctl\nautoload -U +X bashcompinit && bashcompinit\n" +
           bash_script(words);
  }
  if (shell == "fish") return fish_script(words);
  return make_error(Code::kUnsupportedField,
                    "completion for {} is not there; use bash, zsh or fish",
                    shell);
}

}  // namespace linsey::ctl

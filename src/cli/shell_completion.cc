#include "cli/shell_completion.h"

#include <algorithm>
#include <string_view>

#include "base/format.h"

namespace tandem {
namespace {

// What stands for a model: in the place of an argument of one of these names.
bool IsModel(const OptionSheet& argument) {
  const std::string_view name = argument.names[0];
  return name == "MODEL" || name == "NAME" || name == "BASE" || name == "SOURCE";
}

bool TakesModels(const CommandSheet& command) {
  return std::any_of(command.arguments.begin(), command.arguments.end(), &IsModel);
}

bool TakesFile(const OptionSheet& option) {
  return option.value == "FILE" || option.value == "json|FILE" || option.value == "FOLDER" ||
         option.value == "TEXT";
}

std::string Joined(const std::vector<std::string>& words, std::string_view separator) {
  std::string text;
  for (const std::string& word : words) {
    text += Format("{}{}", text.empty() ? "" : separator, word);
  }
  return text;
}

// 'text' for a POSIX shell.
std::string Quoted(std::string_view text) {
  std::string out = "'";
  for (const char c : text) {
    out += c == '\'' ? std::string("'\\''") : std::string(1, c);
  }
  return out + "'";
}

// For fish, where a backslash escapes within single quotes too.
std::string FishQuoted(std::string_view text) {
  std::string out = "'";
  for (const char c : text) {
    if (c == '\'' || c == '\\') {
      out += '\\';
    }
    out += c;
  }
  return out + "'";
}

// Brackets, colons and backslashes mean something in _arguments.
std::string ZshEscaped(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '[' || c == ']' || c == ':' || c == '\\') {
      out += '\\';
    }
    out += c;
  }
  return out;
}

std::vector<std::string> CommandWords(std::span<const CommandSheet> commands) {
  std::vector<std::string> words;
  for (const CommandSheet& command : commands) {
    words.push_back(command.name);
    words.insert(words.end(), command.aliases.begin(), command.aliases.end());
  }
  return words;
}

// "list|ls".
std::string CasePattern(const CommandSheet& command) {
  std::string pattern = command.name;
  for (const std::string& alias : command.aliases) {
    pattern += "|" + alias;
  }
  return pattern;
}

// The body does without the bash-completion package. Bash cuts words at ':' and '=' too; the line
// itself is cut at spaces, and what comes before such a character is taken off the proposals.
constexpr std::string_view kBashBody = R"BASH(
_tandem() {
  local line=${COMP_LINE:0:COMP_POINT}
  local -a words=()
  read -ra words <<<"$line"
  case $line in *[[:space:]]) words+=("") ;; esac
  local count=${#words[@]} word command=""
  local current=${words[count - 1]} option=${words[count - 2]} prefix=""
  for word in "${words[@]:1:count-2}"; do
    case $word in -*) ;; *) command=$word; break ;; esac
  done
  COMPREPLY=()
  if [ -z "$command" ]; then
    _tandem_words "$_tandem_commands --help --version" "$current"
    return
  fi
  case $current in --*=*) option=${current%%=*} prefix=$option= current=${current#*=} ;; esac
  local values
  case $option in -*) values=$(_tandem_values "$command" "$option") ;; esac
  case $values in
    "?"*) [ -n "$prefix" ] && values=${values#"?"} || values="" ;;
  esac
  case $values in
    "") ;;
    @file) [ -n "$prefix" ] && _tandem_files; return ;;
    @none) compopt +o default +o bashdefault 2>/dev/null; return ;;
    *) _tandem_words "$values" "$current"; return ;;
  esac
  case $current in
    -*) _tandem_words "$(_tandem_options "$command")" "$current" ;;
    *) if _tandem_takes_models "$command"; then
         _tandem_words "$(command "${words[0]}" pages names 2>/dev/null)" "$current"
         compgen -G "$current*.gguf" >/dev/null && _tandem_files '!*.gguf'
       fi ;;
  esac
}

# Those of the words $1 that begin with $2, without what bash takes for another word.
_tandem_words() {
  local before="" reply
  case $2 in *:*) case $COMP_WORDBREAKS in *:*) before=${2%:*}: ;; esac ;; esac
  while read -r reply; do
    COMPREPLY+=("${reply#"$before"}")
  done < <(compgen -W "$1" -- "$2")
}

_tandem_files() {
  local reply
  while read -r reply; do
    COMPREPLY+=("$reply")
  done < <(compgen -f ${1:+-X "$1"} -- "$current")
}

complete -o default -o bashdefault -F _tandem tandem
)BASH";

// "?" before the words: a value that may be left out.
std::string BashValues(const OptionSheet& option) {
  if (option.value.empty()) {
    return "";
  }
  std::string words = Joined(option.words, " ");
  if (option.value_optional) {
    words = "?" + (words.empty() ? option.value : words);
    std::replace(words.begin(), words.end(), '|', ' ');
    return words;
  }
  return !words.empty() ? words : TakesFile(option) ? "@file" : "@none";
}

}  // namespace

std::string BashCompletion(std::span<const CommandSheet> commands) {
  std::string options;
  std::string values;
  std::string models;
  for (const CommandSheet& command : commands) {
    const std::string pattern = CasePattern(command);
    std::vector<std::string> names;
    for (const OptionSheet& option : command.options) {
      names.insert(names.end(), option.names.begin(), option.names.end());
      if (const std::string known = BashValues(option); !known.empty()) {
        for (const std::string& alias : CommandWords({&command, 1})) {
          std::vector<std::string> cases;
          for (const std::string& name : option.names) {
            cases.push_back(Quoted(alias + " " + name));
          }
          values += Format("    {}) echo {} ;;\n", Joined(cases, "|"), Quoted(known));
        }
      }
    }
    options += Format("    {}) echo {} ;;\n", pattern, Quoted(Joined(names, " ")));
    models += TakesModels(command) ? Format("{}{}", models.empty() ? "" : "|", pattern) : "";
  }
  std::string out = "# bash completion for tandem, made by 'tandem pages bash'.\n";
  out += Format("_tandem_commands={}\n", Quoted(Joined(CommandWords(commands), " ")));
  out += Format("_tandem_options() {{\n  case $1 in\n{}  esac\n}}\n", options);
  out += Format("_tandem_values() {{\n  case \"$1 $2\" in\n{}  esac\n}}\n", values);
  out += Format("_tandem_takes_models() {{\n  case $1 in {}) ;; *) return 1 ;; esac\n}}\n", models);
  return out + std::string(kBashBody);
}

namespace {

// One specification of zsh's _arguments.
std::string ZshOption(const OptionSheet& option) {
  std::string out;
  for (const std::string& name : option.names) {
    std::string spec = name;
    if (!option.value.empty()) {
      spec += option.value_optional ? "=-" : name.starts_with("--") ? "=" : "+";
    }
    spec += Format("[{}]", ZshEscaped(option.text));
    if (!option.value.empty()) {
      std::string words = Joined(option.words, " ");
      if (words.empty() && option.value_optional) {
        words = option.value;
        std::replace(words.begin(), words.end(), '|', ' ');
      }
      spec += Format("{}{}:{}", option.value_optional ? "::" : ":", ZshEscaped(option.value),
                     !words.empty()      ? Format("({})", words)
                     : TakesFile(option) ? "_files"
                                         : "");
    }
    out += Format(" \\\n        {}", Quoted("*" + spec));
  }
  return out;
}

}  // namespace

std::string ZshCompletion(std::span<const CommandSheet> commands) {
  std::string list;
  std::string cases;
  for (const CommandSheet& command : commands) {
    for (const std::string& name : CommandWords({&command, 1})) {
      list += Format("    {}\n", Quoted(Format("{}:{}", name, ZshEscaped(command.text))));
    }
    std::string specs;
    for (const OptionSheet& option : command.options) {
      specs += ZshOption(option);
    }
    const char* rest = TakesModels(command)        ? "'*: :_tandem_models'"
                       : command.arguments.empty() ? ""
                                                   : "'*: :_files'";
    cases += Format("    {}) _arguments -s{}{}{} ;;\n", CasePattern(command), specs,
                    *rest == '\0' ? "" : " \\\n        ", rest);
  }
  return Format(
      "#compdef tandem\n"
      "# zsh completion for tandem, made by 'tandem pages zsh'.\n"
      "_tandem_models() {{\n"
      "  local -a names\n"
      "  names=(${{(f)\"$(_call_program names tandem pages names 2>/dev/null)\"}})\n"
      "  compadd -a names\n"
      "  _files -g '*.gguf(-.)'\n"
      "}}\n"
      "_tandem() {{\n"
      "  local -a commands\n"
      "  commands=(\n{}  )\n"
      "  if (( CURRENT == 2 )); then\n"
      "    _describe command commands\n"
      "    return\n"
      "  fi\n"
      "  local command=$words[2]\n"
      "  shift words\n"
      "  (( CURRENT-- ))\n"
      "  case $command in\n{}"
      "  esac\n"
      "}}\n"
      "_tandem \"$@\"\n",
      list, cases);
}

std::string FishCompletion(std::span<const CommandSheet> commands) {
  std::string out =
      "# fish completion for tandem, made by 'tandem pages fish'.\n"
      "complete -c tandem -f\n";
  std::string words = Joined(CommandWords(commands), " ");
  for (const CommandSheet& command : commands) {
    for (const std::string& name : CommandWords({&command, 1})) {
      out += Format("complete -c tandem -n 'not __fish_seen_subcommand_from {}' -a {} -d {}\n",
                    words, name, FishQuoted(command.text));
    }
    const std::string seen = Format("complete -c tandem -n '__fish_seen_subcommand_from {}'",
                                    Joined(CommandWords({&command, 1}), " "));
    if (TakesModels(command)) {
      out += seen + " -F -k -a '(tandem pages names 2>/dev/null)'\n";
    } else if (!command.arguments.empty()) {
      out += seen + " -F\n";
    }
    for (const OptionSheet& option : command.options) {
      out += seen;
      for (const std::string& name : option.names) {
        out += name.starts_with("--") ? " -l " + name.substr(2) : " -s " + name.substr(1);
      }
      if (!option.value.empty() && !option.value_optional) {
        const std::string known = Joined(option.words, " ");
        out += !known.empty()      ? " -x -a " + FishQuoted(known)
               : TakesFile(option) ? " -r -F"
                                   : " -x";
      }
      out += " -d " + FishQuoted(option.text) + "\n";
    }
  }
  return out;
}

}  // namespace tandem

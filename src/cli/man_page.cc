#include "cli/man_page.h"

#include <algorithm>
#include <vector>

#include "tandem/version.h"

#include "base/format.h"

namespace tandem {
namespace {

constexpr std::size_t kColumns = 78;  // of a line of source

struct Fact {
  std::string_view name;
  std::string_view text;
};

constexpr Fact kEnvironment[] = {
    {"TANDEM_MODELS",
     "Tandem's own folder of models; default $XDG_DATA_HOME/tandem/models, else "
     "~/.local/share/tandem/models."},
    {"HF_ENDPOINT", "A mirror of the Hugging Face Hub."},
    {"HF_TOKEN, HF_TOKEN_PATH",
     "The token for gated and private repositories, or the file that holds it."},
    {"HF_HUB_OFFLINE", "1 forbids the network."},
    {"HF_HUB_DOWNLOAD_TIMEOUT", "Seconds without a byte until a connection is replaced; 30."},
    {"HF_HOME, HF_HUB_CACHE", "Where the Hugging Face cache lies."},
    {"OLLAMA_MODELS", "Where Ollama's store lies."},
    {"TANDEM_OLLAMA_REGISTRY", "A mirror of the Ollama registry."},
    {"TANDEM_MODELSCOPE", "A mirror of ModelScope."},
    {"TANDEM_DOWNLOAD_ATTEMPTS", "Failures in a row without progress until a download ends; 6."},
    {"NO_COLOR, TERM=dumb", "No colour and no moving lines."},
};

constexpr Fact kExitCodes[] = {
    {"0", "Success."},
    {"1", "Failure; one line on standard error says why."},
    {"2", "Wrong usage."},
    {"130", "Interrupted."},
};

// For roff: what would be a command, an escape or a soft hyphen is a character.
std::string Escaped(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '\\') {
      out += "\\e";
    } else if (c == '-') {
      out += "\\-";
    } else if (c == '\'' && out.empty()) {
      out += "\\&'";
    } else if (c == '.' && out.empty()) {
      out += "\\&.";
    } else {
      out += c;
    }
  }
  return out;
}

// Running text, broken at spaces; no line begins with what roff would read as a command.
std::string Running(std::string_view text) {
  std::string out;
  std::string line;
  std::size_t at = 0;
  while (at < text.size()) {
    const std::size_t end = std::min(text.find_first_of(" \n", at), text.size());
    if (end > at) {
      const std::string_view word = text.substr(at, end - at);
      const std::string escaped = Escaped(word);
      if (!line.empty() && line.size() + 1 + escaped.size() > kColumns) {
        out += line + "\n";
        line.clear();
      }
      line += (line.empty() ? "" : " ") + escaped;
    }
    at = end + 1;
  }
  return line.empty() ? out : out + line + "\n";
}

std::vector<std::string_view> Lines(std::string_view text) {
  std::vector<std::string_view> lines;
  for (std::size_t at = 0; at <= text.size();) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    lines.push_back(text.substr(at, end - at));
    at = end + 1;
  }
  return lines;
}

// What --help ends with: paragraphs as running text, indented lines as they are. What comes before
// the first paragraph needs no mark.
std::string Footer(std::string_view footer) {
  std::string out;
  std::string paragraph;
  bool literal = false;
  const auto flush = [&] {
    if (!paragraph.empty()) {
      out += (out.empty() ? "" : ".PP\n") + Running(paragraph);
      paragraph.clear();
    }
  };
  const auto set_literal = [&](bool on) {
    if (literal != on) {
      flush();
      out += on ? ".PP\n.nf\n" : ".fi\n";
      literal = on;
    }
  };
  for (const std::string_view line : Lines(footer)) {
    if (line.starts_with("  ")) {
      set_literal(true);
      out += Escaped(line.substr(2)) + "\n";
      continue;
    }
    set_literal(false);
    if (line.empty()) {
      flush();
    } else {
      paragraph += std::string(line) + " ";
    }
  }
  set_literal(false);
  flush();
  return out;
}

std::string Header(std::string_view title, std::string_view date) {
  std::string upper(title);
  for (char& c : upper) {
    c = c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
  }
  return Format(".TH {} 1 {} \"tandem {}\" \"Tandem\"\n", upper, date, TANDEM_VERSION);
}

std::string OptionText(const OptionSheet& option) {
  std::string tag;
  for (const std::string& name : option.names) {
    tag += Format("{}\\fB{}\\fR", tag.empty() ? "" : ", ", Escaped(name));
  }
  if (option.value_optional) {
    tag += Format("[=\\fI{}\\fR]", Escaped(option.value));
  } else if (!option.value.empty()) {
    tag += Format(" \\fI{}\\fR", Escaped(option.value));
  }
  return Format(".TP\n{}\n{}", tag, Running(option.text));
}

std::string Options(const CommandSheet& command) {
  std::string out = ".SH OPTIONS\n";
  std::vector<std::string> groups = {""};
  for (const OptionSheet& option : command.options) {
    if (std::find(groups.begin(), groups.end(), option.group) == groups.end()) {
      groups.push_back(option.group);
    }
  }
  for (const std::string& group : groups) {
    out += group.empty() ? "" : Format(".SS {}\n", group);
    for (const OptionSheet& option : command.options) {
      out += option.group == group ? OptionText(option) : "";
    }
  }
  return out;
}

std::string Facts(std::string_view heading, std::span<const Fact> facts) {
  std::string out = Format(".SH {}\n", heading);
  for (const Fact& fact : facts) {
    out += Format(".TP\n\\fB{}\\fR\n{}", Escaped(fact.name), Running(fact.text));
  }
  return out;
}

}  // namespace

std::string MainManPage(const CLI::App& tandem, std::span<const CommandSheet> commands,
                        std::string_view date) {
  std::string out = Header("tandem", date);
  out += Format(".SH NAME\n{}", Running(Format("tandem - {}", tandem.get_description())));
  out += ".SH SYNOPSIS\n.B tandem\n\\fICOMMAND\\fR [\\fIOPTIONS\\fR] ...\n";
  out += ".SH COMMANDS\n";
  for (const CommandSheet& command : commands) {
    std::string names = Format("\\fB{}\\fR", Escaped(command.name));
    for (const std::string& alias : command.aliases) {
      names += Format(", \\fB{}\\fR", Escaped(alias));
    }
    out += Format(".TP\n{}\n{}See \\fBtandem\\-{}\\fR(1).\n", names, Running(command.text + "."),
                  Escaped(command.name));
  }
  out += Format(".SH NOTES\n{}", Footer(tandem.get_footer()));
  out += Facts("ENVIRONMENT", kEnvironment);
  return out + Facts("\"EXIT STATUS\"", kExitCodes);
}

std::string CommandManPage(const CommandSheet& command, std::string_view date) {
  const std::string title = Format("tandem-{}", command.name);
  std::string out = Header(title, date);
  out += Format(".SH NAME\n{}", Running(Format("{} - {}", title, command.text)));
  out += Format(".SH SYNOPSIS\n{}", Running(command.usage));
  for (const std::string& alias : command.aliases) {
    out += Format(".PP\n{}", Running(Format("tandem {} is the same.", alias)));
  }
  if (!command.arguments.empty()) {
    out += ".SH ARGUMENTS\n";
    for (const OptionSheet& argument : command.arguments) {
      out += Format(".TP\n\\fI{}\\fR\n{}", Escaped(argument.names[0]), Running(argument.text));
    }
  }
  out += Options(command);
  if (const std::string footer = Footer(command.footer); !footer.empty()) {
    out += ".SH NOTES\n" + footer;
  }
  out += Facts("\"EXIT STATUS\"", kExitCodes);
  return out + ".SH \"SEE ALSO\"\n.BR tandem (1)\n";
}

}  // namespace tandem

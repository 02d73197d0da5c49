#include "cli/comparison_report.h"

#include <algorithm>
#include <functional>

#include "base/format.h"
#include "cli/answer_json.h"
#include "cli/text_layout.h"

namespace tandem {
namespace {

struct FigureRow {
  const char* label;
  double (*value)(const Figures& figures);
  std::string (*format)(double value);
};

std::string Seconds(double v) {
  return Format("{:.2f} s", v);
}
std::string PerSecond(double v) {
  return v > 0 ? Format("{:.1f} tokens/s", v) : "-";
}
std::string Count(double v) {
  return Format("{:.0f}", v);
}
std::string Bytes(double v) {
  return FormatBytes(v);
}

constexpr FigureRow kRows[] = {
    {"time to first token", [](const Figures& f) { return f.first_token_seconds; }, &Seconds},
    {"prefill", [](const Figures& f) { return f.prefill_tokens_per_second; }, &PerSecond},
    {"decode", [](const Figures& f) { return f.decode_tokens_per_second; }, &PerSecond},
    {"prompt tokens", [](const Figures& f) { return static_cast<double>(f.prompt_tokens); },
     &Count},
    {"thinking tokens", [](const Figures& f) { return static_cast<double>(f.reasoning_tokens); },
     &Count},
    {"answer tokens", [](const Figures& f) { return static_cast<double>(f.answer_tokens); },
     &Count},
    {"memory", [](const Figures& f) { return static_cast<double>(f.memory_bytes); }, &Bytes},
};

using Table = std::vector<std::vector<std::string>>;  // rows of cells, the first row is the heading

std::string RenderText(const Table& table) {
  std::vector<std::size_t> cells(table.front().size(), 0);
  for (const auto& row : table) {
    for (std::size_t i = 0; i < row.size(); ++i) {
      cells[i] = std::max(cells[i], TextCells(row[i]));
    }
  }
  std::string text;
  for (const auto& row : table) {
    std::string line;
    for (std::size_t i = 0; i < row.size(); ++i) {
      line += i == 0 ? FitText(row[i], cells[i]) : "  " + FitTextRight(row[i], cells[i]);
    }
    text += line + "\n";
  }
  return text;
}

// A pipe or a line end would break the row.
std::string MarkdownCell(std::string text) {
  std::string out;
  for (const char c : text) {
    out += c == '|' ? "\\|" : c == '\n' ? "<br>" : std::string(1, c);
  }
  return out;
}

std::string RenderMarkdown(const Table& table) {
  std::string text;
  for (std::size_t r = 0; r < table.size(); ++r) {
    text += "|";
    for (const std::string& cell : table[r]) {
      text += " " + MarkdownCell(cell) + " |";
    }
    text += "\n";
    if (r == 0) {
      text += "|";
      for (std::size_t i = 0; i < table[r].size(); ++i) {
        text += i == 0 ? " --- |" : " ---: |";
      }
      text += "\n";
    }
  }
  return text;
}

Table StartTable(const std::vector<std::string>& labels) {
  Table table(1, {""});
  table.front().insert(table.front().end(), labels.begin(), labels.end());
  return table;
}

double Median(std::vector<double> values) {
  if (values.empty()) {
    return 0;
  }
  std::sort(values.begin(), values.end());
  const std::size_t middle = values.size() / 2;
  return values.size() % 2 == 1 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
}

bool Differ(const ComparedPrompt& prompt) {
  return std::any_of(prompt.results.begin(), prompt.results.end(), [&](const ColumnResult& result) {
    return result.answer.text != prompt.results.front().answer.text;
  });
}

Table SummaryOf(const std::vector<std::string>& labels,
                const std::vector<ComparedPrompt>& prompts) {
  Table table = StartTable(labels);
  for (const FigureRow& figure : kRows) {
    std::vector<std::string> row = {figure.label};
    for (std::size_t i = 0; i < labels.size(); ++i) {
      std::vector<double> values;
      for (const ComparedPrompt& prompt : prompts) {
        if (prompt.results[i].error.ok()) {
          values.push_back(figure.value(prompt.results[i].answer.figures));
        }
      }
      row.push_back(values.empty() ? "-" : figure.format(Median(std::move(values))));
    }
    table.push_back(std::move(row));
  }
  std::vector<std::string> errors = {"errors"};
  for (std::size_t i = 0; i < labels.size(); ++i) {
    errors.push_back(Format(
        "{}", std::count_if(prompts.begin(), prompts.end(), [i](const ComparedPrompt& prompt) {
          return !prompt.results[i].error.ok();
        })));
  }
  table.push_back(std::move(errors));
  return table;
}

std::string DifferLine(const std::vector<ComparedPrompt>& prompts) {
  const auto differing = std::count_if(prompts.begin(), prompts.end(), &Differ);
  return Format("The answers differ on {} of {} prompts.\n", differing, prompts.size());
}

std::string FirstWordThatDiffers(const ComparedPrompt& prompt) {
  const std::string& first = prompt.results.front().answer.text;
  std::size_t common = first.size();
  for (const ColumnResult& result : prompt.results) {
    const std::string& other = result.answer.text;
    const auto stop = std::mismatch(first.begin(), first.end(), other.begin(), other.end()).first;
    common = std::min(common, static_cast<std::size_t>(stop - first.begin()));
  }
  return Printable(std::string_view(first).substr(0, common), 60);
}

}  // namespace

std::string FiguresTable(const std::vector<std::string>& labels,
                         const std::vector<ColumnResult>& results) {
  Table table = StartTable(labels);
  for (const FigureRow& figure : kRows) {
    std::vector<std::string> row = {figure.label};
    for (const ColumnResult& result : results) {
      row.push_back(result.error.ok() ? figure.format(figure.value(result.answer.figures)) : "-");
    }
    table.push_back(std::move(row));
  }
  std::vector<std::string> thinking = {"thinking"};
  std::vector<std::string> finish = {"finish"};
  for (const ColumnResult& result : results) {
    thinking.push_back(!result.error.ok() ? "-" : result.answer.thinking ? "on" : "off");
    finish.push_back(result.error.ok() ? std::string(FinishName(result.answer.finish)) : "error");
  }
  table.push_back(std::move(thinking));
  table.push_back(std::move(finish));
  return RenderText(table);
}

std::string SummaryTable(const std::vector<std::string>& labels,
                         const std::vector<ComparedPrompt>& prompts) {
  return RenderText(SummaryOf(labels, prompts)) + DifferLine(prompts);
}

std::string MarkdownReport(const std::vector<std::string>& labels,
                           const std::vector<ComparedPrompt>& prompts, std::uint64_t seed) {
  std::string text = Format("# Comparison\n\nSeed {}, {} prompts. Medians over the prompts:\n\n",
                            seed, prompts.size());
  text += RenderMarkdown(SummaryOf(labels, prompts)) + "\n" + DifferLine(prompts);
  for (std::size_t p = 0; p < prompts.size(); ++p) {
    const ComparedPrompt& prompt = prompts[p];
    text += Format("\n## Prompt {}\n\n", p + 1);
    Table table(1, labels);
    std::vector<std::string> answers;
    for (const ColumnResult& result : prompt.results) {
      answers.push_back(result.error.ok() ? result.answer.text
                                          : "Error: " + result.error.message());
    }
    table.push_back(std::move(answers));
    text += "> " + MarkdownCell(prompt.prompt) + "\n\n" + RenderMarkdown(table) + "\n";
    text += Differ(prompt)
                ? Format("The answers differ after \"{}\".\n", FirstWordThatDiffers(prompt))
                : "The answers are the same.\n";
  }
  return text;
}

}  // namespace tandem

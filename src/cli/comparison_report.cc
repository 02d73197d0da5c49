#include "cli/comparison_report.h"

#include <algorithm>
#include <string_view>
#include <utility>

#include "tandem/version.h"

#include "base/format.h"
#include "base/trim.h"
#include "base/utf8.h"
#include "cli/answer_text.h"
#include "cli/numbers.h"

namespace tandem {
namespace {

double Median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  const std::size_t middle = values.size() / 2;
  return values.size() % 2 == 1 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
}

std::string Tokens(double count) {
  return Format("{} token{}", count, count == 1 ? "" : "s");
}

std::string Rate(double per_second) {
  return ShortRate(per_second) + " tok/s";
}

// A figure of an answer: where it is, and how its median is written.
struct FigureRow {
  std::string_view label;
  std::string_view key;  // in JSON
  double (*get)(const Figures& figures);
  std::string (*text)(double value);
};

constexpr FigureRow kFigureRows[] = {
    {"first token", "first_token_seconds", [](const Figures& f) { return f.first_token_seconds; },
     &ShortSeconds},
    {"prefill", "prefill_tokens_per_second",
     [](const Figures& f) { return f.prefill_tokens_per_second; }, &Rate},
    {"decode", "decode_tokens_per_second",
     [](const Figures& f) { return f.decode_tokens_per_second; }, &Rate},
    {"prompt", "prompt_tokens",
     [](const Figures& f) { return static_cast<double>(f.prompt_tokens); }, &Tokens},
    {"thinking", "reasoning_tokens",
     [](const Figures& f) { return static_cast<double>(f.reasoning_tokens); }, &Tokens},
    {"answer", "answer_tokens",
     [](const Figures& f) { return static_cast<double>(f.answer_tokens); }, &Tokens},
    {"memory", "memory_bytes", [](const Figures& f) { return static_cast<double>(f.memory_bytes); },
     &FormatBytes},
};

// The figure of every answer that a column gave.
std::vector<double> Values(const PromptsRun& run, std::size_t column, const FigureRow& row) {
  std::vector<double> values;
  for (const PromptOutcome& outcome : run.outcomes) {
    if (outcome.results[column].error.ok()) {
      values.push_back(row.get(outcome.results[column].answer.figures));
    }
  }
  return values;
}

std::size_t CountErrors(const PromptsRun& run, std::size_t column) {
  return static_cast<std::size_t>(
      std::count_if(run.outcomes.begin(), run.outcomes.end(),
                    [column](const PromptOutcome& o) { return !o.results[column].error.ok(); }));
}

bool EndedByItself(const Answer& answer) {
  return answer.finish == Finish::kStop || answer.finish == Finish::kToolCalls;
}

// What was answered, with a line for each call of a tool.
std::string AnswerText(const Answer& answer) {
  std::string text(Trimmed(answer.text));
  for (const ToolCall& call : answer.tool_calls) {
    text += Format("{}[{}]", text.empty() ? "" : "\n", ToolCallLine(call));
  }
  return text;
}

std::size_t CountCut(const PromptsRun& run, std::size_t column) {
  return static_cast<std::size_t>(
      std::count_if(run.outcomes.begin(), run.outcomes.end(), [column](const PromptOutcome& o) {
        const ColumnResult& result = o.results[column];
        return result.error.ok() && !EndedByItself(result.answer);
      }));
}

std::vector<std::string> Labels(const PromptsRun& run) {
  std::vector<std::string> labels;
  for (const CompareColumn& column : run.columns) {
    labels.push_back(column.label);
  }
  return labels;
}

// Text inside a cell of a Markdown table, shown as it is.
std::string Cell(std::string_view text) {
  std::string out;
  for (const char c : Trimmed(text)) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '\n':
        out += "<br>";
        break;
      case '|':
      case '*':
      case '_':
      case '`':
      case '\\':
      case '[':
      case ']':
      case '#':
      case '~':
      case '$':
        out += '\\';
        out += c;
        break;
      default:
        out += c;
    }
  }
  return out;
}

std::string TableRow(const std::vector<std::string>& cells) {
  std::string out = "|";
  for (const std::string& cell : cells) {
    out += Format(" {} |", cell);
  }
  return out + "\n";
}

std::string TableHead(const std::vector<std::string>& cells) {
  std::string out = TableRow(cells) + "|";
  for (std::size_t i = 0; i < cells.size(); ++i) {
    out += "---|";
  }
  return out + "\n";
}

std::string Header(const PromptsRun& run) {
  std::string out = Format("# Comparison of {} models on {} prompts\n\n", run.columns.size(),
                           run.outcomes.size());
  if (run.outcomes.size() < run.planned) {
    out += Format("Interrupted after {} of {} prompts.\n\n", run.outcomes.size(), run.planned);
  }
  out += Format("Tandem {}, seed {}.\n\n", TANDEM_VERSION, run.seed);
  out += TableHead({"model", "file", "quantisation", "parameters", "context", "kv", "isa",
                    "threads", "longest answer", "temperature"});
  for (std::size_t i = 0; i < run.columns.size(); ++i) {
    const CompareColumn& column = run.columns[i];
    const ColumnResult& result = run.outcomes.front().results[i];
    const ModelFacts& facts = result.facts;
    const std::optional<float> temperature = result.answer.sampling.temperature;
    out += TableRow({Cell(column.label), Cell(column.model), Cell(facts.quantisation),
                     ShortCount(facts.parameters), WithCommas(facts.context_tokens), facts.kv,
                     facts.isa, Format("{}", facts.threads), WithCommas(column.options.max_tokens),
                     temperature.has_value() ? Format("{}", *temperature) : "–"});
  }
  return out + "\n";
}

std::string MediansMarkdown(const PromptsRun& run) {
  std::vector<std::string> head = {""};
  for (const CompareColumn& column : run.columns) {
    head.push_back(Cell(column.label));
  }
  std::string out = "## Medians\n\n" + TableHead(head);
  for (const FigureRow& row : kFigureRows) {
    std::vector<std::string> cells = {std::string(row.label)};
    for (std::size_t i = 0; i < run.columns.size(); ++i) {
      const std::vector<double> values = Values(run, i, row);
      cells.push_back(values.empty() ? "–" : row.text(Median(values)));
    }
    out += TableRow(cells);
  }
  std::vector<std::string> cut = {"cut answers"};
  std::vector<std::string> errors = {"errors"};
  for (std::size_t i = 0; i < run.columns.size(); ++i) {
    cut.push_back(Format("{}", CountCut(run, i)));
    errors.push_back(Format("{}", CountErrors(run, i)));
  }
  return out + TableRow(cut) + TableRow(errors) + "\n";
}

std::string AnswerCell(const ColumnResult& result) {
  if (!result.error.ok()) {
    return "**Error:** " + Cell(result.error.message());
  }
  const Answer& answer = result.answer;
  std::string out;
  if (!Trimmed(answer.reasoning).empty()) {
    out += Format("<details><summary>thinking</summary>{}</details>", Cell(answer.reasoning));
  }
  out += Cell(AnswerText(answer));
  if (!EndedByItself(answer)) {
    out += Format(" *({})*", FinishName(answer.finish));
  }
  return out;
}

std::string FiguresCell(const ColumnResult& result) {
  if (!result.error.ok()) {
    return "–";
  }
  const Figures& f = result.answer.figures;
  return Format("first token {}, prefill {}, decode {}, {} thinking + {} answer tokens",
                ShortSeconds(f.first_token_seconds), Rate(f.prefill_tokens_per_second),
                Rate(f.decode_tokens_per_second), f.reasoning_tokens, f.answer_tokens);
}

// What all answers of the prompt start with, as far as they agree.
std::string CommonStart(const PromptOutcome& outcome) {
  std::string common = AnswerText(outcome.results.front().answer);
  for (const ColumnResult& result : outcome.results) {
    const std::string other = AnswerText(result.answer);
    const auto end = std::mismatch(common.begin(), common.end(), other.begin(), other.end()).first;
    common.erase(end, common.end());
  }
  while (!common.empty() && FindInvalidUtf8(common) != std::string_view::npos) {
    common.pop_back();  // half a character
  }
  return common;
}

// Where the answers part, or nothing when they do not.
std::string DifferenceLine(const PromptOutcome& outcome) {
  const std::string common = CommonStart(outcome);
  if (!AnswersDiffer(outcome)) {
    return "";
  }
  if (common.empty()) {
    return "The answers differ from the first word on.\n\n";
  }
  constexpr std::size_t kShown = 60;
  const std::size_t cut = common.size() > kShown ? common.find(' ', common.size() - kShown) : 0;
  const std::string end =
      cut == std::string::npos || cut == 0 ? common : "..." + common.substr(cut);
  return Format("The answers differ after \"{}\".\n\n", Cell(end));
}

std::string OutcomeMarkdown(const PromptsRun& run, std::size_t index) {
  const PromptOutcome& outcome = run.outcomes[index];
  std::string out =
      Format("### Prompt {}{}\n\n", index + 1, AnswersDiffer(outcome) ? " (answers differ)" : "");
  out += Format("> {}\n\n", Cell(outcome.prompt));
  std::vector<std::string> labels;
  std::vector<std::string> answers;
  std::vector<std::string> figures;
  for (std::size_t i = 0; i < run.columns.size(); ++i) {
    labels.push_back(Cell(run.columns[i].label));
    answers.push_back(AnswerCell(outcome.results[i]));
    figures.push_back(FiguresCell(outcome.results[i]));
  }
  return out + TableHead(labels) + TableRow(answers) + TableRow(figures) + "\n" +
         DifferenceLine(outcome);
}

}  // namespace

bool AnswersDiffer(const PromptOutcome& outcome) {
  const std::string first = AnswerText(outcome.results.front().answer);
  return std::any_of(outcome.results.begin(), outcome.results.end(), [&first](const auto& result) {
    return !result.error.ok() || AnswerText(result.answer) != first;
  });
}

FactTable MediansTable(const PromptsRun& run) {
  FactTable table(Labels(run));
  table.StartSection("");
  for (std::size_t i = 0; i < run.columns.size(); ++i) {
    for (const FigureRow& row : kFigureRows) {
      const std::vector<double> values = Values(run, i, row);
      table.Set(i, row.label, values.empty() ? "" : row.text(Median(values)));
    }
    table.Set(i, "cut answers", Format("{}", CountCut(run, i)));
    table.Set(i, "errors", Format("{}", CountErrors(run, i)));
  }
  return table;
}

Json MediansJson(const PromptsRun& run) {
  Json columns = Json::array();
  for (std::size_t i = 0; i < run.columns.size(); ++i) {
    Json column = {{"label", run.columns[i].label}};
    for (const FigureRow& row : kFigureRows) {
      const std::vector<double> values = Values(run, i, row);
      column[std::string(row.key)] = values.empty() ? Json() : Json(Median(values));
    }
    column["cut_answers"] = CountCut(run, i);
    column["errors"] = CountErrors(run, i);
    columns.push_back(std::move(column));
  }
  return columns;
}

std::string DifferencesText(const PromptsRun& run) {
  std::string numbers;
  std::size_t count = 0;
  for (std::size_t i = 0; i < run.outcomes.size(); ++i) {
    if (AnswersDiffer(run.outcomes[i])) {
      numbers += Format("{}{}", count == 0 ? ": " : ", ", i + 1);
      ++count;
    }
  }
  return Format("the answers differ for {} of {} prompts{}", count, run.outcomes.size(), numbers);
}

std::string ReportMarkdown(const PromptsRun& run) {
  if (run.outcomes.empty()) {
    return "# Comparison\n\nInterrupted before the first answer.\n";
  }
  std::string out = Header(run) + MediansMarkdown(run);
  std::string differences = DifferencesText(run);
  differences[0] = 'T';
  out += Format("## Differences\n\n{}.\n\n## Answers\n\n", differences);
  for (std::size_t i = 0; i < run.outcomes.size(); ++i) {
    out += OutcomeMarkdown(run, i);
  }
  return out;
}

}  // namespace tandem

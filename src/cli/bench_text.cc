#include "cli/bench_text.h"

#include <algorithm>

#include "base/format.h"
#include "cli/numbers.h"

namespace tandem {
namespace {

std::string ProfileText(const BenchResult& result) {
  double seconds = 0;
  for (const OpCost& cost : result.profile) {
    seconds += cost.seconds;
  }
  std::vector<OpCost> costs = result.profile;
  std::stable_sort(costs.begin(), costs.end(),
                   [](const OpCost& a, const OpCost& b) { return a.seconds > b.seconds; });
  std::string text = Format("\n{} of {} at depth {}, batch {}, {} threads: {:.1f} ms\n",
                            BenchPhaseName(result.phase), TokenCount(result.tokens),
                            WithCommas(result.depth), result.batch, result.threads, seconds * 1e3);
  text += Format("  {:<24} {:>7} {:>10} {:>6} {:>10} {:>8} {:>8}\n", "operation", "calls", "ms",
                 "share", "moved", "GB/s", "GOP/s");
  for (const OpCost& cost : costs) {
    text += Format(
        "  {:<24} {:>7} {:>10.2f} {:>5.1f}% {:>10} {:>8} {:>8}\n", cost.name, cost.calls,
        cost.seconds * 1e3, 100 * cost.seconds / seconds,
        cost.bytes > 0 ? FormatBytes(static_cast<double>(cost.bytes)) : "",
        cost.bytes > 0 ? Format("{:.1f}", static_cast<double>(cost.bytes) / cost.seconds / 1e9)
                       : "",
        cost.int_ops > 0 ? Format("{:.0f}", static_cast<double>(cost.int_ops) / cost.seconds / 1e9)
                         : "");
  }
  return text;
}

}  // namespace

double ShareOfLimit(const BenchResult& result, const MachineLimits& limits) {
  const double least = std::max(result.bytes / limits.read_bytes_per_second,
                                result.int_ops / limits.int8_ops_per_second);
  return least / result.median_seconds;
}

std::string BenchText(const BenchReport& report) {
  std::string text = Format("{}: {} {}, {}\n{}, {} {}, {}\n\n", report.model, report.architecture,
                            report.file_type, FormatBytes(static_cast<double>(report.file_bytes)),
                            report.machine.cpu, report.machine.cores,
                            report.machine.cores == 1 ? "core" : "cores", report.isa);
  text += Format("{:<8} {:>6} {:>8} {:>6} {:>8} {:>10} {:>17} {:>6}\n", "phase", "tokens", "depth",
                 "batch", "threads", "tokens/s", "min to max", "limit");
  for (const BenchResult& result : report.results) {
    const Rate& rate = result.tokens_per_second;
    text += Format("{:<8} {:>6} {:>8} {:>6} {:>8} {:>10} {:>17} {:>5.0f}%\n",
                   BenchPhaseName(result.phase), result.tokens, result.depth, result.batch,
                   result.threads, ShortRate(rate.median),
                   ShortRate(rate.min) + " to " + ShortRate(rate.max),
                   100 * ShareOfLimit(result, report.limits));
  }
  for (const BenchResult& result : report.results) {
    if (!result.profile.empty()) {
      text += ProfileText(result);
    }
  }
  text += Format(
      "\nKV {}; loaded in {}; peak memory {}\n"
      "first token of a prompt of {}: {} from the start, {} of them reading\n"
      "limit: what this machine could do at {:.1f} GB/s read and {} GOP/s of int8\n",
      report.kv, ShortSeconds(report.load_seconds),
      FormatBytes(static_cast<double>(report.peak_rss_bytes)),
      TokenCount(report.first_token.prompt_tokens), ShortSeconds(report.first_token.seconds),
      ShortSeconds(report.first_token.prefill_seconds), report.limits.read_bytes_per_second / 1e9,
      WithCommas(static_cast<std::uint64_t>(report.limits.int8_ops_per_second / 1e9)));
  return text;
}

Json BenchJson(const BenchReport& report) {
  Json results = Json::array();
  for (const BenchResult& result : report.results) {
    const Rate& rate = result.tokens_per_second;
    Json row = {
        {"phase", BenchPhaseName(result.phase)},
        {"tokens", result.tokens},
        {"depth", result.depth},
        {"batch", result.batch},
        {"threads", result.threads},
        {"tokens_per_second", {{"median", rate.median}, {"min", rate.min}, {"max", rate.max}}},
        {"share_of_limit", ShareOfLimit(result, report.limits)},
        {"bytes", result.bytes},
        {"int8_ops", result.int_ops}};
    if (!result.profile.empty()) {
      Json profile = Json::array();
      for (const OpCost& cost : result.profile) {
        profile.push_back({{"operation", cost.name},
                           {"calls", cost.calls},
                           {"seconds", cost.seconds},
                           {"bytes", cost.bytes},
                           {"int8_ops", cost.int_ops}});
      }
      row["profile"] = std::move(profile);
    }
    results.push_back(std::move(row));
  }
  return {{"machine",
           {{"cpu", report.machine.cpu},
            {"cores", report.machine.cores},
            {"memory_bytes", report.machine.memory_bytes},
            {"system", report.machine.system},
            {"isa", report.isa}}},
          {"model",
           {{"name", report.model},
            {"architecture", report.architecture},
            {"file_type", report.file_type},
            {"file_bytes", report.file_bytes},
            {"kv", report.kv}}},
          {"limits",
           {{"read_bytes_per_second", report.limits.read_bytes_per_second},
            {"int8_ops_per_second", report.limits.int8_ops_per_second}}},
          {"results", std::move(results)},
          {"load_seconds", report.load_seconds},
          {"first_token",
           {{"prompt_tokens", report.first_token.prompt_tokens},
            {"seconds", report.first_token.seconds},
            {"prefill_seconds", report.first_token.prefill_seconds}}},
          {"peak_rss_bytes", report.peak_rss_bytes}};
}

}  // namespace tandem

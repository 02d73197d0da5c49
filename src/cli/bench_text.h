#pragma once

#include <string>
#include <vector>

#include "io/json.h"
#include "measure/bench.h"
#include "measure/limits.h"
#include "measure/machine.h"

namespace tandem {

/// Everything that `tandem bench` found out.
struct BenchReport {
  std::string model = {};  // as given
  std::string architecture = {};
  std::string file_type = {};  // "Q4_K_M"
  std::uint64_t file_bytes = 0;
  std::string kv = {};
  std::string isa = {};  // in use
  Machine machine = {};
  MachineLimits limits = {};
  std::vector<BenchResult> results = {};
  double load_seconds = 0;
  FirstToken first_token = {};  // its seconds: loading included
  std::uint64_t peak_rss_bytes = 0;
};

/// Seconds that the result's work takes at the machine's limits: its integer products and its
/// memory traffic at once, whichever is slower. share = this / measured.
double ShareOfLimit(const BenchResult& result, const MachineLimits& limits);

/// Tables for people, with a last line feed.
std::string BenchText(const BenchReport& report);
/// The documented object (docs/cli.md).
Json BenchJson(const BenchReport& report);

}  // namespace tandem

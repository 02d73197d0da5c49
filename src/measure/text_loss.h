#pragma once

#include <cstddef>
#include <filesystem>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/status.h"
#include "base/token_id.h"
#include "model/network.h"
#include "runtime/engine.h"

namespace tandem {

struct TextLossOptions {
  EngineOptions engine;
  std::optional<KvType> base_kv;  // of a divergence's base; unset: the same
  /// The text is read in windows of so many tokens, each from an empty state; the second half of
  /// each is scored. Tokens after the last whole window are not read. (The convention of
  /// llama.cpp's perplexity tool, so that figures can be compared.)
  std::size_t window = 512;
  /// Not empty: the text is of parts of so many tokens, at least 2, instead; each is read from an
  /// empty state, and all of it is scored.
  std::vector<std::size_t> parts;
  std::size_t windows_together = 4;  // read as one batch
  /// Finished windows are appended here, one JSON object per line, and not computed again by a
  /// later run with the same models, text and window. Empty: none.
  std::filesystem::path journal;
  std::string journal_key;  // names models and settings; the text and the window are added to it
  std::function<void(std::size_t done, std::size_t windows)> progress;
};

/// A mean and its standard error, over positions.
struct Estimate {
  double mean = 0;
  double error = 0;
};

struct TextLoss {
  std::size_t tokens = 0;  // of the text
  std::size_t scored = 0;
  Estimate nll = {};         // -log p of the text's next token, natural logarithm
  Estimate perplexity = {};  // exp of it
};

/// How well `network` predicts the text. InvalidArgument for a text shorter than a window and for a
/// window or part that the model's context does not hold; errors of the engine and of the journal.
Result<TextLoss> MeasurePerplexity(const Network& network, std::span<const TokenId> text,
                                   const TextLossOptions& options);

struct Divergence {
  TextLoss base;
  TextLoss model;
  Estimate kl;  // sum_v p log(p / q), p the base's distribution, q the model's, per position
  double kl_median = 0;
  double kl_99 = 0;  // 99th percentile
  double kl_max = 0;
  Estimate same_top;  // share of positions where both find the same token likeliest
};

/// How far `model` is from `base` on the text, position by position. As above; InvalidArgument too
/// when their vocabularies differ in size.
Result<Divergence> MeasureDivergence(const Network& base, const Network& model,
                                     std::span<const TokenId> text, const TextLossOptions& options);

}  // namespace tandem

#pragma once

#include <memory>
#include <span>
#include <vector>

#include "base/status.h"
#include "base/token_id.h"
#include "model/network.h"
#include "text/template.h"
#include "text/tokenizer.h"
#include "vision/encoder.h"

namespace tandem {

/// Rows of a prompt that the tower made: `rows` consecutive rows from `begin`, taken from `media`
/// from its row `first` on.
struct MediaRun {
  std::size_t begin = 0;
  std::size_t rows = 0;
  std::size_t first = 0;
  std::shared_ptr<const EncodedMedia> media;
};

/// A prompt's tokens with the rows of its pictures in their places.
struct ExpandedPrompt {
  std::vector<TokenId> ids;            // a placeholder token for each row of a picture
  std::vector<TokenId> rows;           // what the engine reads: ids, or a negative name of content
  std::vector<RowPosition> positions;  // one per row; empty without pictures
  std::vector<MediaRun> runs;          // ascending
};

/// Encodes a rendered prompt whose template wrote one place for each of `media`. A clip's place
/// becomes, for each step in time, its time as text and a place of its own (models.md 7.5, the form
/// without an outer pair). InvalidArgument when the template wrote another number of places;
/// Unsupported when the vocabulary has no tokens for pictures.
/// Source: transformers, Qwen3VLProcessor and Qwen3_5Model.get_rope_index.
Result<ExpandedPrompt> ExpandMedia(const text::Rendered& rendered, const text::Tokenizer& tokenizer,
                                   std::span<const std::shared_ptr<const EncodedMedia>> media,
                                   std::size_t merge);

/// The vectors of the rows [begin, end) of a prompt, a row of zeros for each token; empty when
/// there are no pictures among them.
std::vector<float> GatherVectors(std::span<const MediaRun> runs, std::size_t begin,
                                 std::size_t end);

}  // namespace tandem

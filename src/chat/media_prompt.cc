#include "chat/media_prompt.h"

#include <algorithm>
#include <deque>
#include <limits>
#include <string>
#include <utility>

#include "base/format.h"
#include "vision/content_hash.h"

namespace tandem {
namespace {

constexpr std::string_view kStart = "<|vision_start|>";
constexpr std::string_view kEnd = "<|vision_end|>";
constexpr std::string_view kImage = "<|image_pad|>";
constexpr std::string_view kVideo = "<|video_pad|>";

using MediaList = std::span<const std::shared_ptr<const EncodedMedia>>;

/// The tokens of pictures in this vocabulary.
struct VisionTokens {
  TokenId image = 0;
  TokenId video = 0;
};

Result<VisionTokens> FindTokens(const text::Tokenizer& tokenizer) {
  const std::optional<TokenId> image = tokenizer.Find(kImage);
  const std::optional<TokenId> video = tokenizer.Find(kVideo);
  if (!image.has_value() || !video.has_value() || !tokenizer.Find(kStart).has_value() ||
      !tokenizer.Find(kEnd).has_value()) {
    return Status(StatusCode::kUnsupported,
                  "this model's vocabulary has no tokens for pictures, so it cannot see images");
  }
  return VisionTokens{*image, *video};
}

/// The text of a prompt being rewritten, with who wrote which part.
class SpanList {
 public:
  explicit SpanList(const text::Rendered& rendered) : rendered_(rendered) {}

  /// The next place from `at` on where the template (not a message) wrote one of the two
  /// placeholders.
  struct Place {
    std::size_t at = std::string_view::npos;
    bool video = false;
  };
  Place Find(std::size_t at) const {
    const std::string_view text = rendered_.text;
    while (true) {
      const std::size_t image = text.find(kImage, at);
      const std::size_t video = text.find(kVideo, at);
      const Place place{std::min(image, video), video < image};
      if (place.at == std::string_view::npos || Trusted(place.at, place.at + kImage.size())) {
        return place;
      }
      at = place.at + 1;
    }
  }

  /// Copies [begin, end) of the rendered text.
  void Copy(std::size_t begin, std::size_t end) {
    for (const text::RenderedSpan& span : rendered_.spans) {
      const std::size_t from = std::max(begin, span.begin);
      const std::size_t to = std::min(end, span.end);
      if (from < to) {
        spans_.push_back({std::string_view(rendered_.text).substr(from, to - from), span.trusted});
      }
    }
  }
  void Write(std::string text) {
    written_.push_back(std::move(text));
    spans_.push_back({written_.back(), true});
  }
  bool Has(std::size_t at, std::string_view text) const {
    return std::string_view(rendered_.text).substr(at, text.size()) == text &&
           Trusted(at, at + text.size());
  }

  const std::vector<text::Tokenizer::Span>& spans() const { return spans_; }

 private:
  bool Trusted(std::size_t begin, std::size_t end) const {
    return std::all_of(rendered_.spans.begin(), rendered_.spans.end(),
                       [&](const text::RenderedSpan& span) {
                         return span.trusted || span.end <= begin || span.begin >= end;
                       });
  }

  const text::Rendered& rendered_;
  std::deque<std::string> written_;  // addresses stay
  std::vector<text::Tokenizer::Span> spans_;
};

// The text of a clip: for each step its time and one place.
std::string ClipText(const EncodedMedia& clip) {
  std::string text;
  for (const double seconds : clip.pair_seconds) {
    text += Format("<{:.1f} seconds>{}{}{}", seconds, kStart, kVideo, kEnd);
  }
  return text;
}

// Rewrites the clips' places; pictures keep theirs.
Status WriteClips(MediaList media, SpanList& list, std::size_t text_size) {
  std::size_t done = 0;
  std::size_t count = 0;
  for (SpanList::Place place = list.Find(0); place.at != std::string_view::npos;
       place = list.Find(place.at + 1), ++count) {
    if (count >= media.size() || media[count]->video != place.video) {
      return {StatusCode::kInvalidArgument,
              Format("the chat template wrote a place for {} number {}, which the conversation "
                     "does not have",
                     place.video ? "clip" : "picture", count + 1)};
    }
    if (!place.video) {
      continue;
    }
    // The pair of tokens around the place belongs to it.
    std::size_t begin = place.at;
    std::size_t end = place.at + kVideo.size();
    if (begin >= kStart.size() && list.Has(begin - kStart.size(), kStart) && list.Has(end, kEnd)) {
      begin -= kStart.size();
      end += kEnd.size();
    }
    list.Copy(done, begin);
    list.Write(ClipText(*media[count]));
    done = end;
  }
  list.Copy(done, text_size);
  return count == media.size()
             ? OkStatus()
             : Status(StatusCode::kInvalidArgument,
                      Format("the conversation has {} pictures and clips, but the chat template "
                             "wrote places for {}",
                             media.size(), count));
}

// A row's name: equal for equal content, and no token.
TokenId RowName(std::uint64_t key, std::size_t row) {
  const std::uint64_t mixed = MixBits(key ^ MixBits(row + 1));
  constexpr std::uint64_t kNames = std::uint64_t{1} << 31;
  return static_cast<TokenId>(-1 - static_cast<std::int64_t>(mixed % kNames));
}

/// Walks the tokens and puts the rows of pictures where their placeholders stand.
class Expander {
 public:
  Expander(MediaList media, const VisionTokens& tokens, std::size_t merge)
      : media_(media), tokens_(tokens), merge_(merge) {}

  Result<ExpandedPrompt> Run(const std::vector<TokenId>& ids) {
    for (const TokenId id : ids) {
      const bool place = id == tokens_.image || id == tokens_.video;
      if (place && next_ < media_.size()) {
        PutStep(id);
      } else if (place) {
        return Status(StatusCode::kInvalidArgument,
                      "the chat template wrote more places for pictures than there are");
      } else {
        Put(id, id, {cursor_, cursor_, cursor_});
        ++cursor_;
      }
    }
    if (next_ != media_.size()) {
      return Status(StatusCode::kInvalidArgument,
                    "the chat template wrote fewer places for pictures than there are");
    }
    return std::move(out_);
  }

 private:
  void Put(TokenId id, TokenId row, const RowPosition& position) {
    out_.ids.push_back(id);
    out_.rows.push_back(row);
    out_.positions.push_back(position);
  }

  // One step in time: all tokens at one time, rows and columns counted from the cursor, which then
  // moves by the longer side.
  void PutStep(TokenId id) {
    const EncodedMedia& media = *media_[next_];
    const std::size_t rows = media.grid.h / merge_;
    const std::size_t cols = media.grid.w / merge_;
    const std::size_t first = step_ * media.tokens_per_step;
    out_.runs.push_back({.begin = out_.ids.size(),
                         .rows = media.tokens_per_step,
                         .first = first,
                         .media = media_[next_]});
    for (std::size_t i = 0; i < media.tokens_per_step; ++i) {
      Put(id, RowName(media.key, first + i),
          {cursor_, cursor_ + static_cast<std::int32_t>(i / cols),
           cursor_ + static_cast<std::int32_t>(i % cols)});
    }
    cursor_ += static_cast<std::int32_t>(std::max(rows, cols));
    if (++step_ == media.grid.t) {
      step_ = 0;
      ++next_;
    }
  }

  MediaList media_;
  VisionTokens tokens_;
  std::size_t merge_;
  ExpandedPrompt out_;
  std::int32_t cursor_ = 0;
  std::size_t next_ = 0;
  std::size_t step_ = 0;
};

}  // namespace

Result<ExpandedPrompt> ExpandMedia(const text::Rendered& rendered, const text::Tokenizer& tokenizer,
                                   MediaList media, std::size_t merge) {
  TANDEM_ASSIGN_OR_RETURN(const VisionTokens tokens, FindTokens(tokenizer));
  SpanList list(rendered);
  TANDEM_RETURN_IF_ERROR(WriteClips(media, list, rendered.text.size()));
  return Expander(media, tokens, merge).Run(tokenizer.Encode(list.spans()));
}

std::vector<float> GatherVectors(std::span<const MediaRun> runs, std::size_t begin,
                                 std::size_t end) {
  std::vector<float> vectors;
  for (const MediaRun& run : runs) {
    const std::size_t from = std::max(begin, run.begin);
    const std::size_t to = std::min(end, run.begin + run.rows);
    if (from >= to) {
      continue;
    }
    const std::size_t width = run.media->width;
    vectors.resize((end - begin) * width);
    const std::size_t source = run.first + from - run.begin;
    std::copy_n(run.media->vectors.data() + source * width, (to - from) * width,
                vectors.data() + (from - begin) * width);
  }
  return vectors;
}

}  // namespace tandem

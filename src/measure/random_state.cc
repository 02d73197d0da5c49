#include "measure/random_state.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <numbers>

#include "base/aligned_buffer.h"
#include "base/rng.h"

namespace tandem {
namespace {

// Pages with numbers of their own; later ones repeat them.
constexpr std::size_t kDistinctPages = 4;
// Real DeltaNet states hold numbers of about this size.
constexpr float kStateScale = 0.1F;

// Standard normal numbers: Box-Muller over the counter-based stream.
class Normal {
 public:
  explicit Normal(std::uint64_t seed) : seed_(seed) {}
  void Fill(std::span<float> out, float scale) {
    for (std::size_t i = 0; i < out.size(); i += 2) {
      const double radius = std::sqrt(-2.0 * std::log(1.0 - UniformAt(seed_, next_++)));
      const double angle = 2.0 * std::numbers::pi * UniformAt(seed_, next_++);
      out[i] = scale * static_cast<float>(radius * std::cos(angle));
      if (i + 1 < out.size()) {
        out[i + 1] = scale * static_cast<float>(radius * std::sin(angle));
      }
    }
  }

 private:
  std::uint64_t seed_;
  std::uint64_t next_ = 0;
};

}  // namespace

Status FillRandomState(const Network& network, Ops& ops, std::size_t depth, std::uint64_t seed,
                       SequenceState& state) {
  TANDEM_CHECK(state.length() == 0, "the state must be empty");
  if (depth == 0) {
    return OkStatus();
  }
  TANDEM_CHECK(network.PlanLength(state, depth), "an empty state can be read in any way");
  TANDEM_RETURN_IF_ERROR(state.kv().Reserve(0, depth));
  const KvLayout& layout = state.kv().layout();
  const std::size_t width = layout.kv_heads * layout.head_dim;
  Normal normal(seed);
  AlignedBuffer<float> rows(2 * kKvPageTokens * width);
  const std::size_t pages = (depth + kKvPageTokens - 1) / kKvPageTokens;
  std::byte* const* data = state.kv().pages();
  for (std::size_t page = 0; page < std::min(pages, kDistinctPages); ++page) {
    for (std::size_t layer = 0; layer < layout.layers; ++layer) {
      normal.Fill(rows.span(), 1.0F);
      const KvSegment segment{
          .row_begin = 0,
          .rows = kKvPageTokens,
          .past = page * kKvPageTokens,
          .kv = {.pages = data, .layer_offset = layer * layout.layer_bytes(), .type = layout.type}};
      ops.KvAppend(Mat<const float>(rows.data(), kKvPageTokens, width),
                   Mat<const float>(rows.data() + kKvPageTokens * width, kKvPageTokens, width),
                   layout.kv_heads, layout.head_dim, {&segment, 1});
    }
  }
  for (std::size_t page = kDistinctPages; page < pages; ++page) {
    std::memcpy(data[page], data[page % kDistinctPages], layout.page_bytes());
  }
  normal.Fill({state.recurrent(), network.info().recurrent_floats}, kStateScale);
  state.Advance(depth);
  return OkStatus();
}

}  // namespace tandem

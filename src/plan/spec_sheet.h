#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "gguf/model_file.h"
#include "gguf/tensor_type.h"

namespace tandem {

/// A part of a network and what it takes.
struct ComponentSize {
  std::string_view name;  // "embedding", "attention", ...
  std::uint64_t parameters = 0;
  std::uint64_t bytes = 0;
};

/// A number format and how much of the file is in it.
struct FormatShare {
  gguf::TensorType type = gguf::TensorType::kF32;
  std::size_t tensors = 0;
  std::uint64_t parameters = 0;
  std::uint64_t bytes = 0;
};

struct SpecialToken {
  std::string_view role;  // "bos", "eos", ...
  std::uint64_t id = 0;
  std::string text;
};

/// The shape of an architecture that Tandem runs, and what one conversation takes besides weights.
struct NetworkShape {
  std::size_t attention_layers = 0;  // these keep keys and values
  std::size_t recurrent_layers = 0;  // these keep a state of fixed size
  std::size_t mtp_layers = 0;        // multi-token prediction, not part of the trunk
  std::size_t width = 0;
  std::size_t ffn_width = 0;
  std::size_t heads = 0;
  std::size_t kv_heads = 0;
  std::size_t head_width = 0;
  std::size_t context_limit = 0;          // tokens
  std::uint64_t kv_values_per_token = 0;  // keys and values of all layers
  std::uint64_t state_bytes = 0;          // DeltaNet and convolution state, in f32

  /// Bytes of cached keys and values for one token. `format`: kF32, kF16, kBF16 or kQ8_0.
  std::uint64_t KvBytesPerToken(gguf::TensorType format) const;
};

/// What a GGUF file says about itself, read from its directory alone: no weights are touched. A
/// value; it does not refer to the file.
struct SpecSheet {
  std::string architecture;
  std::string title;      // general.name, may be empty
  std::string file_type;  // "Q4_K_M"; empty when the file does not say
  std::uint64_t file_bytes = 0;
  std::size_t tensor_count = 0;
  std::uint64_t parameters = 0;
  std::uint64_t weight_bytes = 0;
  std::size_t vocabulary = 0;             // tokens in its list
  std::vector<ComponentSize> components;  // those that are there, in a fixed order
  std::vector<FormatShare> formats;       // largest first
  std::optional<NetworkShape> shape;      // nothing for an architecture that Tandem does not run
  std::size_t template_bytes = 0;         // 0: no chat template
  bool has_thinking_switch = false;       // the template looks at enable_thinking
  std::vector<SpecialToken> special_tokens;
};

/// Reads the sheet of any GGUF file. Corrupt when a key that it needs is missing or of another
/// kind, or when numbers of the file contradict each other.
Result<SpecSheet> ReadSpecSheet(const gguf::ModelFile& file);

}  // namespace tandem

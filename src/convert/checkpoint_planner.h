#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_set>
#include <utility>
#include <vector>

#include "base/status.h"
#include "convert/planned_tensor.h"
#include "hf/safetensors.h"

namespace tandem::convert {

/// What happens to each value between the checkpoint and the file.
enum class ValueOp {
  kNone,
  kAddOne,          // a norm that is stored zero-centred
  kNegExponential,  // -exp(x)
};

/// The order of value heads: a checkpoint groups them by key head (k0v0, k0v1, k1v0, ...), a GGUF
/// file tiles them (k0v0, k1v0, ..., k0v1, ...). Applies to indices from `begin` on, in units of
/// `unit` neighbouring ones per head. The default changes nothing.
/// Source: llama.cpp conversion/qwen.py, _reorder_v_heads.
struct HeadOrder {
  std::uint64_t key_heads = 1;
  std::uint64_t values_per_key = 1;
  std::uint64_t unit = 1;
  std::uint64_t begin = 0;

  bool identity() const { return key_heads == 1 || values_per_key == 1; }
  /// The checkpoint's index of what the file has at `index`.
  std::uint64_t SourceIndex(std::uint64_t index) const;
};

/// One tensor that an architecture expects in a checkpoint.
struct ExpectedTensor {
  std::string source;                // name in the checkpoint
  std::string target;                // name in the file
  std::vector<std::uint64_t> shape;  // as in the checkpoint; ones do not count
  ValueOp op = ValueOp::kNone;
  HeadOrder row_order = {};
  HeadOrder column_order = {};
};

/// Pairs what an architecture expects with what a checkpoint has. Borrows the checkpoint, which
/// must outlive the planned tensors too. Single-threaded.
class CheckpointPlanner {
 public:
  explicit CheckpointPlanner(const hf::Checkpoint& checkpoint) : checkpoint_(checkpoint) {}

  /// Errors name the tensor: Corrupt when it is missing or has another shape, Unsupported for a
  /// dtype that is not read.
  Status Expect(ExpectedTensor expected);

  /// One tensor for each index of `axis` (targets.size() of them) of a tensor whose shape has no
  /// ones. Errors as Expect.
  Status ExpectSlices(const std::string& source, const std::vector<std::string>& targets,
                      const std::vector<std::uint64_t>& shape, std::size_t axis);

  /// The planned tensors in checkpoint order. Unsupported when a tensor is neither expected nor
  /// accepted by `ignored`: a converter must not drop weights silently.
  Result<std::vector<PlannedTensor>> Finish(bool (*ignored)(std::string_view name));

 private:
  Result<const hf::Tensor*> FindShaped(const std::string& source,
                                       const std::vector<std::uint64_t>& shape) const;

  const hf::Checkpoint& checkpoint_;
  std::vector<std::pair<const hf::Tensor*, PlannedTensor>> planned_;
  std::unordered_set<const hf::Tensor*> used_;
};

}  // namespace tandem::convert

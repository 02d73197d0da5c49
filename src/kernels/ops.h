#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "base/function_ref.h"
#include "base/status.h"
#include "base/token_id.h"
#include "tensor/mat.h"
#include "tensor/qmat.h"

namespace tandem {

/// The one header a model file reads: every operation of a forward pass, as functions over views
/// that a device fills in. Each operation splits its work over the device's threads and returns
/// when it is done.
///
/// Law of all of them (tested): a row of a result depends on that row's inputs alone, computed in
/// one fixed order, never on how many rows stand beside it nor on how many threads work. So a
/// prompt read whole, in pieces, token by token or in a batch with others gives the same bits.
///
/// Shapes are checked (TANDEM_CHECK); no other failure is possible. Single-threaded: one caller at
/// a time.

/// Number format of cached keys and values.
enum class KvType { kF32, kF16, kBf16, kQ8_0, kQ4_0 };

/// Name as flags spell it ("f16"), and back; an unknown name is InvalidArgument that lists the
/// known ones.
std::string_view KvTypeName(KvType type);
Result<KvType> ParseKvType(std::string_view name);
/// Values that share a scale: the width of a head must be a multiple of it.
std::size_t KvBlockLength(KvType type);
/// Bytes of one row of `head_dim` values.
std::size_t KvRowBytes(KvType type, std::size_t head_dim);

/// Positions per cache page; also the block of the attention's running softmax, counted from
/// position 0.
inline constexpr std::size_t kKvPageTokens = 64;

/// The widest head of attention and of the delta rule; models are held against it when they are
/// opened.
inline constexpr std::size_t kMaxHeadDim = 512;

/// One layer of one sequence's key-value cache. Within a page a layer's part starts at
/// `layer_offset` and holds a part of 64 keys for each KV head, then one of 64 values for each,
/// each 64 * KvRowBytes long; how they lie in it is the backend's own.
struct KvView {
  std::byte* const* pages = nullptr;  // page p holds positions [64 p, 64 p + 64)
  std::size_t layer_offset = 0;       // bytes
  KvType type = KvType::kF32;
};

/// The rows [row_begin, row_begin + rows) of a step's matrices belong to one sequence, whose cache
/// held `past` positions before this step.
struct KvSegment {
  std::size_t row_begin = 0;
  std::size_t rows = 0;
  std::size_t past = 0;
  KvView kv;
};

struct MatMulTask {
  const QMat* w_OI = nullptr;
  Mat<float> y_TO;
  std::span<const float> bias_O = {};  // empty: none
};

/// Called before each MatMul, on the caller's thread: sees the input and may put other weights of
/// the same shape into the tasks. For measuring what a weight's inputs are and what its rounding
/// costs.
using MatMulHook = std::function<void(Mat<const float> x_TI, std::span<MatMulTask> tasks)>;

/// Rotary embedding of the first 2*R dimensions of each head, dimension i paired with i + R.
struct RopeArgs {
  Mat<const float> cos_TR;
  Mat<const float> sin_TR;
};

/// Causal attention with H query heads sharing G key-value heads of width D (H a multiple of G;
/// query head h uses KV head h / (H/G)). Source: arXiv:1706.03762 eq. 1; running softmax as
/// arXiv:2205.14135.
struct AttentionArgs {
  Mat<const float> q_TQ;          // query of head h of row t starts at column h * q_head_stride
  std::size_t q_head_stride = 0;  // floats
  std::size_t heads = 0;
  std::size_t kv_heads = 0;
  std::size_t head_dim = 0;
  float scale = 0;  // multiplies q.k
  std::span<const KvSegment> segments;
};

/// Rows of one picture.
struct RowSpan {
  std::size_t begin = 0;
  std::size_t rows = 0;
};

/// Attention in which every row sees all rows of its picture. Head h of any matrix is the columns
/// [h * head_dim, (h + 1) * head_dim). Source: as AttentionArgs.
struct FullAttentionArgs {
  Mat<const float> q_NE;
  Mat<const float> k_NE;
  Mat<const float> v_NE;
  std::size_t heads = 0;
  std::size_t head_dim = 0;
  float scale = 0;  // multiplies q.k
  std::span<const RowSpan> pictures;
};

/// The two curves that go by this name; both are x * Phi(x), the second by an approximation.
/// Source: arXiv:1606.08415.
enum class Gelu { kErf, kTanh };

/// One sequence's rows and its convolution state in one layer.
struct ConvSegment {
  std::size_t row_begin = 0;
  std::size_t rows = 0;
  float* state_3C = nullptr;  // the last 3 rows before this step, oldest first; updated
  /// For row t of the segment, where to copy the state as it is after that row; null entries are
  /// skipped. Empty or one entry per row.
  std::span<float* const> snapshots;
};

/// Gated delta rule, arXiv:2412.06464 eq. 10, in the reference's order (models.md 2.5 steps 4 to
/// 7): q, k normalised (eps 1e-6 inside the root), q scaled by 1/sqrt(D); S <- exp(g) S; d = beta
/// (v - S k); S <- S + d k^T; o = S q. State of one value head: for each of D keys a row of D
/// values (S transposed, as the reference stores it).
struct DeltaSegment {
  std::size_t row_begin = 0;
  std::size_t rows = 0;
  float* state_HDD = nullptr;         // updated
  std::span<float* const> snapshots;  // as in ConvSegment
};
struct DeltaArgs {
  Mat<const float> qkv_TC;      // q (key_heads x D) | k (key_heads x D) | v (value_heads x D)
  Mat<const float> beta_TH;     // before the sigmoid
  Mat<const float> alpha_TH;    // before softplus
  std::span<const float> a_H;   // -exp(A_log)
  std::span<const float> dt_H;  // added to alpha
  std::size_t key_heads = 0;
  std::size_t value_heads = 0;  // value head h uses key head h mod key_heads
  std::size_t head_dim = 0;
  std::span<const DeltaSegment> segments;
};

class Ops {
 public:
  virtual ~Ops() = default;

  /// x[t,:] = row ids[t] of the table, decoded; rows whose id is negative are left alone (ready
  /// vectors).
  virtual void Embed(const QMat& table_VE, std::span<const TokenId> ids, Mat<float> x_TE) = 0;

  /// y[t,e] = x[t,e] / sqrt(mean_e(x[t,e]^2) + eps) * gain[e]; x and y may be the same memory.
  /// gain_E already holds any "+1" of the checkpoint. Source: arXiv:1910.07467.
  virtual void RmsNorm(Mat<const float> x_TE, std::span<const float> gain_E, float eps,
                       Mat<float> y_TE) = 0;

  /// y += x.
  virtual void AddTo(Mat<const float> x_TE, Mat<float> y_TE) = 0;

  /// y[t,e] = (x[t,e] - mean_e) / sqrt(variance_e + eps) * gain[e] + bias[e], the variance of the
  /// whole row; x and y may be the same memory. Source: arXiv:1607.06450.
  virtual void LayerNorm(Mat<const float> x_TE, std::span<const float> gain_E,
                         std::span<const float> bias_E, float eps, Mat<float> y_TE) = 0;

  /// x[t,e] = gelu(x[t,e]).
  virtual void GeluInPlace(Gelu kind, Mat<float> x_TF) = 0;

  /// For each task y[t,o] = sum_i x[t,i] * w[o,i] + bias[o]. Tasks share x, which a quantised type
  /// first rounds to int8 blocks (once for all tasks of one activation format).
  virtual void MatMul(Mat<const float> x_TI, std::span<const MatMulTask> tasks) = 0;

  /// MatMul for rows by the hundred that no later step continues, as those of a picture are. F16
  /// and BF16 weights are multiplied faster, in another order of summation; a row's bits depend on
  /// no other row here either, but they are not those of MatMul.
  virtual void WideMatMul(Mat<const float> x_TI, std::span<const MatMulTask> tasks) = 0;

  /// gate[t,f] = silu(gate[t,f]) * up[t,f]. Source: arXiv:2002.05202.
  virtual void SwiGluInPlace(Mat<float> gate_TF, Mat<const float> up_TF) = 0;

  /// RMSNorm over each head's D values (gain_D shared by all heads), then rotary; head h of row t
  /// starts at column h * head_stride of x. An empty gain skips the norm.
  virtual void HeadNormRopeInPlace(Mat<float> x_TX, std::size_t heads, std::size_t head_stride,
                                   std::size_t head_dim, std::span<const float> gain_D, float eps,
                                   const RopeArgs& rope) = 0;

  /// Stores each row's keys and values (G heads of D values, packed) at its position past + t of
  /// its sequence.
  virtual void KvAppend(Mat<const float> k_TK, Mat<const float> v_TK, std::size_t kv_heads,
                        std::size_t head_dim, std::span<const KvSegment> segments) = 0;

  /// out[t, h*D + i]; the keys of the rows themselves must have been appended.
  virtual void Attention(const AttentionArgs& args, Mat<float> out_TQ) = 0;

  /// For the patches of pictures; out_NE may be q_NE.
  virtual void FullAttention(const FullAttentionArgs& args, Mat<float> out_NE) = 0;

  /// x[t, h*D + i] *= sigmoid(gate[t, h*gate_head_stride + i]).
  virtual void SigmoidGateInPlace(Mat<float> x_TQ, std::size_t heads, std::size_t head_dim,
                                  Mat<const float> gate_TX, std::size_t gate_head_stride) = 0;

  /// y[t,c] = silu(sum_{j=0..3} w[c,j] x[t-3+j,c]), rows before the step from the state. x and y
  /// must differ.
  virtual void ConvSilu(Mat<const float> x_TC, Mat<const float> w_C4,
                        std::span<const ConvSegment> segments, Mat<float> y_TC) = 0;

  /// out[t, h*D + i].
  virtual void GatedDelta(const DeltaArgs& args, Mat<float> out_TV) = 0;

  /// x[t, h*D + i] = gain[i] * x / sqrt(mean_i(x^2) + eps) * silu(z[t, h*D + i]) per head.
  virtual void GatedHeadNormInPlace(Mat<float> x_TV, Mat<const float> z_TV,
                                    std::span<const float> gain_D, float eps) = 0;

  /// Calls body(i) for each i < n, in any order, on the device's threads: for inputs that are
  /// prepared outside.
  virtual void ForEach(std::size_t n, FunctionRef<void(std::size_t)> body) = 0;

  /// The instruction set in use ("scalar", "avx2", ...) and the number of threads.
  virtual std::string_view isa() const = 0;
  virtual std::size_t threads() const = 0;
  /// Bytes of working memory held now.
  virtual std::size_t scratch_bytes() const = 0;
};

/// Which instruction set to use; kAuto takes the best that this CPU has.
struct CpuOptions {
  std::size_t threads = 1;
  bool pin = false;          // threads other than the caller's stay on a core each
  std::string isa = "auto";  // auto, scalar, avx2, avx512vnni, amx, neon
  /// Largest step: working memory is sized for it when the device is made.
  std::size_t max_rows = 512;
  std::size_t max_cols = 0;  // widest input of any MatMul
  MatMulHook matmul_hook = nullptr;
};

/// InvalidArgument when `isa` is unknown (lists the known ones), Unsupported when this CPU lacks
/// it.
Result<std::unique_ptr<Ops>> MakeCpuOps(const CpuOptions& options);

}  // namespace tandem

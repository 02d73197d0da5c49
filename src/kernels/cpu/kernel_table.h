#pragma once

#include <cstddef>
#include <cstdint>

// Micro-kernels of one instruction set: single-threaded functions over pointers and counts. The
// files that fill the table for an instruction set are compiled with flags that other CPUs lack, so
// they and this header use no inline function that the linker could keep for the whole program:
// plain structs and pointers only (see tools/check_isa_objects). Shapes have been checked by
// cpu_ops.cc.
//
// Every function computes a row of its result from that row's inputs alone, in one fixed order (law
// of ops.h).

namespace tandem::cpu {

/// Working memory of one worker, handed to kernels that ask for it, 64-byte aligned.
inline constexpr std::size_t kScratchBytes = std::size_t{1} << 20;

/// Format of the activations that a matrix product reads.
enum class Activation : std::uint8_t {
  kF32,   // as they are
  kQ8K,   // blocks of 256 with one scale: BlockQ8K
  kQ8_0,  // blocks of 32 with one scale: BlockQ8x32
};

/// Below this the inverse scale 127 / max would not be finite.
inline constexpr float kTinyActivation = 0x1p-100F;

/// 256 activations x ~ d * q. sums[i] is the sum of q[16 i .. 16 i + 16), pair_sums[i] that of
/// q[32 i .. 32 i + 32), most the largest sum of magnitudes of 16 such q. One cache line of
/// numbers, then q on whole lines, as tile loads want it.
struct alignas(64) BlockQ8K {
  float d;
  std::int16_t sums[16];
  std::int16_t pair_sums[8];
  std::int16_t most;
  alignas(64) std::int8_t q[256];
};
static_assert(sizeof(BlockQ8K) == 320);

/// 32 activations x ~ d * q; sum is that of all q.
struct BlockQ8x32 {
  float d;
  std::int32_t sum;
  std::int8_t q[32];
};
static_assert(sizeof(BlockQ8x32) == 40);

/// y[t * y_stride + r] = dot(row r of w, row t of x).
struct MatMulArgs {
  const void* w;
  std::size_t w_row_bytes;
  std::size_t rows;
  std::size_t cols;  // a multiple of the type's block
  /// In the kernel's activation format. Blocks of int8: block b of token t is x[b * x_slots + t],
  /// so that one range of columns of all tokens is one stretch of memory. kF32: token t's row
  /// starts x_row_bytes * t after x.
  const void* x;
  std::size_t x_slots;  // at least tokens, a multiple of 16; slots past the tokens are readable
  std::size_t x_row_bytes;
  std::size_t tokens;
  float* y;
  std::size_t y_stride;
  const void* w_end;  // weights up to here are wanted next: prefetch no further
  void* scratch;      // kScratchBytes
};

/// Columns that pack_floats and pack_columns take at most, and run_wide.
inline constexpr std::size_t kPackedBlock = 1024;
/// A panel has its columns rounded up to a multiple of this, which any vector's lanes divide.
inline constexpr std::size_t kPackedMultiple = 16;
/// Columns that run_packed takes at most.
inline constexpr std::size_t kPackedColumns = 3 * kPackedBlock;
/// Rows of weights that run_wide takes at most.
inline constexpr std::size_t kWideRows = 64;

/// As MatMulArgs for many tokens and the columns [column, column + columns) only; column is a
/// multiple of the most there may be. x: written by pack_floats or pack_columns, for each block of
/// kPackedBlock columns one panel of packed_tokens tokens after the other. From column 0 on y is
/// set, later it is added to.
struct PackedMatMulArgs {
  const void* w;
  std::size_t w_row_bytes;
  std::size_t rows;
  std::size_t column;
  std::size_t columns;
  const float* x;
  std::size_t tokens;
  float* y;
  std::size_t y_stride;
  const float*
      bias;  // run_wide: added to the rows of w after the sum, with the last columns; or null
  const void* w_end;  // weights up to here are wanted next: prefetch no further
  void* scratch;      // kScratchBytes
};

struct MatMulKernel {
  Activation activation;
  void (*run)(const MatMulArgs& args);  // null: no kernel, decode the row and use dot_rows
  /// For kF32 and many tokens, the same bits as run; null: there is none.
  void (*run_packed)(const PackedMatMulArgs& args) = nullptr;
  /// For kF32, any number of tokens, at most kWideRows rows and x of pack_columns: products are
  /// added in the order of the columns, in blocks of 256. The same bits for any tokens; not those
  /// of run. null: there is none.
  void (*run_wide)(const PackedMatMulArgs& args) = nullptr;
};

inline constexpr std::size_t kTensorTypes = 64;  // indexed by GGUF type id

/// Cached keys or values of one KV head in one layer: position p is token p % 64 of this head's
/// part of page p / 64, which lies as kv_page.h says.
struct KvParts {
  std::byte* const* pages;
  std::size_t offset;  // bytes from the start of a page to this head's part
};

/// Queries that an attention kernel takes side by side at most: whole panels of each instruction
/// set, so that what is read once for all of them counts for little.
inline constexpr std::size_t kAttentionQueries = 120;
/// The widest head.
inline constexpr std::size_t kAttentionMaxDim = 512;

/// Causal attention of consecutive rows of one sequence for the query heads that share one KV head.
struct AttentionTask {
  const float* q;  // row t, head h: q + t * q_row_stride + h * q_head_stride
  std::size_t q_row_stride;
  std::size_t q_head_stride;
  std::size_t rows;
  std::size_t heads;
  std::size_t head_dim;
  float scale;
  std::size_t first_position;  // of row 0; row t sees positions 0 .. first_position + t
  int kv_type;                 // KvType as a number
  KvParts k;
  KvParts v;
  float* out;  // row t, head h: out + t * out_row_stride + h * head_dim
  std::size_t out_row_stride;
  void* scratch;  // kScratchBytes
};

/// Keys that one block of packed keys and values holds; the block has 2 * kFullBlockKeys floats for
/// each value of a head, their number rounded up to kFullDimMultiple.
inline constexpr std::size_t kFullBlockKeys = 128;
inline constexpr std::size_t kFullDimMultiple = 16;
/// Rows that one task of full attention takes at most.
inline constexpr std::size_t kFullRows = 96;

/// Keys [0, count) of one block of one head, count at most kFullBlockKeys, into the kernel's order.
struct PackKeysTask {
  const float* k;  // key j: k + j * stride; values likewise
  const float* v;
  std::size_t stride;
  std::size_t count;
  std::size_t head_dim;
  float* block;  // 64-byte aligned
};

/// Attention of up to kFullRows rows of one head that see all keys.
struct FullAttentionTask {
  const float* q;  // row t: q + t * q_stride
  std::size_t q_stride;
  std::size_t rows;
  std::size_t head_dim;
  float scale;
  const float* blocks;  // of pack_keys, one after the other
  std::size_t keys;
  float* out;  // row t: out + t * out_stride; may be q
  std::size_t out_stride;
  void* scratch;  // kScratchBytes
};

/// Gated delta rule of one value head of one sequence, see DeltaArgs in ops.h.
struct DeltaTask {
  const float* q;  // row t: q + t * qkv_stride; k and v likewise
  const float* k;
  const float* v;
  std::size_t qkv_stride;
  const float* beta;  // row t: beta[t * beta_stride]
  std::size_t beta_stride;
  const float* alpha;
  std::size_t alpha_stride;
  float a;
  float dt;
  std::size_t rows;
  std::size_t dim;
  float* state;                 // [dim keys][dim values]
  float* const* snapshots;      // null, or one pointer per row (null entries are skipped)
  std::size_t snapshot_offset;  // floats from a snapshot's start to this head's state
  float* out;                   // row t: out + t * out_stride
  std::size_t out_stride;
  void* scratch;
};

/// Convolution over the channels [begin, end) of one sequence, see ConvSilu in ops.h.
struct ConvTask {
  const float* x;
  std::size_t x_stride;
  const float* w_C4;
  std::size_t rows;
  std::size_t channels;  // of a whole state row
  std::size_t begin;
  std::size_t end;
  float* state_3C;
  float* const* snapshots;
  float* y;
  std::size_t y_stride;
};

struct KernelTable {
  const char* name;
  MatMulKernel matmul[kTensorTypes];

  /// Rounds n activations (a multiple of 256, of 32) to int8 blocks, nearest even: the same bits in
  /// every instruction set. Block b goes to out[b * slots]. Blocks whose largest magnitude is below
  /// kTinyActivation become zeros.
  void (*quantize_q8k)(const float* x, std::size_t n, BlockQ8K* out, std::size_t slots);
  void (*quantize_q8_0)(const float* x, std::size_t n, BlockQ8x32* out, std::size_t slots);
  /// y[t * y_stride] = dot(w, x + t * x_stride) for each token, n long.
  void (*dot_rows)(const float* w, const float* x, std::size_t x_stride, std::size_t tokens,
                   std::size_t n, float* y, std::size_t y_stride);
  /// Tokens of a panel of packed float activations; 0 without pack_floats.
  std::size_t packed_tokens;
  /// Packs up to packed_tokens rows of `columns` values (at most kPackedBlock) into one panel: at
  /// most packed_tokens * (columns rounded up to 16) floats.
  void (*pack_floats)(const float* x, std::size_t x_stride, std::size_t tokens, std::size_t columns,
                      float* out);
  /// The same in the order of the columns, for run_wide.
  void (*pack_columns)(const float* x, std::size_t x_stride, std::size_t tokens,
                       std::size_t columns, float* out);

  /// y = x / sqrt(mean(x^2) + eps) * gain.
  void (*rms_norm)(const float* x, const float* gain, std::size_t n, float eps, float* y);
  /// y = (x - mean(x)) / sqrt(variance(x) + eps) * gain + bias; y may be x.
  void (*layer_norm)(const float* x, const float* gain, const float* bias, std::size_t n, float eps,
                     float* y);
  /// y += x.
  void (*add)(const float* x, float* y, std::size_t n);
  /// gate = silu(gate) * up.
  void (*swiglu)(float* gate, const float* up, std::size_t n);
  /// x *= sigmoid(gate).
  void (*sigmoid_gate)(float* x, const float* gate, std::size_t n);
  /// x = gain * x / sqrt(mean(x^2) + eps) * silu(z).
  void (*gated_norm)(float* x, const float* z, const float* gain, std::size_t n, float eps);
  /// Rotates the pairs (x[i], x[i + half]).
  void (*rope)(float* x, const float* cosines, const float* sines, std::size_t half);
  /// Makes a row of n values in a KV number format.
  void (*kv_store)(int kv_type, const float* x, std::size_t n, void* out);

  void (*attention)(const AttentionTask& task);
  void (*pack_keys)(const PackKeysTask& task);
  void (*full_attention)(const FullAttentionTask& task);
  void (*delta)(const DeltaTask& task);
  void (*conv_silu)(const ConvTask& task);

  /// For measuring the machine: reads n bytes (a multiple of 512) as fast as memory gives them.
  void (*read_bytes)(const void* p, std::size_t n);
  /// Multiplies int8 vectors in registers; returns the multiplications and additions done.
  std::size_t (*int8_dot_rounds)(std::size_t rounds);
};

/// Complete; every later step replaces only what it speeds up.
void InstallScalar(KernelTable* table);
void InstallAvx2(KernelTable* table);
void InstallAvx512Vnni(KernelTable* table);
void InstallAmx(KernelTable* table);
void InstallNeon(KernelTable* table);

}  // namespace tandem::cpu

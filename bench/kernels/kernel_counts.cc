// Cycles, instructions and bytes of one call of each kernel, one thread, its data in caches, as a
// Markdown table. Needs no hardware counters and no privileges:
//   - Cycles are ticks of the time stamp counter times the core's cycles per tick, which a chain of
//     dependent multiplications of three cycles each tells. Chain and kernel run in turn; the best
//     of both counts.
//   - Instructions are counted one by one: with the trap flag set the processor interrupts itself
//     after each. A repeated string instruction counts once.
//   - Bytes are those of the weights, of the cache or of the state; for the others what they read
//     and write.
//   kernel_counts [ISA [NAME]]   only kernels whose name has NAME in it

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <string>
#include <string_view>
#include <vector>

#include "base/aligned_buffer.h"
#include "base/format.h"
#include "base/function_ref.h"
#include "kernels/cpu/cpu_features.h"
#include "kernels/cpu/kv_page.h"
#include "kernels/ops.h"
#include "meter.h"
#include "quant/formats.h"

namespace tandem::cpu {
namespace {

constexpr std::size_t kWidth = 2560;  // of Qwen3.5-4B
constexpr std::size_t kMatRows = 64;
constexpr std::size_t kElementRows = 16;  // of vectors in one call

std::vector<std::byte> Encoded(const quant::Format& format, std::size_t values) {
  std::vector<std::byte> blocks(format.RowBytes(values));
  quant::Encode(format, Normals(values), blocks);
  return blocks;
}

/// One product with weights of kMatRows rows, as MatMulDriver would call the kernel.
void MeasureMatMul(const Meter& meter, const KernelTable& table, const char* type,
                   std::size_t tokens) {
  const quant::Format& format = *quant::FindFormat(std::string_view(type));
  const MatMulKernel& kernel = table.matmul[static_cast<std::size_t>(format.type)];
  if (!meter.Wants(type) || kernel.run == nullptr) {
    return;
  }
  const bool packed = kernel.run_packed != nullptr && tokens >= 2 * table.packed_tokens;
  const std::size_t cols = packed ? kPackedBlock : kWidth;
  const std::vector<std::byte> w = Encoded(format, kMatRows * cols);
  const std::vector<float> x = Normals(tokens * cols);
  const std::size_t slots = (tokens + 15) / 16 * 16;
  AlignedBuffer<BlockQ8K> q8k(slots * cols / 256);
  AlignedBuffer<BlockQ8x32> q8x32(slots * cols / 32);
  for (std::size_t t = 0; t < tokens; ++t) {
    table.quantize_q8k(x.data() + t * cols, cols, q8k.data() + t, slots);
    table.quantize_q8_0(x.data() + t * cols, cols, q8x32.data() + t, slots);
  }
  AlignedBuffer<float> y(tokens * kMatRows);
  AlignedBuffer<std::byte> scratch(kScratchBytes);
  const Row row = {
      type, Format("{} x {}, {} token{}", kMatRows, cols, tokens, tokens > 1 ? "s" : ""),
      static_cast<double>(w.size()), 2.0 * static_cast<double>(kMatRows * cols * tokens),
      kernel.activation == Activation::kF32 ? Limit::kFloat : Limit::kInt8};
  if (packed) {
    const std::size_t panel = table.packed_tokens;
    AlignedBuffer<float> panels((tokens + panel - 1) / panel * panel * cols);
    for (std::size_t t = 0; t < tokens; t += panel) {
      table.pack_floats(x.data() + t * cols, cols, std::min(panel, tokens - t), cols,
                        panels.data() + t * cols);
    }
    const PackedMatMulArgs args = {.w = w.data(),
                                   .w_row_bytes = format.RowBytes(cols),
                                   .rows = kMatRows,
                                   .column = 0,
                                   .columns = cols,
                                   .x = panels.data(),
                                   .tokens = tokens,
                                   .y = y.data(),
                                   .y_stride = kMatRows,
                                   .bias = nullptr,
                                   .w_end = w.data() + w.size(),
                                   .scratch = scratch.data()};
    meter.Measure(row, [&] { kernel.run_packed(args); });
    return;
  }
  const void* input = kernel.activation == Activation::kF32   ? static_cast<const void*>(x.data())
                      : kernel.activation == Activation::kQ8K ? static_cast<const void*>(q8k.data())
                                                              : q8x32.data();
  const MatMulArgs args = {.w = w.data(),
                           .w_row_bytes = format.RowBytes(cols),
                           .rows = kMatRows,
                           .cols = cols,
                           .x = input,
                           .x_slots = slots,
                           .x_row_bytes = cols * sizeof(float),
                           .tokens = tokens,
                           .y = y.data(),
                           .y_stride = kMatRows,
                           .w_end = w.data() + w.size(),
                           .scratch = scratch.data()};
  meter.Measure(row, [&] { kernel.run(args); });
}

struct Head {
  const char* family;
  std::size_t heads;  // that share keys
  std::size_t dim;
};

void MeasureAttention(const Meter& meter, const KernelTable& table, const Head& head, KvType type,
                      std::size_t rows, std::size_t positions) {
  const char* name = rows == 1 ? "attention, decode" : "attention, prefill";
  if (!meter.Wants(name)) {
    return;
  }
  const std::size_t row_bytes = KvRowBytes(type, head.dim);
  const std::size_t page_bytes = 2 * kKvPageTokens * row_bytes;
  AlignedBuffer<std::byte> memory(positions / kKvPageTokens * page_bytes);
  const std::vector<float> x = Normals(2 * positions * head.dim);
  std::vector<std::byte> row(row_bytes);
  std::vector<std::byte*> pages;
  for (std::size_t i = 0; i < positions; ++i) {
    const std::size_t slot = i % kKvPageTokens;
    if (slot == 0) {
      pages.push_back(memory.data() + i / kKvPageTokens * page_bytes);
    }
    table.kv_store(static_cast<int>(type), x.data() + 2 * i * head.dim, head.dim, row.data());
    PlaceKey(type, row.data(), head.dim, slot, pages.back());
    table.kv_store(static_cast<int>(type), x.data() + (2 * i + 1) * head.dim, head.dim, row.data());
    PlaceValue(type, row.data(), head.dim, slot, pages.back() + kKvPageTokens * row_bytes);
  }
  const std::vector<float> q = Normals(rows * head.heads * head.dim);
  std::vector<float> out(q.size());
  AlignedBuffer<std::byte> scratch(kScratchBytes);
  const std::size_t first = positions - rows;
  const AttentionTask task = {.q = q.data(),
                              .q_row_stride = head.heads * head.dim,
                              .q_head_stride = head.dim,
                              .rows = rows,
                              .heads = head.heads,
                              .head_dim = head.dim,
                              .scale = 0.07F,
                              .first_position = first,
                              .kv_type = static_cast<int>(type),
                              .k = {pages.data(), 0},
                              .v = {pages.data(), kKvPageTokens * row_bytes},
                              .out = out.data(),
                              .out_row_stride = head.heads * head.dim,
                              .scratch = scratch.data()};
  const auto seen = static_cast<double>(rows * first + rows * (rows + 1) / 2);
  const std::string shape =
      Format("{} {}, {} heads of {}, {} row{}, {} positions", head.family, KvTypeName(type),
             head.heads, head.dim, rows, rows > 1 ? "s" : "", positions);
  meter.Measure({name, shape, static_cast<double>(memory.size()),
                 seen * 4 * static_cast<double>(head.heads * head.dim), Limit::kFloat},
                [&] { table.attention(task); });
}

void MeasureDelta(const Meter& meter, const KernelTable& table, std::size_t rows) {
  const char* name = rows == 1 ? "delta rule, step" : "delta rule, scan";
  if (!meter.Wants(name)) {
    return;
  }
  constexpr std::size_t kDim = 128;
  const std::vector<float> qkv = Normals(rows * 3 * kDim);
  const std::vector<float> gates = Normals(rows);
  AlignedBuffer<float> state(kDim * kDim);
  std::vector<float> out(rows * kDim);
  AlignedBuffer<std::byte> scratch(kScratchBytes);
  const DeltaTask task = {.q = qkv.data(),
                          .k = qkv.data() + kDim,
                          .v = qkv.data() + 2 * kDim,
                          .qkv_stride = 3 * kDim,
                          .beta = gates.data(),
                          .beta_stride = 1,
                          .alpha = gates.data(),
                          .alpha_stride = 1,
                          .a = -0.3F,
                          .dt = 0.1F,
                          .rows = rows,
                          .dim = kDim,
                          .state = state.data(),
                          .snapshots = nullptr,
                          .snapshot_offset = 0,
                          .out = out.data(),
                          .out_stride = kDim,
                          .scratch = scratch.data()};
  // The state is read and written once; per row and value it decays, is multiplied with k, gets the
  // difference and is multiplied with q.
  meter.Measure({name, Format("head of {}, {} row{}", kDim, rows, rows > 1 ? "s" : ""),
                 2.0 * sizeof(float) * kDim * kDim, static_cast<double>(rows) * kDim * kDim * 8,
                 Limit::kFloat},
                [&] { table.delta(task); });
}

void MeasureConv(const Meter& meter, const KernelTable& table) {
  constexpr std::size_t kChannels = 512;
  constexpr std::size_t kRows = 64;
  if (!meter.Wants("convolution")) {
    return;
  }
  const std::vector<float> x = Normals(kRows * kChannels);
  const std::vector<float> w = Normals(4 * kChannels);
  std::vector<float> cache(3 * kChannels);
  std::vector<float> y(x.size());
  const ConvTask task = {.x = x.data(),
                         .x_stride = kChannels,
                         .w_C4 = w.data(),
                         .rows = kRows,
                         .channels = kChannels,
                         .begin = 0,
                         .end = kChannels,
                         .state_3C = cache.data(),
                         .snapshots = nullptr,
                         .y = y.data(),
                         .y_stride = kChannels};
  meter.Measure({"convolution", Format("{} channels, {} rows", kChannels, kRows),
                 2.0 * sizeof(float) * static_cast<double>(x.size())},
                [&] { table.conv_silu(task); });
}

/// kElementRows vectors of n values, each a call of run(x, y): x is put back before each turn, y
/// holds other values.
void MeasureElements(const Meter& meter, const char* name, std::size_t n, double bytes_per_value,
                     FunctionRef<void(float* x, float* y)> run) {
  if (!meter.Wants(name)) {
    return;
  }
  const std::vector<float> input = Normals(kElementRows * n);
  std::vector<float> x = input;
  std::vector<float> y = Normals(kElementRows * n + 1);
  meter.Measure(
      {name, Format("{} x {}", kElementRows, n),
       bytes_per_value * static_cast<double>(kElementRows * n)},
      [&] {
        for (std::size_t row = 0; row < kElementRows; ++row) {
          run(x.data() + row * n, y.data() + row * n);
        }
      },
      [&] { x = input; });
}

void MeasureVectors(const Meter& meter, const KernelTable& table) {
  const std::vector<float> gain = Normals(kWidth);
  AlignedBuffer<BlockQ8K> q8k(kWidth / 256);
  AlignedBuffer<BlockQ8x32> q8x32(kWidth / 32);
  MeasureElements(meter, "activations to Q8_K", kWidth, 4 + sizeof(BlockQ8K) / 256.0,
                  [&](float* x, float*) { table.quantize_q8k(x, kWidth, q8k.data(), 1); });
  MeasureElements(meter, "activations to Q8_0", kWidth, 4 + sizeof(BlockQ8x32) / 32.0,
                  [&](float* x, float*) { table.quantize_q8_0(x, kWidth, q8x32.data(), 1); });
  MeasureElements(meter, "RMSNorm", kWidth, 8,
                  [&](float* x, float* y) { table.rms_norm(x, gain.data(), kWidth, 1e-6F, y); });
  MeasureElements(meter, "gated norm", 128, 12,
                  [&](float* x, float* y) { table.gated_norm(x, y, gain.data(), 128, 1e-6F); });
  MeasureElements(meter, "addition", kWidth, 12,
                  [&](float* x, float* y) { table.add(y, x, kWidth); });
  MeasureElements(meter, "SwiGLU", kWidth, 12,
                  [&](float* x, float* y) { table.swiglu(x, y, kWidth); });
  MeasureElements(meter, "sigmoid gate", kWidth, 12,
                  [&](float* x, float* y) { table.sigmoid_gate(x, y, kWidth); });
  MeasureElements(meter, "RoPE", 128, 8,
                  [&](float* x, float*) { table.rope(x, gain.data(), gain.data() + 64, 64); });
  std::vector<std::byte> cached(4 * kWidth);
  for (const KvType type : {KvType::kF16, KvType::kQ8_0}) {
    const std::string name = Format("cache to {}", KvTypeName(type));
    const double bytes = 4 + static_cast<double>(KvRowBytes(type, kWidth)) / kWidth;
    MeasureElements(meter, name.c_str(), kWidth, bytes, [&](float* x, float*) {
      table.kv_store(static_cast<int>(type), x, kWidth, cached.data());
    });
  }
}

void MeasureAll(const Meter& meter, const KernelTable& table) {
  constexpr std::size_t kManyTokens = 128;
  for (const char* type : {"Q4_K", "Q5_K", "Q6_K", "Q8_0", "Q4_0", "IQ4_XS", "BF16"}) {
    for (const std::size_t tokens : {std::size_t{1}, std::size_t{8}, kManyTokens}) {
      MeasureMatMul(meter, table, type, tokens);
    }
  }
  constexpr Head kQwen = {"Qwen3.5", 4, 256};
  constexpr Head kPhi = {"Phi-4-mini", 3, 128};
  for (const Head& head : {kQwen, kPhi}) {
    for (const KvType type : {KvType::kF16, KvType::kQ8_0}) {
      MeasureAttention(meter, table, head, type, 1, 1024);
      MeasureAttention(meter, table, head, type, kAttentionQueries / head.heads, 256);
    }
  }
  MeasureDelta(meter, table, 1);
  MeasureDelta(meter, table, 64);
  MeasureConv(meter, table);
  MeasureVectors(meter, table);
}

}  // namespace
}  // namespace tandem::cpu

int main(int argc, char** argv) {
  using tandem::cpu::Meter;
  const tandem::Result<tandem::cpu::KernelTable> table =
      tandem::cpu::SelectKernels(argc > 1 ? argv[1] : "auto");
  if (!table.ok()) {
    std::fprintf(stderr, "kernel_counts: %s\n", table.status().message().c_str());
    return 2;
  }
  const Meter meter(*table, argc > 2 ? argv[2] : "");
  meter.PrintHead(*table);
  tandem::cpu::MeasureAll(meter, *table);
  return 0;
}

#include "kernels/cpu/amx/matmul.h"

#include "kernels/cpu/amx/tiles-inl.h"
#include "kernels/cpu/avx512/dot-inl.h"
#include "kernels/cpu/avx512/rows-inl.h"
#include "kernels/cpu/matmul-inl.h"

namespace tandem::cpu {
namespace {

template <typename Tiles>
struct TileScratch {
  typename Tiles::Weights weights[kBandRows / kLanes][Tiles::kPass];
  alignas(64) float acc[kBandRows / kLanes][kMaxTokens][kLanes];
  alignas(64) TileSums sums[2][Tiles::kSums];
  alignas(64) std::uint8_t rows[kLanes * sizeof(typename Tiles::Block)];
};

/// All tokens times the prepared groups, `count` blocks from column x on.
template <typename Tiles>
void MultiplyBlocks(const typename Tiles::X* x, std::size_t slots, std::size_t count,
                    const Band& band, TileScratch<Tiles>* scratch) {
  typename Tiles::Job previous = {};
  std::size_t turn = 0;
  for (std::size_t t = 0; t < band.tokens; t += Tiles::kJobTokens) {
    const std::size_t left = band.tokens - t;
    const std::size_t tokens = left < Tiles::kJobTokens ? left : Tiles::kJobTokens;
    for (std::size_t g = 0; g < band.groups(); ++g, turn ^= 1) {
      const typename Tiles::Job job = {
          scratch->weights[g], count, x + t, slots, tokens, scratch->acc[g][t],
          scratch->sums[turn]};
      if constexpr (Tiles::kJobTokens > kTileTokens) {
        if (tokens > kTileTokens) {
          Tiles::template Run<true>(job, previous);
          previous = job;
          continue;
        }
      }
      Tiles::template Run<false>(job, previous);
      previous = job;
    }
  }
  Tiles::Finish(previous);
}

template <typename Tiles>
void RunTileBand(const MatMulArgs& args, const Band& band, TileScratch<Tiles>* scratch) {
  const auto* x = static_cast<const typename Tiles::X*>(args.x) + band.first;
  const std::size_t blocks = args.cols / Tiles::kLength;
  for (std::size_t g = 0; g < band.groups(); ++g) {
    __builtin_memset(scratch->acc[g], 0, band.tokens * sizeof(scratch->acc[g][0]));
  }
  for (std::size_t b = 0; b < blocks; b += Tiles::kPass) {
    const std::size_t count = blocks - b < Tiles::kPass ? blocks - b : Tiles::kPass;
    for (std::size_t g = 0; g < band.groups(); ++g) {
      typename Tiles::Weights* weights = scratch->weights[g];
      ExpandGroup<Tiles>(args, band, b, count, g, scratch->rows, weights, sizeof(*weights));
      for (std::size_t i = 0; i < count; ++i) {
        Tiles::Prepare(weights + i);
      }
    }
    FinishStores();
    MultiplyBlocks<Tiles>(x + b * args.x_slots, args.x_slots, count, band, scratch);
  }
  StoreBand(args, band, scratch->acc);
}

template <typename Tiles>
void RunTiles(const MatMulArgs& args) {
  static_assert(sizeof(TileScratch<Tiles>) <= kScratchBytes);
  auto* scratch = static_cast<TileScratch<Tiles>*>(args.scratch);
  ConfigureTiles(args.tokens < kTileTokens ? args.tokens : kTileTokens, Tiles::kDepth);
  ForBands(args, kLanes, [&](const Band& band) { RunTileBand<Tiles>(args, band, scratch); });
  _tile_release();
}

/// Tiles pay from here on: below, making two planes of a panel costs more than it saves.
constexpr std::size_t kLeastTokens = 6;

template <typename Vectors, typename Tiles>
void Run(const MatMulArgs& args) {
  if (args.tokens < kLeastTokens) {
    RunMatMul<Vectors>(args);
  } else {
    RunTiles<Tiles>(args);
  }
}

template <typename Format>
void InstallSuper(KernelTable* table) {
  table->matmul[Format::kType] = {Activation::kQ8K, &Run<SuperKernel<Format>, SuperTiles<Format>>};
}

/// Tiles pay from here on where rows are read as they lie for fewer tokens.
template <typename RowKernel>
void RunRowsOrTiles(const MatMulArgs& args) {
  if (FewTokens(args, kMostRowTokens)) {
    RunRows<RowKernel>(args);
  } else {
    RunTiles<SuperTiles<typename RowKernel::Base>>(args);
  }
}

template <typename RowKernel>
void InstallRows(KernelTable* table) {
  table->matmul[RowKernel::kType] = {Activation::kQ8K, &RunRowsOrTiles<RowKernel>};
}

template <typename Format>
void Install32(KernelTable* table) {
  table->matmul[Format::kType] = {Activation::kQ8_0, &Run<Kernel32<Format>, Tiles32<Format>>};
}

}  // namespace

void InstallAmxMatMul(KernelTable* table) {
  Install32<FormatQ40>(table);
  Install32<FormatQ41>(table);
  Install32<FormatQ50>(table);
  Install32<FormatQ51>(table);
  Install32<FormatQ80>(table);
  Install32<FormatIQ4NL>(table);
  InstallSuper<FormatQ2K>(table);
  InstallSuper<FormatQ3K>(table);
  InstallRows<RowsQ4K>(table);
  InstallRows<RowsQ5K>(table);
  InstallRows<RowsQ6K>(table);
  InstallSuper<FormatIQ4XS>(table);
}

}  // namespace tandem::cpu

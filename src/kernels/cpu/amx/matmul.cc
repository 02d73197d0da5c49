#include "kernels/cpu/amx/matmul.h"

#include "kernels/cpu/amx/tiles-inl.h"
#include "kernels/cpu/avx512/dot-inl.h"
#include "kernels/cpu/matmul-inl.h"

namespace tandem::cpu {
namespace {

template <typename Tiles>
struct TileScratch {
  typename Tiles::Weights weights[kBandRows / kLanes];
  alignas(64) float acc[kBandRows / kLanes][kMaxTokens][kLanes];
  alignas(64) std::int32_t sums[2][4][kTileTokens][kLanes];
  alignas(64) std::uint8_t rows[kLanes * sizeof(typename Tiles::Block)];
};

template <typename Tiles>
void FinishJob(const typename Tiles::Job& job, std::size_t begin, std::size_t end) {
  for (std::size_t t = begin; t < end && t < job.tokens; ++t) {
    Tiles::Finish(job, t);
  }
}

/// Multiplies `job` while the vector units finish `previous`.
template <typename Tiles, bool kTwo>
void RunJob(const typename Tiles::Job& job, const typename Tiles::Job& previous) {
  constexpr std::size_t kShare = kJobTokens / Tiles::kSteps;
  Tiles::template Zero<kTwo>();
#pragma GCC unroll 4
  for (std::size_t step = 0; step < Tiles::kSteps; ++step) {
    Tiles::template Step<kTwo>(job, step);
    FinishJob<Tiles>(previous, step * kShare, (step + 1) * kShare);
  }
  Tiles::template Store<kTwo>(job);
}

/// All tokens times the prepared groups of one block.
template <typename Tiles>
void MultiplyBlock(const typename Tiles::X* x, std::size_t tokens, std::size_t groups,
                   TileScratch<Tiles>* scratch) {
  typename Tiles::Job previous = {};
  std::size_t turn = 0;
  for (std::size_t t = 0; t < tokens; t += kJobTokens) {
    const std::size_t left = tokens - t;
    for (std::size_t g = 0; g < groups; ++g, turn ^= 1) {
      const typename Tiles::Job job = {&scratch->weights[g], x + t,
                                       left < kJobTokens ? left : kJobTokens, scratch->acc[g][t],
                                       scratch->sums[turn]};
      if (left > kTileTokens) {
        RunJob<Tiles, true>(job, previous);
      } else {
        RunJob<Tiles, false>(job, previous);
      }
      previous = job;
    }
  }
  FinishJob<Tiles>(previous, 0, previous.tokens);
}

template <typename Tiles>
void RunTileBand(const MatMulArgs& args, const Band& band, TileScratch<Tiles>* scratch) {
  const std::size_t groups = band.groups();
  const auto* x = static_cast<const typename Tiles::X*>(args.x) + band.first;
  for (std::size_t g = 0; g < groups; ++g) {
    __builtin_memset(scratch->acc[g], 0, band.tokens * sizeof(scratch->acc[g][0]));
  }
  for (std::size_t b = 0; b < args.cols / Tiles::kLength; ++b, x += args.x_slots) {
    for (std::size_t g = 0; g < groups; ++g) {
      ExpandGroup<Tiles>(args, band, b, g, scratch->rows, &scratch->weights[g].panel);
      Tiles::Prepare(&scratch->weights[g]);
    }
    FinishStores();
    MultiplyBlock<Tiles>(x, band.tokens, groups, scratch);
  }
  StoreBand(args, band, scratch->acc);
}

template <typename Tiles>
void RunTiles(const MatMulArgs& args) {
  static_assert(sizeof(TileScratch<Tiles>) <= kScratchBytes);
  auto* scratch = static_cast<TileScratch<Tiles>*>(args.scratch);
  ConfigureTiles(args.tokens < kTileTokens ? args.tokens : kTileTokens, Tiles::kDepth);
  ForBands(args, [&](const Band& band) { RunTileBand<Tiles>(args, band, scratch); });
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

template <typename Format>
void Install32(KernelTable* table) {
  table->matmul[Format::kType] = {Activation::kQ8_0, &Run<Kernel32<Format>, Tiles32<Format>>};
}

}  // namespace

void InstallAmxMatMul(KernelTable* table) {
  Install32<FormatQ80>(table);
  InstallSuper<FormatQ4K>(table);
  InstallSuper<FormatQ5K>(table);
  InstallSuper<FormatQ6K>(table);
}

}  // namespace tandem::cpu

#include <cstddef>

#include "kernels/cpu/amx/matmul.h"
#include "kernels/cpu/amx/tiles-inl.h"
#include "kernels/cpu/kernel_table.h"

namespace tandem::cpu {
namespace {

// Four products in turn, more than one takes to finish, each of 16 x 64 by 64 x 16.
std::size_t Int8DotRounds(std::size_t rounds) {
  constexpr std::size_t kDepth = 64;
  ConfigureTiles(kTileTokens, kDepth);
  _tile_zero(0);
  _tile_zero(1);
  _tile_zero(2);
  _tile_zero(3);
  _tile_zero(4);
  _tile_zero(5);
  _tile_zero(6);
  _tile_zero(7);
  for (std::size_t i = 0; i < rounds / 16; ++i) {  // as long as the rounds of vectors
    _tile_dpbusd(0, 4, 6);
    _tile_dpbusd(1, 4, 7);
    _tile_dpbusd(2, 5, 6);
    _tile_dpbusd(3, 5, 7);
  }
  _tile_release();
  return rounds / 16 * 4 * kTileTokens * kDepth * kLanes * 2;
}

}  // namespace

void InstallAmx(KernelTable* table) {
  table->name = "amx";

  InstallAmxMatMul(table);
  table->int8_dot_rounds = &Int8DotRounds;
}

}  // namespace tandem::cpu

#pragma once

#include "kernels/cpu/kernel_table.h"

namespace tandem::cpu {

/// How the weights of one token and of a few are read. The bits of the results are the same.
enum class ReadStreams {
  kOne,   // from the first byte to the last: cores that fetch far ahead by themselves
  kFour,  // four rows at a time, each pages from the next: cores that fetch little of each stream
};

/// Puts the quantised matrix products into the table.
void InstallAvx512MatMul(KernelTable* table, ReadStreams streams);
/// Those of the codebook and ternary formats and of MXFP4.
void InstallAvx512CodebookMatMul(KernelTable* table);

}  // namespace tandem::cpu

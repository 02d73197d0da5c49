#pragma once

#include <cstddef>
#include <cstdint>

#include "base/status.h"
#include "model/network.h"

namespace tandem {

/// Makes `state`, which must be empty, look as if it had read `depth` tokens: keys, values and
/// recurrent state are random numbers of the size that real ones have, so that a long context can
/// be timed without computing it. OutOfMemory when pages run out. Equal seeds give equal states.
Status FillRandomState(const Network& network, Ops& ops, std::size_t depth, std::uint64_t seed,
                       SequenceState& state);

}  // namespace tandem

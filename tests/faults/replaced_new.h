#pragma once

namespace tandem::tests {

/// Called for every allocation of a program that links replaced_new.cc, which replaces all forms of
/// operator new and delete; such a program defines it. False makes the allocation fail.
bool OnAllocation() noexcept;

}  // namespace tandem::tests

#pragma once

#include <algorithm>
#include <cstring>

#include "tandem/tandem.h"
#include "tandem/tandem_c.h"

#include "base/format.h"

namespace tandem {

/// The options that a caller of the C API gave, whose struct may be older or newer than ours:
/// fields it does not have get their defaults (`init`), fields that we do not know must be zero.
/// InvalidArgument names the struct otherwise. given: may be null, all defaults.
template <typename T>
Result<T> ReadCStruct(const T* given, const char* name, void (*init)(T*, std::size_t)) {
  T own;
  init(&own, sizeof own);
  if (given == nullptr) {
    return own;
  }
  std::size_t size = 0;
  std::memcpy(&size, given, sizeof size);
  // A struct of more than a page was never filled in.
  if (size < sizeof size || size > 4096) {
    return Status(StatusCode::kInvalidArgument,
                  Format("{}: size is {}; call {}_init first", name, size, name));
  }
  const char* bytes = reinterpret_cast<const char*>(given);
  for (std::size_t i = sizeof own; i < size; ++i) {
    if (bytes[i] != 0) {
      return Status(StatusCode::kInvalidArgument,
                    Format("{}: a field at byte {} is set, but this library's ends at byte {}",
                           name, i, sizeof own));
    }
  }
  std::memcpy(&own, given, std::min(size, sizeof own));
  own.size = sizeof own;
  return own;
}

/// Between the options of the C API and those of tandem.h. InvalidArgument names struct and field.
Result<OpenOptions> ReadOpenOptions(const tandem_open_options* given);
Result<GenerateOptions> ReadGenerateOptions(const tandem_generate_options* given);
Result<CompareColumn> ReadColumn(const tandem_column* given);
Result<Thinking> ReadThinking(std::int32_t thinking);

}  // namespace tandem

#pragma once

#include "tandem/status.h"

#include "base/check.h"

/// Returns what `expr` gives (a Status, or another type with ok()) when it is an error.
#define TANDEM_RETURN_IF_ERROR(expr)                          \
  do {                                                        \
    if (auto tandem_status_ = (expr); !tandem_status_.ok()) { \
      return tandem_status_;                                  \
    }                                                         \
  } while (false)

#define TANDEM_CONCAT_INNER_(a, b) a##b
#define TANDEM_CONCAT_(a, b) TANDEM_CONCAT_INNER_(a, b)
#define TANDEM_ASSIGN_OR_RETURN_IMPL_(result, lhs, expr) \
  auto result = (expr);                                  \
  if (!result.ok()) {                                    \
    return result.status();                              \
  }                                                      \
  lhs = std::move(result).value()

/// `TANDEM_ASSIGN_OR_RETURN(auto x, F());`: x is the value of F(), or the enclosing function
/// returns its Status.
#define TANDEM_ASSIGN_OR_RETURN(lhs, expr) \
  TANDEM_ASSIGN_OR_RETURN_IMPL_(TANDEM_CONCAT_(tandem_result_, __LINE__), lhs, expr)

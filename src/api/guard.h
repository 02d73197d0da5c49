#pragma once

#include <exception>
#include <new>
#include <system_error>

#include "tandem/status.h"

#include "base/format.h"

namespace tandem {

/// The Status of the exception being handled. Tandem throws nothing itself, but what it calls may:
/// OutOfMemory when there was no memory, or the system refuses a thread; Internal for the rest.
/// Needs no memory itself where there is none. For `catch (...)` of functions of the public API.
inline Status StatusOfException() {
  try {
    std::rethrow_exception(std::current_exception());
  } catch (const std::bad_alloc&) {
    return {StatusCode::kOutOfMemory, "out of memory"};
  } catch (const std::system_error& error) {
    const bool no_thread = error.code() == std::errc::resource_unavailable_try_again;
    return {no_thread ? StatusCode::kOutOfMemory : StatusCode::kInternal,
            Format("{}{}", no_thread ? "cannot start a thread: " : "", error.what())};
  } catch (const std::exception& error) {
    return {StatusCode::kInternal, error.what()};
  } catch (...) {
    return {StatusCode::kInternal, "an exception of unknown type"};
  }
}

}  // namespace tandem
